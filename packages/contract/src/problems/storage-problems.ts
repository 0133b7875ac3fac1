import { problem } from "./problem-entry.ts";

/** Of the store, the disk, payloads and what else a server needs of its machine. */
export const storageProblems = {
  "store-unavailable": problem<{ reason: string }>({
    kind: "unavailable",
    sentence: (f) => `The store does not answer: ${f.reason}.`,
    hint: () => "Nothing was acknowledged; try again. 'chaya doctor' looks at the store.",
  }),
  "store-damaged": problem<{ file: string; reason: string }>({
    kind: "internal",
    sentence: (f) => `The database file '${f.file}' is damaged: ${f.reason}.`,
    hint: () =>
      "Stop the server and restore the file from a backup, with its -wal. telemetry.db (calls, logs) may also be moved away with its -wal: it is made anew.",
    fn: () => "internal server error",
  }),
  "store-unfit": problem<{ reason: string }>({
    kind: "internal",
    sentence: (f) => `The database does not fit this version of Chaya: ${f.reason}.`,
    hint: () => "Start the version that wrote it, restore a backup from before, or use another database.",
    fn: () => "internal server error",
  }),
  "sandbox-unusable": problem<{ reason: string }>({
    kind: "internal",
    sentence: (f) => `The sandbox that was asked for cannot be had: ${f.reason}`,
    hint: () => "--sandbox auto starts without one where none works; run only code you trust then.",
    fn: () => "internal server error",
  }),
  "storage-full": problem<{ freeBytes: number }>({
    kind: "unavailable",
    sentence: (f) => `The disk has only ${f.freeBytes} bytes left: writes are refused, reads go on.`,
    hint: () => "Free some space; writes resume by themselves.",
  }),
  "payload-not-found": problem<{ payload: string }>({
    kind: "internal",
    sentence: (f) => `The payload '${f.payload}' is missing.`,
    hint: () => "The data directory is damaged; restore it.",
  }),
  "payload-damaged": problem<{ payload: string }>({
    kind: "internal",
    sentence: (f) => `The payload '${f.payload}' does not match its digest.`,
    hint: () => "The disk returned other bytes than were written; restore the payload.",
  }),
} as const;
