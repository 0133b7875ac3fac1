export * from "./records.ts";
export { fnRoutes } from "./routes.ts";
