export * from "./records.ts";
export { ociFunctionsRoutes } from "./routes.ts";
