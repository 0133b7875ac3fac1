import type { ControlRoute } from "../http/control-route.ts";
import type { Logger } from "../kernel/logger.ts";
import type { ReadSecrets, RedactSecrets, ResolveFunctions, SealedBytes } from "../seams.ts";
import { type Change, resetKind } from "../work/changes.ts";
import { type SecretHandlerDeps, secretRoutes } from "./handlers.ts";
import { OrphanSweep } from "./orphan-sweep.ts";
import { hasSealed } from "./records/secrets.ts";
import { Redactions } from "./redactions.ts";
import { createSealedBytes } from "./sealed-bytes.ts";
import { SecretKey, type SecretKeyDeps } from "./secret-key.ts";
import { SecretValues } from "./secret-values.ts";

export interface SecretsDeps extends Omit<SecretHandlerDeps, "key">, SecretKeyDeps {
  readonly logger: Logger;
}

export interface Secrets extends AsyncDisposable {
  readonly routes: readonly ControlRoute[];
  /** Throws `secrets-key-unfit`, `secrets-key-differs`, `secret-unreadable`. */
  readonly readSecrets: ReadSecrets;
  /** Hides the values that `readSecrets` has read of the application since this process was started. Never throws. */
  readonly redact: RedactSecrets;
  readonly sealed: SealedBytes;
}

/** Longer than the longest call. */
const roundMs = 2 * 3_600_000;

/**
 * The secrets of applications and functions. The changes feed must have been started, and `resolve` must follow it
 * before this does. Throws `secrets-key-unfit` or
 * `secrets-key-differs` when this node could not open what is stored.
 */
export async function createSecrets(deps: SecretsDeps): Promise<Secrets> {
  const { store, resolve, clock } = deps;
  const key = new SecretKey(deps);
  if (await hasSealed(store.db)) await key.forOpening();
  const redactions = new Redactions();
  const values = new SecretValues({ ...deps, key, redactions });
  const orphans = new OrphanSweep(deps);
  orphans.ask();
  const rounds = clock.every(roundMs, () => {
    orphans.ask();
    redactions.forgetGone((applicationId) => resolve.application(applicationId) !== undefined);
  });
  const following = deps.changes.onChange(async (change) => {
    if (change.kind === "secret") await values.follow(change.id);
    else if (isDeletion(resolve, change)) orphans.ask();
  });
  return {
    routes: secretRoutes({ ...deps, key }),
    readSecrets: (applicationId, functionId) => values.read(applicationId, functionId),
    redact: (applicationId, bytes) => redactions.redact(applicationId, bytes),
    sealed: createSealedBytes({ ...deps, key }),
    [Symbol.asyncDispose]: async () => {
      following[Symbol.dispose]();
      rounds.cancel();
      await orphans[Symbol.asyncDispose]();
    },
  };
}

/** Whether something may have gone that had secrets. */
function isDeletion(resolve: ResolveFunctions, { kind, id }: Change): boolean {
  if (kind === "application") return resolve.application(id) === undefined;
  if (kind === "function") return resolve.function(id, undefined) === undefined;
  return kind === resetKind;
}
