export * from "./records.ts";
export { chayaRoutes } from "./routes.ts";
