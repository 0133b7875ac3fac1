import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { Server } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert } from "../../../kernel/assert.ts";
import type { OutputLine } from "../driver.ts";
import { type Assignment, ReadyMessage } from "./assignment.ts";
import type { InstanceStdio } from "./descriptor-guard.ts";
import type { Flavour } from "./flavour.ts";
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
  /** bare: somebody waits for it already. */
  readonly manner: "warm" | "bare";
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
  readonly door: InstanceDoor;
  readonly #channel: ChildProcess;

  private constructor(made: Made & { readonly flavour: Flavour; readonly door: InstanceDoor }) {
    this.flavour = made.flavour;
    this.group = made.group;
    this.directory = made.directory;
    this.entry = made.entry;
    this.codeDirectory = made.codeDirectory;
    this.door = made.door;
    this.#channel = made.channel;
    void made.group.ended.then(() => made.door.close());
  }

  /** Resolves when it is ready. Rejects when it cannot be started, and with the signal's reason; nothing is left then. */
  static async start(deps: PreStartDeps, start: PreStart, signal: AbortSignal): Promise<PreStartedProcess> {
    const made = await make(deps, start, signal);
    try {
      const { flavour } = start;
      const door = await becomesReady(made, signal);
      await deps.sandbox.attach(made.group.group, made.place);
      return new PreStartedProcess({ ...made, flavour, door: door ?? (await InstanceDoor.open()) });
    } catch (error) {
      await made.group.destroy();
      throw error;
    }
  }

  get isUsable(): boolean {
    return !this.group.isEnding && this.#channel.connected;
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
    this.#channel.send(assignment, () => {});
  }
}

interface Made {
  readonly channel: ChildProcess;
  readonly group: ProcessGroup;
  readonly directory: InstanceDirectory;
  readonly place: SandboxPlace;
  readonly entry: SandboxEntry;
  readonly codeDirectory: string | undefined;
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
    const place: SandboxPlace = {
      instance: directory,
      codeDirectory: codeDirectory ?? directory.path,
      network: flavour.network,
      readable: [deps.host.nodePath, insideDirectory, ...flavour.readable],
    };
    const entry = deps.sandbox.enter(place);
    await deps.spawnTurns.next();
    signal.throwIfAborted();
    const command = commandOf(deps, { flavour, manner }, entry);
    const environment = { FN_LISTENER: listenerOf(directory.socketDirectory) };
    const spawned = await spawnGroup(command, { environment, stdio: stdioOf(deps.stdio, entry) });
    const said: string[] = [];
    const line = ({ bytes }: OutputLine) => said.length < saidLinesMax && said.push(Buffer.from(bytes).toString());
    group = new ProcessGroup(deps.keepers, spawned, {
      onLine: line,
      readEnd: (end) => deps.sandbox.readEnd(end),
      leave: () => deps.sandbox.leave(directory, deps.keepers.watch),
    });
    void group.gone.then(() => deps.onGone(directory));
    await recordProcess(directory, group.group);
    return { channel: spawned.process, group, directory, place, entry, codeDirectory, said };
  } catch (error) {
    if (group === undefined) deps.onGone(directory);
    else await group.destroy();
    throw error;
  }
}

/** The program that waits and what it must know before it is told anything. */
function commandOf(
  { host, sandbox }: PreStartDeps,
  { flavour, manner }: Pick<PreStart, "flavour" | "manner">,
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
  return [...guard, ...entry.prefix, ...programs[flavour.program], entry.socketDirectory, manner, door];
}

function stdioOf(guarded: InstanceStdio, entry: SandboxEntry): StdioOptions {
  const stdio: (InstanceStdio[number] | "ipc")[] = [...guarded];
  for (const [number, descriptor] of entry.descriptors) stdio[number] = descriptor;
  let channel = 3;
  while (entry.descriptors.has(channel)) channel++;
  stdio[channel] = "ipc";
  return Array.from(stdio, (kind) => kind ?? "ignore");
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
    const settle = (act: () => void) => {
      channel.off("message", onMessage);
      signal.removeEventListener("abort", onAbort);
      act();
    };
    const onMessage = (message: unknown, handle: unknown) =>
      settle(() => {
        const ready = ReadyMessage.safeParse(message);
        if (!ready.success)
          return reject(new Error("a process that starts said what none says", { cause: ready.error }));
        const { doorPort } = ready.data;
        resolve(doorPort !== undefined && handle instanceof Server ? new InstanceDoor(handle, doorPort) : undefined);
      });
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
