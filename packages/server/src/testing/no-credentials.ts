import type { InstanceCredentials } from "../drivers/runtime/driver.ts";

/** Of an instance that asks nobody as itself. */
export const noCredentials: InstanceCredentials = { variables: {}, files: Promise.resolve({}) };
