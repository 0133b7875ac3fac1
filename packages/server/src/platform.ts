import { availableParallelism } from "node:os";
import { join } from "node:path";
import { limits, Problem, publicRoutes } from "@chaya/contract";
import type { NodeView } from "@chaya/contract/chaya";
import { fnRoutes } from "@chaya/contract/fn";
import { ocidOf } from "@chaya/contract/oci";
import { openApiDocument } from "@chaya/contract/openapi";
import { type Access, type Credentials, createAccess } from "./access/index.ts";
import { checkIsolation, isLoopbackUrl, type ServerConfig } from "./config.ts";
import { type DataDirectory, openDataDirectory } from "./data-directory.ts";
import { payloadDrivers, runtimeDrivers, type Stores, storeDrivers } from "./drivers/drivers.ts";
import { createPayloadCollector } from "./drivers/payload/collect.ts";
import type { PayloadDriver } from "./drivers/payload/driver.ts";
import type { RuntimeDriver } from "./drivers/runtime/driver.ts";
import type { Store } from "./drivers/store/driver.ts";
import type { MainTables, TelemetryTables } from "./drivers/store/tables.ts";
import { readChainKey, readOrMakeFact } from "./facts.ts";
import { recordForgottenEnds } from "./forgotten-ends.ts";
import {
  corsHeadersDefault,
  createFunctionRecords,
  createInvocation,
  type FunctionRecords,
  factsOf,
  type Invocation,
  type InvocationDeps,
} from "./functions/index.ts";
import { createControlServer } from "./http/control/control-server.ts";
import type { ServedRoute, ServeExchange } from "./http/exchange.ts";
import { createFront, type Front } from "./http/front/front.ts";
import { createMainRules } from "./http/front/main-rules.ts";
import { publicDoors } from "./http/front/public-doors.ts";
import { assert } from "./kernel/assert.ts";
import { type Clock, systemClock } from "./kernel/clock.ts";
import { createIds, type NewId } from "./kernel/ids.ts";
import { Lifetime } from "./kernel/lifetime.ts";
import { createLogger, type Logger } from "./kernel/logger.ts";
import { type Random, systemRandom } from "./kernel/random.ts";
import { endLostCalls } from "./lost-calls.ts";
import { namedInMain } from "./named-payloads.ts";
import { nodeRoute } from "./node-route.ts";
import { createSecrets, type Secrets } from "./secrets/index.ts";
import { startMetrics } from "./start-metrics.ts";
import { createTelemetry, type Telemetry } from "./telemetry/index.ts";
import { version } from "./version.ts";
import type { ChangesFeed } from "./work/changes.ts";
import { createChangesFeed } from "./work/changes-feed.ts";
import { type LiveNodes, watchLiveNodes } from "./work/live-nodes.ts";
import type { WorkQueue } from "./work/work.ts";
import { createWorkQueue } from "./work/work-queue.ts";
import { workMetrics } from "./work-metrics.ts";

/** A running platform. `stop` drains and closes; disposing closes at once. */
export interface Platform extends AsyncDisposable {
  /** `http://HOST:PORT` that is listened on. */
  readonly address: string;
  readonly publicUrl: string;
  readonly dataDirectory: string;
  /** Sentences that whoever started the server should read. */
  readonly notices: readonly string[];
  /** Where the administrator's token is, with `--auth required`. */
  readonly adminTokenFile: string | undefined;
  /** Takes no more, lets what is in flight finish for `limits.drainMs`, then closes. */
  stop(): Promise<void>;
}

/** What may be replaced: time and chance, a runtime of one's own; tests put faults before its parts, benchmarks leave parts out. */
export interface Overrides {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly runtime?: RuntimeDriver;
  readonly workLeaseMs?: number;
  readonly wrapStores?: (opened: Stores) => Stores;
  readonly wrapPayloads?: (opened: PayloadDriver) => PayloadDriver;
  readonly wrapRuntime?: (opened: RuntimeDriver) => RuntimeDriver;
  readonly wrapTelemetry?: (opened: Telemetry) => Telemetry;
}

interface World {
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: NewId;
  readonly logger: Logger;
  readonly lifetime: Lifetime;
}

interface Ground {
  readonly data: DataDirectory;
  readonly store: Store<MainTables>;
  readonly telemetryStore: Store<TelemetryTables>;
  readonly payloads: PayloadDriver;
  readonly changes: ChangesFeed;
  readonly work: WorkQueue;
  readonly nodeId: string;
  readonly liveNodes: LiveNodes;
  readonly compartmentId: string;
}

interface Services {
  readonly access: Access;
  readonly credentials: Credentials;
  readonly records: FunctionRecords;
  readonly secrets: Secrets;
  readonly telemetry: Telemetry;
  readonly invocation: Invocation;
  readonly runtime: RuntimeDriver;
}

const placesMax = 256;

/** The composition root: opens everything from the ground up, and closes it newest first. Throws ConfigError. */
export async function startPlatform(config: ServerConfig, overrides: Overrides = {}): Promise<Platform> {
  const clock = overrides.clock ?? systemClock();
  const random = overrides.random ?? systemRandom();
  const newId = createIds(clock, random);
  const world = { config, clock, random, newId, logger: createLogger(config.logLevel), lifetime: new Lifetime() };
  let publicUrl = config.publicUrl ?? "";
  try {
    const ground = await openGround(world, overrides);
    const services = await openServices(world, ground, { ...overrides, publicUrl: () => publicUrl });
    checkIsolation(config, services.runtime.abilities.isolation);
    const tokenFile = config.auth === "required" ? await services.credentials.ensureAdminToken(ground.data) : undefined;
    const startedAtMs = clock.nowMs();
    const readNode = () => describeNode(world, services, { publicUrl, startedAtMs, tenancyId: ground.compartmentId });
    const front = await openFront(world, { ...ground, ...services }, { publicUrl: () => publicUrl, readNode });
    world.lifetime.own(recordForgottenEnds({ ...world, ...ground, ...services }));
    world.lifetime.own(endLostCalls({ ...world, ...ground, ...services }));
    await ground.work.start();
    const { host, port } = await front.listen(config.host, config.port);
    publicUrl ||= `http://localhost:${port}`;
    return {
      address: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
      publicUrl,
      dataDirectory: config.dataDirectory,
      notices: noticesOf(services.runtime),
      adminTokenFile: tokenFile,
      stop: () => stop(world, { front, ...ground, ...services }),
      [Symbol.asyncDispose]: () => world.lifetime[Symbol.asyncDispose](),
    };
  } catch (error) {
    await world.lifetime[Symbol.asyncDispose]();
    throw error;
  }
}

/** What everything stands on: the data directory, the stores, payloads, and what happens later. */
async function openGround(world: World, overrides: Overrides): Promise<Ground> {
  const { config, clock, random, newId, logger, lifetime } = world;
  const { wrapStores = same, wrapPayloads = same, workLeaseMs = limits.workLeaseMs } = overrides;
  const data = openDataDirectory(config.dataDirectory, newId);
  lifetime.onClose(() => data[Symbol.dispose]());
  const stores = wrapStores(await openStores(config, { clock, random }));
  const store = lifetime.own(stores.main);
  const telemetryStore = lifetime.own(stores.telemetry);
  const payloadOptions = { directory: join(data.path, "payloads"), server: data.serverId };
  const payloads = lifetime.own(
    wrapPayloads(await payloadDrivers.filesystem.open(payloadOptions, { clock, ids: newId, logger })),
  );
  const changes = lifetime.own(createChangesFeed({ store, clock, logger }));
  await changes.start();
  const work = lifetime.own(
    createWorkQueue({ store, clock, ids: newId, random, logger, placesMax, leaseMs: workLeaseMs }),
  );
  const nodeId = newId();
  const liveNodes = lifetime.own(await watchLiveNodes({ store, clock, logger, nodeId }));
  const compartmentId = await readOrMakeFact(store, "root-compartment", newId);
  return { data, store, telemetryStore, payloads, changes, work, nodeId, liveNodes, compartmentId };
}

function same<T>(opened: T): T {
  return opened;
}

function openStores(config: ServerConfig, deps: { readonly clock: Clock; readonly random: Random }): Promise<Stores> {
  const { store, dataDirectory } = config;
  if (store.kind === "postgres") return storeDrivers.postgres.open({ url: store.url }, deps);
  return storeDrivers.embedded.open({ directory: dataDirectory }, deps);
}

interface ServiceOptions extends Pick<Overrides, "runtime" | "wrapRuntime" | "wrapTelemetry"> {
  readonly publicUrl: () => string;
}

/** The services, in the order of what they need of each other; where they need each other, a seam is bound late. */
async function openServices(world: World, ground: Ground, options: ServiceOptions): Promise<Services> {
  const { clock, random, newId, logger, lifetime, config } = world;
  const { store, payloads, changes, work, compartmentId, data } = ground;
  const { wrapRuntime = same, wrapTelemetry = same } = options;
  const { publicUrl } = options;
  let records: FunctionRecords | undefined;
  const base = { ...ground, clock, random, newId, logger, publicUrl, region: config.region };
  const resourceFacts = (id: string) => records && factsOf(records.directory, id);
  const access = lifetime.own(await createAccess({ ...base, resourceFacts }));
  const { authorize, audit } = access;
  const shared = {
    ...{ store, payloads, changes, clock, random, newId, ids: newId, logger, compartmentId, authorize, audit },
    region: config.region,
  };
  let runtime: RuntimeDriver | undefined;
  let invocation: Invocation | undefined;
  records = lifetime.own(
    await createFunctionRecords({
      ...shared,
      ...{ publicUrl, deadLetters: work.deadLetters, hasCompartment: access.hasCompartment },
      forgetImages: async (images) => runtime?.forget(images),
    }),
  );
  const { resolve, places, directory } = records;
  const secrets = lifetime.own(
    await createSecrets({ ...shared, resolve, places, keyFile: join(data.path, "secrets.key") }),
  );
  const credentials = lifetime.own(await access.openCredentials({ resolve, sealed: secrets.sealed }));
  const readWork = workMetrics({ ...shared, work, liveNodes: ground.liveNodes });
  const opened = createTelemetry({
    ...shared,
    ...{ store: ground.telemetryStore, nodeId: ground.nodeId, resolve, places, redact: secrets.redact },
    readGauges: () => invocation?.readGauges() ?? [],
    readFamilies: async () => [...(await readWork()), ...startMetrics(runtime?.readStarts?.())],
  });
  const telemetry = lifetime.own(wrapTelemetry(opened));
  const isNamed = async (ids: readonly string[]) =>
    new Set([...(await namedInMain(store, ids)), ...(await telemetry.namedPayloads(ids))]);
  lifetime.own(createPayloadCollector({ payloads, clock, logger, isNamed }));
  runtime = lifetime.own(wrapRuntime(options.runtime ?? (await openRuntime(world, data, records))));
  const { observeCall, observeLine, captureInput } = telemetry;
  invocation = lifetime.own(
    createInvocation({
      ...shared,
      ...{ directory, places, runtime, work, observeCall, observeLine, captureInput },
      ...{ readSecrets: secrets.readSecrets, redact: secrets.redact, issueCredential: credentials.issueCredential },
      // Whoever calls a server of this machine is likely to write its functions; others learn nothing of their insides.
      tellsStartOutput: () => isLoopbackUrl(publicUrl()),
      limits: nodeLimits(config),
      liveNodes: () => ground.liveNodes.count(),
      chainKey: await readChainKey(store, () => random.bytes(32)),
      cors: { origins: config.corsOrigins, headers: corsHeadersDefault },
      region: config.region,
    }),
  );
  return { access, credentials, records, secrets, telemetry, invocation, runtime };
}

function openRuntime(world: World, data: DataDirectory, records: FunctionRecords): Promise<RuntimeDriver> {
  const { clock, logger, config } = world;
  const { runtime, sandbox, preStartedMax } = config;
  const options = { directory: data.path, nodePath: process.execPath, sandbox, preStartedMax };
  const openBundle = async (digest: string) => (await records.openBundle(digest))?.content;
  return runtimeDrivers[runtime].open(options, { clock, logger, openBundle });
}

interface FrontOptions {
  readonly publicUrl: () => string;
  readonly readNode: () => NodeView;
}

/** Every route of the server, behind one listener. */
async function openFront(world: World, parts: Ground & Services, options: FrontOptions): Promise<Front> {
  const { clock, logger, newId, config, lifetime } = world;
  const { access, records, secrets, telemetry, invocation, changes } = parts;
  const { authorize, audit } = access;
  const { authenticate } = parts.credentials;
  const services = [access, records, secrets, telemetry, invocation];
  const routes = [nodeRoute(records.places.root, options.readNode), ...services.flatMap((service) => service.routes)];
  const reached = (seq: number, signal: AbortSignal) => changes.reached(seq, signal);
  const control = lifetime.own(await createControlServer({ clock, logger, reached, authorize, audit }, routes));
  const served: readonly ServedRoute[] = [
    ...publicDoors({ version, openApi: describeApi, metrics: metricsFor(parts) }),
    ...control.served,
    ...records.streams,
    ...telemetry.streams,
    ...invocation.streams,
    { route: fnRoutes.invokeFn, serve: invocation.invoke },
    { route: fnRoutes.callTrigger, serve: invocation.trigger },
  ];
  invocation.start({ routes: served.filter(({ route }) => route.dialect === "oci"), authenticate });
  const hosts = { publicUrl: options.publicUrl, allowedHosts: config.allowedHosts };
  const { trustedProxies } = config;
  const authentication = { authenticate, isRequired: config.auth === "required" };
  const rules = createMainRules({ hosts, authentication });
  return lifetime.own(createFront({ clock, logger, newId, rules, trustedProxies, served }));
}

/** Where credentials are asked for, they must have the right: metrics name functions. */
function metricsFor({ access, records, telemetry }: Services): ServeExchange {
  const { auth } = publicRoutes.metrics;
  assert(auth !== undefined, "metrics declare a right");
  return (exchange) => {
    const isOpen = exchange.principal.kind === "anonymous";
    if (!isOpen && !access.authorize(exchange.principal, auth, records.places.root))
      throw new Problem("not-authorized");
    return telemetry.metrics(exchange);
  };
}

/** Two steps: what is in flight finishes while nothing new is taken, then everything closes. */
async function stop(world: World, parts: Ground & Services & { readonly front: Front }): Promise<void> {
  parts.telemetry.drain();
  await Promise.all([
    parts.front.drain(limits.drainMs),
    parts.work.drain(limits.drainMs),
    parts.invocation.drain(limits.drainMs),
  ]);
  await world.lifetime[Symbol.asyncDispose]();
}

function nodeLimits(config: ServerConfig): InvocationDeps["limits"] {
  return {
    memoryMiBMax: config.functionMemoryMiBMax,
    instancesMax: limits.instancesPerNodeMax,
    instancesPerApplicationMax: limits.instancesPerApplicationMax,
    // As many as there are cores are made, and as many get their function meanwhile: more make each of them slower.
    startsMax: Math.max(2, 2 * availableParallelism()),
    waitingCallsMax: limits.waitingCallsPerNodeMax,
    requestBodyBytesMax: limits.requestBodyBytesMax,
    responseBodyBytesMax: limits.responseBodyBytesMax,
  };
}

function describeApi() {
  return openApiDocument(version);
}

function describeNode(
  world: World,
  services: Services,
  now: { readonly publicUrl: string; readonly startedAtMs: number; readonly tenancyId: string },
): NodeView {
  const { config } = world;
  const gauges = services.invocation.readGauges();
  return {
    version,
    node: process.version,
    publicUrl: now.publicUrl,
    dataDirectory: config.dataDirectory,
    store: config.store.kind,
    runtime: services.runtime.name,
    isolation: services.runtime.abilities.isolation,
    isolationNotes: [...(services.runtime.isolationNotes ?? [])],
    authentication: config.auth,
    startedAt: new Date(now.startedAtMs).toISOString(),
    tenancy: ocidOf("tenancy", now.tenancyId, config.region),
    region: config.region,
    functionMemoryMiB: config.functionMemoryMiBMax,
    instances: gauges.reduce((sum, { idle, busy, starting }) => sum + idle + busy + starting, 0),
    warnings: [...noticesOf(services.runtime)],
  };
}

function noticesOf(runtime: RuntimeDriver): readonly string[] {
  if (runtime.abilities.isolation !== "none") return [];
  return ["functions run as plain processes of this user, without isolation: deploy code you trust."];
}
