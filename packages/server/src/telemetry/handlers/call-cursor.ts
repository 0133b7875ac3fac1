import { Problem } from "@chaya/contract";
import { isId } from "../../kernel/ids.ts";
import type { CallPosition } from "../records/calls.ts";

const pattern = /^(\d{1,16})\.([0-9A-Z]{26})$/;

/** Opaque to clients. */
export function encodeCursor(position: CallPosition): string {
  return Buffer.from(`${position.acceptedAtMs}.${position.id}`).toString("base64url");
}

/** Throws `cursor-invalid` for whatever `encodeCursor` does not make. */
export function decodeCursor(cursor: string): CallPosition {
  const [, time = "", id = ""] = pattern.exec(Buffer.from(cursor, "base64url").toString("latin1")) ?? [];
  const position = { acceptedAtMs: Number(time), id };
  if (!isId(id) || encodeCursor(position) !== cursor) throw new Problem("cursor-invalid");
  return position;
}
