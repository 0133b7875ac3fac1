import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { bundleImage, isProblem, limits, Problem } from "@chaya/contract";
import { BundleQuery, type BundleView, chayaRoutes } from "@chaya/contract/chaya";
import type { Payload, PayloadDriver } from "../drivers/payload/driver.ts";
import { sendAnswer } from "../http/answer.ts";
import type { Audit } from "../http/audit.ts";
import type { Authorize } from "../http/authorize.ts";
import { authorizedStream } from "../http/authorized-stream.ts";
import type { Exchange, ServedRoute, ServeExchange } from "../http/exchange.ts";
import { checkBodyDigest } from "../http/signed-body.ts";
import { type ArchiveLimits, ArchiveRefused, type ArchiveThreads, inspectArchive } from "../kernel/archive/index.ts";
import { Semaphore } from "../kernel/semaphore.ts";
import type { Places } from "../seams.ts";
import { isFunctionName, isNameTooLong, isPlainName } from "./names.ts";
import { type Bundle, insertBundle, readBundle, renewBundle } from "./records/bundles.ts";
import type { RecordDeps } from "./records/commit.ts";

export interface BundleDeps extends RecordDeps {
  readonly payloads: PayloadDriver;
}

export interface UploadDeps extends BundleDeps {
  readonly places: Places;
  readonly authorize: Authorize;
  readonly audit: Audit;
  readonly threads: ArchiveThreads;
}

/** Uploads that are checked at the same time: each takes a thread. */
const checksMax = 2;
/** An upload races with the collector or with its twin at most this often before it gives up. */
const attemptsMax = 5;

const bundleLimits: ArchiveLimits = {
  entriesMax: limits.bundleEntriesMax,
  bytesMax: limits.bundleUnpackedBytesMax,
  pathBytesMax: limits.bundlePathBytesMax,
  ratioMax: limits.bundleRatioMax,
};

/** Stores a code bundle: POST /chaya/v1/bundles?app=&fn= with a gzipped tar as body. */
export function createBundles(deps: UploadDeps): ServedRoute {
  const checks = new Semaphore(checksMax);
  const locate = ({ query }: Exchange) => deps.places.application(parseNames(query).application);
  const store: ServeExchange = async (exchange) => {
    const { request, response, query } = exchange;
    const names = parseNames(query);
    const gone = new AbortController();
    response.once("close", () => gone.abort(new Problem("client-gone")));
    const payload = await receive(deps, request, gone.signal);
    let kept: KeptBundle | undefined;
    try {
      checkBodyDigest(exchange, payload.sha256);
      await checks.run(() => check(deps, payload, gone.signal), gone.signal);
      kept = await keep(deps, payload);
    } finally {
      if (kept?.bundle.payloadId !== payload.id) await deps.payloads.remove(payload.id);
    }
    const { digest, bytes } = kept.bundle;
    const view: BundleView = { image: bundleImage({ ...names, digest }), digest, bytes, isNew: kept.isNew };
    const headers = ["Content-Type", "application/json; charset=utf-8"];
    sendAnswer(response, { status: 200, headers, body: Buffer.from(JSON.stringify(view)) });
  };
  return authorizedStream(deps, { route: chayaRoutes.createBundle, locate }, store);
}

export interface OpenBundle {
  readonly bytes: number;
  /** A gzipped tar. Fails with `payload-damaged` before it gives out a byte that is not the uploaded one. */
  readonly content: Readable;
}

/** Opens a stored bundle by its digest; undefined when there is none. */
export async function openBundle(deps: BundleDeps, digest: string): Promise<OpenBundle | undefined> {
  const bundle = await readBundle(deps, digest);
  return bundle && { bytes: bundle.bytes, content: await deps.payloads.read(bundle.payloadId) };
}

/** The names are for people, but they must make an image that is read back as it was meant. */
function parseNames(query: string): { readonly application: string; readonly function: string } {
  const parsed = BundleQuery().safeParse(Object.fromEntries(new URLSearchParams(query)));
  if (!parsed.success) throw new Problem("request-invalid", { where: "query", reason: reasonOf(parsed.error) });
  const { app, fn } = parsed.data;
  if (!isPlainName(app) || isNameTooLong(app))
    throw new Problem("request-invalid", { where: "query app", reason: "it is not a name an application can have" });
  if (!isFunctionName(fn) || isNameTooLong(fn))
    throw new Problem("request-invalid", { where: "query fn", reason: "it is not a name a function can have" });
  return { application: app, function: fn };
}

function reasonOf({
  issues,
}: {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}) {
  return issues.map(({ path, message }) => [...path.map(String), message].join(": ")).join("; ");
}

async function receive(deps: BundleDeps, request: IncomingMessage, signal: AbortSignal): Promise<Payload> {
  const bytesMax = limits.bundleBytesMax;
  const tooLarge = (cause?: unknown) =>
    new Problem("bundle-too-large", { what: "the upload", max: bytesMax }, { cause });
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) throw tooLarge();
  try {
    return await deps.payloads.write(request, { bytesMax, signal });
  } catch (error) {
    if (isProblem(error, "body-too-large")) throw tooLarge(error);
    if (request.errored) throw new Problem("client-gone", {}, { cause: error });
    throw error;
  }
}

/** Reads the archive as a runtime will; what it has against it is the uploader's to know. */
async function check(deps: UploadDeps, payload: Payload, signal: AbortSignal): Promise<void> {
  const source = await deps.payloads.read(payload.id);
  try {
    const { threads } = deps;
    await inspectArchive({ source, threads, limits: bundleLimits, sha256: payload.sha256 }, signal);
  } catch (error) {
    if (!(error instanceof ArchiveRefused)) throw error;
    const { refusal } = error;
    switch (refusal.kind) {
      case "too-large":
        throw new Problem("bundle-too-large", { what: refusal.what, max: refusal.max }, { cause: error });
      case "invalid":
        throw new Problem("bundle-invalid", { reason: refusal.reason }, { cause: error });
      case "damaged":
        throw new Problem("payload-damaged", { payload: payload.id }, { cause: error });
      default:
        throw refusal satisfies never;
    }
  }
}

interface KeptBundle {
  readonly bundle: Bundle;
  readonly isNew: boolean;
}

/** Stores the bundle under its digest. What was stored before stays, unless it is damaged: then this one takes its place. */
async function keep(deps: BundleDeps, payload: Payload): Promise<KeptBundle> {
  const offered = { digest: payload.sha256, payloadId: payload.id, bytes: payload.bytes };
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const known = await readBundle(deps, offered.digest);
    if (known === undefined) {
      if (await insertBundle(deps, offered)) return { bundle: offered, isNew: true };
      continue;
    }
    const isWhole = await isPayloadWhole(deps, known.payloadId);
    if (!(await renewBundle(deps, known, isWhole ? known.payloadId : offered.payloadId))) continue;
    if (isWhole) return { bundle: known, isNew: false };
    await deps.payloads.remove(known.payloadId);
    return { bundle: offered, isNew: true };
  }
  throw new Problem("record-changed");
}

async function isPayloadWhole(deps: BundleDeps, payloadId: string): Promise<boolean> {
  try {
    const content = await deps.payloads.read(payloadId);
    for await (const block of content) void block;
    return true;
  } catch (error) {
    if (isProblem(error, "payload-damaged") || isProblem(error, "payload-not-found")) return false;
    throw error;
  }
}
