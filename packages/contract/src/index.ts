export { bundleImage, digestOfImage } from "./bundle-image.ts";
export { limits } from "./limits.ts";
export { ociKinds } from "./oci/oci-problem.ts";
export { type PolicyVariable, type PolicyVariableName, policyVariables } from "./policy-variables.ts";
export { isProblem, Problem, type ProblemOptions } from "./problem.ts";
export { kindOfStatus, type ProblemKind, problemStatus } from "./problem-status.ts";
export { type ProblemCode, type ProblemFields, problems } from "./problems.ts";
export { publicRoutes } from "./public-routes.ts";
export { type PolicyVerb, policyVerbs, type ResourceType, resourceFamilies, resourceTypes } from "./resource-types.ts";
export {
  type AnyRoute,
  anyMethods,
  type Dialect,
  type Door,
  type LazySchema,
  lazy,
  type Method,
  type RouteAuth,
  type RouteBody,
  type RouteBodyInput,
  type RouteParameters,
  type RouteQuery,
  type RouteQueryInput,
  type RouteResult,
  route,
} from "./route.ts";
export { looksSecret, secretNameProblem } from "./secret-names.ts";
