const server = "^packages/server/src";
const services =
  "(access|secrets|functions|gateway|idp|events|objects|registry|streams|notifications|schedules|flows|manifest|telemetry)";

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "contract-is-pure",
      severity: "error",
      comment: "contract imports nothing of ours",
      from: { path: "^packages/contract/src" },
      to: { path: "^packages/(?!contract)" },
    },
    {
      name: "contract-has-no-io",
      severity: "error",
      from: { path: "^packages/contract/src", pathNot: "\\.test\\.ts$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "fdk-is-alone",
      severity: "error",
      comment: "fdk has zero dependencies",
      from: { path: "^packages/fdk/src", pathNot: "\\.test\\.ts$" },
      to: { path: "^packages/(?!fdk)|node_modules" },
    },
    {
      name: "client-uses-contract-only",
      severity: "error",
      from: { path: "^packages/client/src", pathNot: "\\.test\\.ts$" },
      to: { path: "^packages/(?!client|contract)" },
    },
    {
      name: "server-uses-contract-and-protocol",
      severity: "error",
      from: { path: server, pathNot: "\\.test\\.ts$|/testing/|conformance\\.ts$" },
      to: { path: "^packages/(?!server|contract|fdk/src/protocol\\.ts)" },
    },
    {
      name: "cli-reaches-server-from-start-only",
      severity: "error",
      from: { path: "^packages/cli/src", pathNot: "^packages/cli/src/commands/start\\.ts$|\\.test\\.ts$" },
      to: { path: "^packages/server" },
    },
    {
      name: "kernel-knows-nothing",
      severity: "error",
      comment: "kernel imports kernel only",
      from: { path: `${server}/kernel/` },
      to: { path: `${server}/(?!kernel/|testing/)`, pathNot: "\\.test\\.ts$" },
    },
    {
      name: "http-knows-no-domain",
      severity: "error",
      from: { path: `${server}/http/`, pathNot: "\\.test\\.ts$" },
      to: { path: `${server}/(?!http/|kernel/)` },
    },
    {
      name: "work-over-store-contract",
      severity: "error",
      from: { path: `${server}/work/`, pathNot: "\\.test\\.ts$" },
      to: { path: `${server}/(?!work/|kernel/|drivers/(store/(driver|tables)|payload/driver)\\.ts|seams\\.ts)` },
    },
    {
      name: "services-meet-in-platform-only",
      severity: "error",
      comment: "what one service needs of another arrives in deps as a seam",
      from: { path: `${server}/${services}/` },
      to: { path: `${server}/${services}/`, pathNot: `${server}/$1/` },
    },
    {
      name: "services-use-driver-contracts",
      severity: "error",
      from: { path: `${server}/${services}/`, pathNot: "\\.test\\.ts$" },
      to: { path: `${server}/drivers/(?![a-z]+/driver\\.ts|store/tables\\.ts)` },
    },
    {
      name: "drivers-are-named-once",
      severity: "error",
      comment: "only drivers/drivers.ts names implementations",
      from: { path: server, pathNot: `${server}/drivers/|\\.test\\.ts$|/testing/` },
      to: { path: `${server}/drivers/[a-z]+/[a-z]+/` },
    },
    {
      name: "drivers-stand-alone",
      severity: "error",
      from: { path: `${server}/drivers/`, pathNot: "\\.test\\.ts$|conformance\\.ts$" },
      to: { path: `${server}/(?!drivers/|kernel/)` },
    },
    {
      name: "only-records-know-sql",
      severity: "error",
      from: { path: `${server}/${services}/`, pathNot: "/records/|\\.test\\.ts$" },
      to: { path: "node_modules/kysely" },
    },
    {
      name: "platform-is-on-top",
      severity: "error",
      from: { path: server, pathNot: `${server}/(main|platform|index)\\.ts$|/testing/|\\.test\\.ts$` },
      to: { path: `${server}/(main|platform)\\.ts$` },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "require", "node", "default", "types"],
    },
  },
};
