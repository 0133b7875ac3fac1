import { limits } from "@chaya/contract";

/** What applications and triggers may be called: letters and numbers of any script, `_` and `-`. */
export function isPlainName(name: string): boolean {
  return /^[\p{L}\p{N}_-]+$/u.test(name);
}

/** What functions may be called: every character that a segment of a URL path holds without an escape. */
export function isFunctionName(name: string): boolean {
  return /^[\w.~$&+:=@-]+$/.test(name);
}

/** Fn counts bytes of UTF-8, although its message says characters. */
export function isNameTooLong(name: string): boolean {
  return Buffer.byteLength(name) > limits.nameBytesMax;
}
