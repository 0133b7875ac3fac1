import { patternBytesMin } from "./byte-patterns.ts";

/** A line of a longer value, which logs show by itself; shorter ones are words like `}` or `-----`. */
const lineBytesMin = 8;

/** The forms in which programs print a value: as it is, line by line, and encoded for base64, hexadecimal, URLs and JSON. */
export function secretForms(value: string): readonly Buffer[] {
  const forms = new Set<string>();
  // A value out of a file often ends in a line break that programs take off.
  for (const text of new Set([value, value.trim()])) {
    if (Buffer.byteLength(text) >= patternBytesMin) for (const form of encodings(text)) forms.add(form);
  }
  for (const line of value.split(/[\r\n]+/)) {
    for (const text of [line, line.trim()]) if (Buffer.byteLength(text) >= lineBytesMin) forms.add(text);
  }
  return [...forms].map((form) => Buffer.from(form));
}

function encodings(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  const url = encodeURIComponent(text);
  return [
    text,
    bytes.toString("base64").replace(/=+$/, ""),
    bytes.toString("base64url"),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    url,
    url.replace(/%../g, (encoded) => encoded.toLowerCase()),
    new URLSearchParams([["", text]]).toString().slice(1),
    JSON.stringify(text).slice(1, -1),
    ...(bytes.length < withinBytesMin ? [] : [0, 1, 2].flatMap((before) => base64Within(bytes, before))),
  ];
}

/** Base64 of less is too short to be told from chance. */
const withinBytesMin = 6;

/** Base64 of a text that holds the value after `before` bytes modulo 3, as `Authorization: Basic` does: the characters
 *  that depend on the value alone. */
function base64Within(bytes: Buffer, before: number): readonly string[] {
  const padded = Buffer.concat([Buffer.alloc(before), bytes]);
  const text = padded.toString("base64").slice(Math.ceil((before * 8) / 6), Math.floor((padded.length * 8) / 6));
  return [text, text.replaceAll("+", "-").replaceAll("/", "_")];
}
