export * from "./records.ts";
export { chayaRoutes } from "./routes.ts";
export * from "./session-records.ts";
