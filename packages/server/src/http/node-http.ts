/**
 * Node's HTTP. An import statement of `node:http` reads all of its members, and reading one of them, WebSocket, loads a
 * whole client: 15 to 40 ms of a start, and up to 7 MiB for as long as the server runs.
 */
export const nodeHttp = process.getBuiltinModule("node:http");
