export {
  createResourcePrincipals,
  type ResourcePrincipals,
} from "./resource-principals.ts";
