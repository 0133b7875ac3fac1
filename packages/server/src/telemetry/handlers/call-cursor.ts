import { Problem } from "@chaya/contract";
import { isId } from "../../kernel/ids.ts";

/** Where a page of calls ended, as the id of its last. Opaque to clients. */
export function encodeCursor(callId: string): string {
  return Buffer.from(callId).toString("base64url");
}

/** Throws `cursor-invalid` for whatever `encodeCursor` does not make. */
export function decodeCursor(cursor: string): string {
  const callId = Buffer.from(cursor, "base64url").toString("latin1");
  if (!isId(callId) || encodeCursor(callId) !== cursor) throw new Problem("cursor-invalid");
  return callId;
}
