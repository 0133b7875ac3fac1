import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { Server, Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "../../../kernel/assert.ts";
import type { Inspector, OutputLine } from "../driver.ts";
import { type Assignment, ReadyMessage } from "./assignment.ts";
import { CredentialDirectory } from "./credential-directory.ts";
import type { InstanceStdio } from "./descriptor-guard.ts";
import type { Flavour } from "./flavour.ts";
import { InspectorChannel } from "./inspector-channel.ts";
import { type InstanceDirectory, makeInstanceDirectory, recordProcess } from "./instance-directory.ts";
import { InstanceDoor } from "./instance-door.ts";
import { listenerOf } from "./launch-environment.ts";
import type { LaunchHost } from "./launch-plan.ts";
import type { OneATurn } from "./one-a-turn.ts";
import type { Waiter } from "./pre-started-pool.ts";
import { type GroupKeepers, ProcessGroup, type SpawnedProcess } from "./process-group.ts";
import type { Sandbox, SandboxEntry, SandboxPlace } from "./sandbox/sandbox.ts";

export interface PreStartDeps {
  readonly host: LaunchHost & {
    /** util-linux's setpriv that knows --pdeathsig; undefined where there is none. */
    readonly setprivPath: string | undefined;
  };
  readonly stdio: InstanceStdio;
  readonly keepers: GroupKeepers;
  readonly sandbox: Sandbox;
  /** Spawning holds the event loop for about a millisecond. */
  readonly spawnTurns: OneATurn;
  readonly instancesDirectory: string;
  /** Where socket directories go when the other path is too long. */
  readonly shortDirectory: string;
  /** Nothing of the process lives any more. */
  readonly onGone: (directory: InstanceDirectory) => void;
}

export interface PreStart {
  /** Becomes the name of its directory. */
  readonly id: string;
  readonly flavour: Flavour;
  /** bare: somebody waits for it already; inspectable: the same, and it keeps its channel. */
  readonly manner: "warm" | "bare" | "inspectable";
}

const insideDirectory = fileURLToPath(new URL("./inside", import.meta.url));
const saidLinesMax = 20;

/**
 * A process that waits for what it will become: spawned → ready → assigned, or gone at any time. Its directory and its
 * door are its own from the beginning and go with it.
 */
export class PreStartedProcess implements Waiter {
  readonly flavour: Flavour;
  readonly group: ProcessGroup;
  readonly directory: InstanceDirectory;
  /** The same places as seen from inside. */
  readonly entry: SandboxEntry;
  /** Where its code must be put before it is assigned; undefined: it can be led to code anywhere. */
  readonly codeDirectory: string | undefined;
  readonly credentials: CredentialDirectory;
  readonly door: InstanceDoor;
  readonly #channel: ChildProcess;
  readonly #assignments: Socket;

  private constructor(made: Made & { readonly flavour: Flavour; readonly door: InstanceDoor }) {
    this.flavour = made.flavour;
    this.group = made.group;
    this.directory = made.directory;
    this.entry = made.entry;
    this.codeDirectory = made.codeDirectory;
    this.credentials = made.credentials;
    this.door = made.door;
    this.#channel = made.channel;
    this.#assignments = made.assignments;
    void made.group.ended.then(() => made.door.close());
  }

  /** Resolves when it is ready. Rejects when it cannot be started, and with the signal's reason; nothing is left then. */
  static async start(deps: PreStartDeps, start: PreStart, signal: AbortSignal): Promise<PreStartedProcess> {
    const made = await make(deps, start, signal);
    let door: InstanceDoor | undefined;
    try {
      const { flavour } = start;
      door = await becomesReady(made, signal);
      await deps.sandbox.attach(made.group.group, made.place);
      return new PreStartedProcess({ ...made, flavour, door: door ?? (await InstanceDoor.open()) });
    } catch (error) {
      door?.close();
      await made.group.destroy();
      throw error;
    }
  }

  get isUsable(): boolean {
    return !this.group.isEnding && !this.#assignments.destroyed;
  }

  get ended(): Promise<unknown> {
    return this.group.ended;
  }

  destroy(): Promise<void> {
    return this.group.destroy();
  }

  destroyUnasked(): void {
    this.group.destroyUnasked();
  }

  /** Once only. What goes wrong from now on is seen by how the process ends. */
  assign(assignment: Assignment): void {
    this.#assignments.end(`${JSON.stringify(assignment)}\n`);
  }

  /** Of one that is assigned to `inspect`: before it is. */
  leadToInspector(onOpen: (inspector: Inspector) => void): void {
    InspectorChannel.lead(this.#channel, onOpen);
  }
}

interface Made {
  readonly channel: ChildProcess;
  readonly assignments: Socket;
  readonly group: ProcessGroup;
  readonly directory: InstanceDirectory;
  readonly place: SandboxPlace;
  readonly entry: SandboxEntry;
  readonly codeDirectory: string | undefined;
  readonly credentials: CredentialDirectory;
  /** What it printed so far, which is nothing unless something is wrong. */
  readonly said: string[];
}

async function make(deps: PreStartDeps, { id, flavour, manner }: PreStart, signal: AbortSignal): Promise<Made> {
  const directory = await makeInstanceDirectory({ ...deps, instanceId: id });
  let group: ProcessGroup | undefined;
  try {
    const isOpen = deps.sandbox.abilities.isolation === "none";
    const codeDirectory = isOpen ? undefined : join(directory.path, "code");
    if (codeDirectory !== undefined) await mkdir(codeDirectory, { mode: 0o755 });
    const credentialsDirectory = join(directory.path, "credentials");
    const place: SandboxPlace = {
      instance: directory,
      codeDirectory: codeDirectory ?? directory.path,
      credentialsDirectory,
      network: flavour.network,
      readable: [deps.host.nodePath, insideDirectory, ...flavour.readable],
    };
    const entry = deps.sandbox.enter(place);
    const credentials = await CredentialDirectory.make(credentialsDirectory, entry.uid);
    await deps.spawnTurns.next();
    signal.throwIfAborted();
    const { stdio, assignments: descriptor } = stdioOf(deps.stdio, entry);
    const command = commandOf(deps, { flavour, manner, descriptor }, entry);
    const environment = { FN_LISTENER: listenerOf(directory.socketDirectory) };
    const spawned = await spawnGroup(command, { environment, stdio });
    const assignments = spawned.process.stdio[descriptor];
    assert(assignments instanceof Socket, "the descriptor is a pipe");
    // One that nobody reads any more; the end of the process says the rest.
    assignments.on("error", () => {}).resume();
    const said: string[] = [];
    const line = ({ bytes }: OutputLine) => said.length < saidLinesMax && said.push(Buffer.from(bytes).toString());
    group = new ProcessGroup(deps.keepers, spawned, {
      onLine: line,
      readEnd: (end) => deps.sandbox.readEnd(end),
      leave: () => deps.sandbox.leave(directory, deps.keepers.watch),
    });
    void group.gone.then(() => deps.onGone(directory));
    await recordProcess(directory, group.group);
    const directories = { directory, place, entry, codeDirectory, credentials };
    return { channel: spawned.process, assignments, group, ...directories, said };
  } catch (error) {
    if (group === undefined) deps.onGone(directory);
    else await group.destroy();
    throw error;
  }
}

/** The program that waits and what it must know before it is told anything. */
function commandOf(
  { host, sandbox }: PreStartDeps,
  { flavour, manner, descriptor }: Pick<PreStart, "flavour" | "manner"> & { readonly descriptor: number },
  entry: SandboxEntry,
): readonly string[] {
  const door = sandbox.hasOwnLoopback ? "door" : "no-door";
  const scripts = entry.pathOf(insideDirectory);
  const nodePath = entry.pathOf(host.nodePath);
  const programs = {
    node: [nodePath, `--max-old-space-size=${flavour.heapMiB}`, join(scripts, "pre-started.cjs")],
    python: [host.pythonPath ?? "", "-s", join(scripts, "pre_started.py")],
  };
  // The kernel sends the signal when the server's thread ends, so not even one that spins outlives the server.
  const guard = host.setprivPath === undefined ? [] : [host.setprivPath, "--pdeathsig", "KILL", "--"];
  const words = [entry.socketDirectory, manner, door, String(descriptor)];
  return [...guard, ...entry.prefix, ...programs[flavour.program], ...words];
}

/** With a channel, and a pipe for the assignment at the descriptor `assignments`. */
function stdioOf(
  guarded: InstanceStdio,
  { descriptors }: SandboxEntry,
): { readonly stdio: StdioOptions; readonly assignments: number } {
  const stdio: (InstanceStdio[number] | "ipc")[] = [...guarded];
  for (const [number, descriptor] of descriptors) stdio[number] = descriptor;
  const free = (number: number): number => (descriptors.has(number) ? free(number + 1) : number);
  const channel = free(3);
  const assignments = free(channel + 1);
  stdio[channel] = "ipc";
  stdio[assignments] = "pipe";
  return { stdio: Array.from(stdio, (kind) => kind ?? "ignore"), assignments };
}

async function spawnGroup(
  [program = "", ...words]: readonly string[],
  { environment, stdio }: { readonly environment: Readonly<Record<string, string>>; readonly stdio: StdioOptions },
): Promise<SpawnedProcess> {
  // A session and a process group of its own, so that one signal ends all of it.
  const process = spawn(program, words, { cwd: "/", env: environment, stdio, detached: true });
  const { pid, stdout, stderr } = process;
  if (pid === undefined) {
    const [error] = await once(process, "error");
    throw error;
  }
  // A message that does not arrive any more; the end of the process says the rest.
  process.on("error", () => {});
  assert(stdout !== null && stderr !== null, "the second and third descriptor are pipes");
  return { process, group: pid, stdout, stderr };
}

/** Resolves with the door that it opened itself, where it had to. */
function becomesReady({ channel, group, said }: Made, signal: AbortSignal): Promise<InstanceDoor | undefined> {
  return new Promise((resolve, reject) => {
    let isSettled = false;
    const settle = (act: () => void) => {
      isSettled = true;
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const onMessage = (message: unknown, handle: unknown) => {
      const server = handle instanceof Server ? handle : undefined;
      const ready = ReadyMessage.safeParse(message);
      if (isSettled || !ready.success) {
        // It would be open for ever, and keep the server running.
        server?.close();
        settle(() => reject(new Error("a process that starts said what none says", { cause: ready.error })));
        return;
      }
      const { doorPort } = ready.data;
      settle(() =>
        resolve(doorPort !== undefined && server !== undefined ? new InstanceDoor(server, doorPort) : undefined),
      );
    };
    const onAbort = () => settle(() => reject(signal.reason));
    channel.on("message", onMessage);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    void group.ended.then(({ code, signal: name }) =>
      settle(() =>
        reject(new Error(`a process ended before it was ready: ${name ?? `exit code ${code}`}: ${said.join("; ")}`)),
      ),
    );
  });
}
