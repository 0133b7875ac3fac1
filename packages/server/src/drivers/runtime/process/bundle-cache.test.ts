import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { removeTree } from "../../../kernel/archive/index.ts";
import { systemClock } from "../../../kernel/clock.ts";
import { silentLogger } from "../../../kernel/logger.ts";
import { packBundle } from "../../../testing/pack-bundle.ts";
import { BundleCache } from "./bundle-cache.ts";

const never = new AbortController().signal;
let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "bundles-"));
});
afterEach(() => removeTree(base));

it("removes what was forgotten while it was being unpacked, unless somebody uses it", async () => {
  const { bytes, digest } = await packBundle([["func.js", "code"]]);
  for (const isUsed of [false, true]) {
    const source = new PassThrough();
    const opened = Promise.withResolvers<void>();
    const openBundle = async () => {
      opened.resolve();
      return source;
    };
    const deps = { openBundle, clock: systemClock(), logger: silentLogger() };
    await using bundles = await BundleCache.open(base, deps);
    const use = isUsed ? bundles.use(digest) : undefined;
    const preparing = bundles.prepare(digest, never);
    await opened.promise;
    bundles.forget(digest);
    source.end(bytes);
    expect(await preparing).toEqual({ kind: "ready" });
    expect(existsSync(bundles.directoryOf(digest))).toBe(isUsed);
    use?.[Symbol.dispose]();
    expect(existsSync(bundles.directoryOf(digest))).toBe(false);
  }
});
