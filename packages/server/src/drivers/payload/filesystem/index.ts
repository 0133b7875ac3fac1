export { openFilesystemPayloads } from "./filesystem-payloads.ts";
