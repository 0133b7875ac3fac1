import { fnRoutes } from "@chaya/contract/fn";
import { noAudit } from "../http/audit.ts";
import type { Authentication } from "../http/authenticate.ts";
import { createControlServer } from "../http/control/control-server.ts";
import { control } from "../http/control-route.ts";
import { Lifetime } from "../kernel/lifetime.ts";
import { silentLogger } from "../kernel/logger.ts";
import { seededRandom } from "../kernel/random.ts";
import { startFunctionRecordsServer } from "../testing/function-records-server.ts";
import { greet, InvocationRig } from "../testing/invocation-rig.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { MemoryAccessDirectory } from "../testing/memory-access-directory.ts";
import { packBundle } from "../testing/pack-bundle.ts";
import { type SignatureTarget, signatureAttacks } from "../testing/signature-attacks.ts";
import { testStore } from "../testing/stores.ts";
import { startTestFront } from "../testing/test-front.ts";
import { createAuthenticate } from "./authenticate.ts";

for (const isRequired of [false, true]) {
  const mode = isRequired ? "--auth required" : "--auth none";
  signatureAttacks(`a signed control request with ${mode}`, () => controlTarget(isRequired));
  signatureAttacks(`a signed call with ${mode}`, () => invokeTarget(isRequired));
  signatureAttacks(`a signed detached call with ${mode}`, () => detachedTarget(isRequired));
  signatureAttacks(`a signed bundle upload with ${mode}`, () => bundleTarget(isRequired));
}

async function controlTarget(isRequired: boolean): Promise<SignatureTarget> {
  const world = createWorld(isRequired);
  const { clock, authentication, lifetime } = world;
  let effects = 0;
  const create = control(
    fnRoutes.createApp,
    () => "anywhere",
    async () => {
      effects++;
      return { result: { id: "I", name: "n", created_at: "t", updated_at: "t" } };
    },
  );
  const deps = { clock, logger: silentLogger(), reached: async () => {}, authorize: () => true, audit: noAudit };
  const server = lifetime.own(await createControlServer(deps, [create]));
  const { port } = lifetime.own(await startTestFront(server.served, { clock, authentication }));
  const request = { method: "POST", target: "/v2/apps", body: '{"name":"n"}' };
  return { ...world, port, request, effects: () => effects };
}

async function invokeTarget(isRequired: boolean): Promise<SignatureTarget> {
  const world = createWorld(isRequired);
  let effects = 0;
  const { port, functionId } = await serveInvoke(world, () => {
    effects++;
  });
  const request = { method: "POST", target: `/invoke/${functionId}`, body: "x".repeat(10_000) };
  return { ...world, port, request, effects: () => effects };
}

async function detachedTarget(isRequired: boolean): Promise<SignatureTarget> {
  const world = createWorld(isRequired);
  const { rig, port, functionId } = await serveInvoke(world, () => {});
  const headers = [["Fn-Invoke-Type", "detached"]] as const;
  const body = "x".repeat(10_000);
  const effects = () => payloadCount(rig);
  return { ...world, port, request: { method: "POST", target: `/invoke/${functionId}`, headers, body }, effects };
}

async function bundleTarget(isRequired: boolean): Promise<SignatureTarget> {
  const world = createWorld(isRequired);
  const { authentication, lifetime } = world;
  const access = { authorize: () => true, authentication };
  const server = lifetime.own(await startFunctionRecordsServer(await testStore("embedded").open(), undefined, access));
  const { bytes } = await packBundle({ "func.js": "42" });
  let effects = 0;
  return {
    ...world,
    port: server.port,
    request: { method: "POST", target: "/chaya/v1/bundles?app=shop&fn=buy", body: bytes },
    // The same bundle is stored once, so what is there is counted and taken away.
    effects: async () => {
      const stored = await server.payloads.list(all);
      await server.opened.store.transaction((tx) => tx.deleteFrom("bundles").execute());
      for (const { id } of stored) await server.payloads.remove(id);
      effects += stored.length;
      return effects;
    },
  };
}

interface World extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly directory: MemoryAccessDirectory;
  readonly authentication: Authentication;
  readonly lifetime: Lifetime;
}

function createWorld(isRequired: boolean): World {
  const clock = new ManualClock();
  const directory = new MemoryAccessDirectory();
  const lifetime = new Lifetime();
  const deps = { clock, logger: silentLogger(), random: seededRandom(1), directory };
  const authenticate = createAuthenticate({ ...deps, verifyResourceToken: () => undefined });
  return {
    ...{ clock, directory, lifetime, authentication: { authenticate, isRequired } },
    [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
  };
}

async function serveInvoke({ clock, authentication, lifetime }: World, onCall: () => void) {
  const rig = lifetime.own(
    await InvocationRig.open({
      clock,
      deps: { authorize: () => true },
      answer: (call) => {
        onCall();
        return greet(call);
      },
    }),
  );
  const served = [{ route: fnRoutes.invokeFn, serve: rig.invocation.invoke }];
  const { port } = lifetime.own(await startTestFront(served, { clock, authentication }));
  return { rig, port, functionId: rig.addFunction("hello").id };
}

const all = { writtenBeforeMs: Number.MAX_SAFE_INTEGER, countMax: 100 };

async function payloadCount({ payloads }: InvocationRig): Promise<number> {
  return (await payloads.list(all)).length;
}
