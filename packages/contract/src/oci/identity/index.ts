export * from "./records.ts";
export { ociIdentityRoutes } from "./routes.ts";
