import { createHash } from "node:crypto";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { type Extract, extract, type Header } from "tar-stream";
import { assert } from "../assert.ts";
import { ArchiveRefused, refuse, refuseTooLarge } from "./archive-refused.ts";
import { type ArchiveHeader, type ArchiveLimits, type ArchiveNode, ArchiveTree } from "./archive-tree.ts";

export interface ArchiveReading {
  readonly source: Readable;
  readonly limits: ArchiveLimits;
  /** Hexadecimal; the packed bytes must have it. */
  readonly sha256: string | undefined;
  /** Called for each file and folder in order; the content must be consumed. Links come after the reading, in the tree. */
  readonly onNode: (node: ArchiveNode, content: AsyncIterable<Uint8Array>) => Promise<void>;
}

const ratioFromBytes = 16 * 1024 * 1024;
const endMarkBytes = 1024;

/**
 * Reads a gzipped tar from end to end and checks everything about it; memory stays bounded whatever it holds.
 * Throws ArchiveRefused, or the error of the source.
 */
export async function readArchive(reading: ArchiveReading): Promise<{ tree: ArchiveTree; bytes: number }> {
  const tree = new ArchiveTree(reading.limits);
  const packed = measurePacked();
  const gunzip = createGunzip();
  const unpacked = measureUnpacked(reading.limits, packed.state);
  const entries = extract();
  const source = ownErrorsOf(reading.source);
  const [flow, walk] = await Promise.allSettled([
    pipeline(source.bytes, packed.stream, gunzip, unpacked.stream, entries),
    walkEntries(entries, tree, reading.onNode),
  ]);
  const refusal = [flow, walk].map(reasonOf).find((reason) => reason instanceof ArchiveRefused);
  if (refusal !== undefined) throw refusal;
  // A walk that stopped early breaks the flow, so its reason comes first.
  for (const part of [walk, flow]) if (part.status === "rejected") throw asRefusal(part.reason, source.error());
  if (!endsWithMark(unpacked.state.tail)) throw refuse("it is truncated: the mark at its end is missing");
  if (gunzip.bytesWritten !== packed.state.bytes) throw refuse("there are bytes after its end");
  const sha256 = packed.state.hash.digest("hex");
  if (reading.sha256 !== undefined && sha256 !== reading.sha256)
    throw new ArchiveRefused({ kind: "damaged", reason: `its SHA-256 is ${sha256}, not ${reading.sha256}` });
  tree.checkLinks();
  return { tree, bytes: unpacked.state.bytes };
}

async function walkEntries(entries: Extract, tree: ArchiveTree, onNode: ArchiveReading["onNode"]): Promise<void> {
  for await (const entry of entries) {
    const node = tree.add(parseHeader(entry.header));
    if (node?.kind === "file" || node?.kind === "folder") await onNode(node, bytesOf(entry));
    entry.resume();
  }
}

async function* bytesOf(entry: AsyncIterable<unknown>): AsyncIterable<Uint8Array> {
  for await (const chunk of entry) {
    assert(chunk instanceof Uint8Array, "tar-stream yields bytes unless an encoding is set");
    yield chunk;
  }
}

function parseHeader(header: Header): ArchiveHeader {
  // GNU's sparse files look like plain ones whose content is a map of holes.
  if (Object.keys(header.pax ?? {}).some((key) => key.startsWith("GNU.sparse.")))
    throw refuse(`'${header.name}' is a sparse file`);
  // Whatever the declaration says: type is null for flags the reader does not know, linkname where there is none.
  return {
    name: header.name,
    type: header.type ?? undefined,
    bytes: header.size,
    mode: header.mode,
    linkTarget: header.linkname ?? undefined,
  };
}

function measurePacked() {
  const state = { bytes: 0, hash: createHash("sha256") };
  const stream = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      state.bytes += chunk.byteLength;
      state.hash.update(chunk);
      done(null, chunk);
    },
  });
  return { state, stream };
}

/** Counts while streaming, so that a bomb is refused when it passes the limit, not when it has gone off. */
function measureUnpacked(limits: ArchiveLimits, packed: { readonly bytes: number }) {
  const state = { bytes: 0, tail: Buffer.alloc(0) };
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      state.bytes += chunk.byteLength;
      state.tail = Buffer.concat([state.tail, chunk.subarray(-endMarkBytes)]).subarray(-endMarkBytes);
      if (state.bytes > limits.bytesMax) return done(refuseTooLarge("the unpacked bytes", limits.bytesMax));
      if (state.bytes > ratioFromBytes && state.bytes > packed.bytes * limits.ratioMax)
        return done(refuseTooLarge("the ratio of unpacked to packed bytes", limits.ratioMax));
      done(null, chunk);
    },
  });
  return { state, stream };
}

function endsWithMark(tail: Uint8Array): boolean {
  return tail.byteLength === endMarkBytes && tail.every((byte) => byte === 0);
}

function reasonOf(part: PromiseSettledResult<void>): unknown {
  return part.status === "rejected" ? part.reason : undefined;
}

/** Errors of gunzip and of the tar reader are the archive's; those of the source and of writing are not. */
function asRefusal(reason: unknown, sourceError: unknown): unknown {
  if (!(reason instanceof Error) || reason === sourceError) return reason;
  const code = "code" in reason ? String(reason.code) : undefined;
  if (code === undefined || code.startsWith("Z_")) return refuse(`it is corrupt or truncated (${reason.message})`);
  return reason;
}

/** Tells what the source itself failed with. The stream would not: it is destroyed with the errors of those who read it. */
function ownErrorsOf(source: Readable) {
  let error: unknown;
  async function* bytes(): AsyncIterable<Uint8Array> {
    try {
      yield* source;
    } catch (own) {
      error = own;
      throw own;
    }
  }
  return { bytes, error: () => error };
}
