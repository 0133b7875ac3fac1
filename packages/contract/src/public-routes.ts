import { route } from "./route.ts";

const base = { dialect: "chaya", door: "public" } as const;

/** Routes without a principal: health, metrics and descriptions. */
export const publicRoutes = {
  root: route({ ...base, method: "GET", path: "/", summary: "A greeting, as Fn's server gives it.", problems: [] }),
  version: route({ ...base, method: "GET", path: "/version", summary: "The version of the server.", problems: [] }),
  health: route({ ...base, method: "GET", path: "/healthz", summary: "200 while the process runs.", problems: [] }),
  ready: route({
    ...base,
    method: "GET",
    path: "/readyz",
    summary: "200 while the server takes work, 503 while it stops.",
    problems: ["server-draining"],
  }),
  /** With `--auth required` for whoever has the right: it names functions. */
  metrics: route({
    ...base,
    method: "GET",
    path: "/metrics",
    auth: { action: "inspect", resource: "chaya-nodes", operation: "GetMetrics" },
    summary: "Metrics as Prometheus text.",
    problems: ["credentials-missing", "credentials-invalid"],
  }),
  openapi: route({
    ...base,
    method: "GET",
    path: "/openapi.json",
    summary: "This API as OpenAPI 3.1.",
    problems: [],
  }),
} as const;
