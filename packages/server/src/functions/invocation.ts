import { ociFunctionsRoutes } from "@chaya/contract/oci/functions";
import type { PayloadDriver } from "../drivers/payload/driver.ts";
import type { RuntimeDriver } from "../drivers/runtime/driver.ts";
import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Audit } from "../http/audit.ts";
import type { Authorize } from "../http/authorize.ts";
import type { ControlRoute } from "../http/control-route.ts";
import type { ServedRoute, ServeExchange } from "../http/exchange.ts";
import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import { Lifetime } from "../kernel/lifetime.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Random } from "../kernel/random.ts";
import { TurnEnd } from "../kernel/turn-end.ts";
import type {
  Admit,
  CaptureInput,
  InvokeDetached,
  IssueCredential,
  ObserveCall,
  ObserveLine,
  Places,
  ReadGauges,
  ReadSecrets,
  RedactSecrets,
} from "../seams.ts";
import type { WorkQueue } from "../work/work.ts";
import { CallChains } from "./call/call-chain.ts";
import type { BodyLimits } from "./call/call-facts.ts";
import { CallReport } from "./call/call-report.ts";
import { Calls } from "./calls.ts";
import type { CorsSettings } from "./cors.ts";
import { startDeadlineSweep } from "./deadlines.ts";
import { DetachedCalls } from "./detached.ts";
import { admitDetached, callWork, createCallWork } from "./detached-work.ts";
import { type DoorService, FunctionDoor } from "./door/function-door.ts";
import { instanceRoute } from "./door/instance-route.ts";
import { Inspections } from "./inspection/inspections.ts";
import { createInvokeDoor } from "./invoke.ts";
import type { Directory } from "./model.ts";
import { createOciInvokeDoor } from "./oci/invoke-function.ts";
import { CredentialKeeper } from "./pool/credential-keeper.ts";
import type { NodeLimits } from "./pool/node-capacity.ts";
import { Pools } from "./pool/pools.ts";
import { SettledPayloads } from "./settled-payloads.ts";
import { createTriggerDoor } from "./trigger.ts";

export interface InvocationDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: NewId;
  readonly logger: Logger;
  readonly directory: Directory;
  readonly places: Pick<Places, "function" | "root">;
  readonly authorize: Authorize;
  readonly audit: Audit;
  readonly runtime: RuntimeDriver;
  readonly store: Store<MainTables>;
  readonly payloads: PayloadDriver;
  /** Not started yet: the kind of work that detached calls are is registered here. */
  readonly work: WorkQueue;
  readonly readSecrets: ReadSecrets;
  readonly issueCredential: IssueCredential;
  readonly redact: RedactSecrets;
  /** Whether callers may read what a failed start printed. */
  readonly tellsStartOutput: () => boolean;
  readonly observeCall: ObserveCall;
  readonly observeLine: ObserveLine;
  readonly captureInput: CaptureInput;
  readonly limits: NodeLimits & BodyLimits;
  /** How many nodes share the functions' maxima, this one included. */
  readonly liveNodes: () => number;
  /** Signs the call context; the same on every node and after a restart. 32 bytes. */
  readonly chainKey: Uint8Array;
  readonly cors: CorsSettings;
  /** The name of this region, as in OCIDs. */
  readonly region: string;
}

/** The core: requests become calls, calls run on instances. Disposing ends what is left, calls included. */
export interface Invocation extends AsyncDisposable {
  /**
   * Opens the function door with these routes beside its own, then starts the instances that are kept up. Once, before
   * the first call.
   */
  start(door: DoorService): void;
  readonly invoke: ServeExchange;
  readonly trigger: ServeExchange;
  /** Of calls with an inspector. */
  readonly routes: readonly ControlRoute[];
  /** Of the same, and OCI's invoke. */
  readonly streams: readonly ServedRoute[];
  readonly invokeDetached: InvokeDetached;
  readonly admit: Admit;
  readonly readGauges: ReadGauges;
  /** Takes no more calls. Resolves when the last has ended, or after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void>;
}

export function createInvocation(deps: InvocationDeps): Invocation {
  const { clock } = deps;
  const lifetime = new Lifetime();
  const onCapacity = (functionId: string) => deps.work.capacityChanged(callWork, functionId);
  const turnEnd = new TurnEnd();
  const chains = new CallChains(deps.chainKey);
  const door = lifetime.own(new FunctionDoor(deps, [instanceRoute(deps.region)]));
  const credentials = lifetime.own(new CredentialKeeper(deps));
  const pools = new Pools({ ...deps, onCapacity, turnEnd, door, credentials });
  lifetime.onClose(() => pools.close());
  const report = new CallReport(deps);
  const calls = new Calls({ ...deps, pools, report, chains, turnEnd });
  const settled = lifetime.own(new SettledPayloads(deps));
  const detached = lifetime.own(new DetachedCalls({ ...deps, calls, report }));
  const callWorkDeps = { ...deps, calls, pools, report, settled };
  deps.work.register(createCallWork(callWorkDeps));
  const sweep = startDeadlineSweep(clock, pools);
  lifetime.onClose(() => sweep.cancel());
  const doors = { ...deps, calls, chains, turnEnd };
  const inspections = lifetime.own(new Inspections({ ...doors, pools }));
  return {
    start: (service) => {
      door.serve(service);
      pools.start();
    },
    invoke: createInvokeDoor({ ...doors, detached }),
    trigger: createTriggerDoor(doors),
    routes: inspections.routes,
    streams: [
      ...inspections.streams,
      { route: ociFunctionsRoutes.invokeFunction, serve: createOciInvokeDoor({ ...doors, detached }) },
    ],
    invokeDetached: (request) => detached.accept(request),
    admit: (functionId) => admitDetached(callWorkDeps, functionId),
    readGauges: () => pools.gauges(),
    drain: async (deadlineMs) => {
      // Nobody waits for a person to step through a call.
      await Promise.all([calls.drain(deadlineMs), inspections[Symbol.asyncDispose]()]);
    },
    [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
  };
}
