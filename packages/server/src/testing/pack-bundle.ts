import { createHash } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { type Header, pack } from "tar-stream";

export interface PackedBundle {
  readonly bytes: Buffer;
  /** Hexadecimal SHA-256. */
  readonly digest: string;
  /** The image text under which a function names it. */
  readonly image: string;
}

/** A file by its text, or any tar entry by its headers. */
export type BundleEntry = string | (Partial<Header> & { readonly content?: string | Uint8Array });

/** Packs a code bundle as `chaya deploy` does, or a wicked one. A list allows one name several times. */
export async function packBundle(
  entries: Readonly<Record<string, BundleEntry>> | readonly (readonly [string, BundleEntry])[],
): Promise<PackedBundle> {
  const archive = pack();
  for (const [name, entry] of Array.isArray(entries) ? entries : Object.entries(entries)) {
    const { content = "", ...headers } = typeof entry === "string" ? { content: entry } : entry;
    archive.entry({ name, ...headers }, Buffer.from(content));
  }
  archive.finalize();
  const bytes = await promisify(gzip)(await buffer(archive));
  const digest = createHash("sha256").update(bytes).digest("hex");
  return { bytes, digest, image: `bundle/demo/hello:sha256-${digest}` };
}
