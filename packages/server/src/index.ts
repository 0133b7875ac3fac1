export { type ServerConfig, type ServerOption, type StartOptions, serverOptions } from "./config.ts";
export { type StartHooks, startServer } from "./main.ts";
export { type Platform, startPlatform } from "./platform.ts";
