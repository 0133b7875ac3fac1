import type { Migration } from "../driver.ts";
import { callsAndLogs } from "./telemetry/0001-calls-and-logs.ts";

/** Of the database that holds call records, log lines and captured inputs, in order. New ones are added at the end. */
export const telemetryMigrations: readonly Migration[] = [callsAndLogs];
