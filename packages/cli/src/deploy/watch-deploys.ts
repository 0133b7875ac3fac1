import { basename, dirname, sep } from "node:path";
import { ServerUnreachable } from "@chaya/client";
import { isProblem } from "@chaya/contract";
import type { AppView } from "@chaya/contract/fn";
import { type Complaint, complaintOf, complaintText } from "../cli-error.ts";
import type { Terminal } from "../terminal.ts";
import type { DeployDeps } from "./deploy-function.ts";
import { functionFolders } from "./function-folders.ts";
import { type TreeChanges, TreeWatch } from "./watch-tree.ts";
import { isLookedInto, type Redeployed, WatchedFunction } from "./watched-function.ts";

export interface WatchOptions {
  readonly folder: string;
  /** Every function below the folder, also those that come later. */
  readonly isAll: boolean;
  /** Makes the application what its file says; asked again when that changes. */
  readonly applyApplication: () => Promise<AppView>;
  readonly onDeployed: (deployed: Reload) => void;
}

export interface Reload extends Redeployed {
  /** From the change until the server had it. */
  readonly ms: number;
}

const deploysAtOnce = 4;
const serverRetryMs = 500;

/**
 * Deploys a folder's functions, then again whenever something they are made of changes, until aborted. What goes wrong
 * with one of them is shown and waits for the next change; a server that is away is asked until it is back.
 */
export async function watchDeploys(deps: DeployDeps, options: WatchOptions, signal: AbortSignal): Promise<void> {
  await using session = new WatchSession(deps, options, signal);
  await session.run();
}

class WatchSession implements AsyncDisposable {
  readonly #deps: DeployDeps;
  readonly #options: WatchOptions;
  readonly #signal: AbortSignal;
  readonly #functions = new Map<string, WatchedFunction>();
  readonly #waiting = new Set<WatchedFunction>();
  readonly #tree: TreeWatch;
  #app: AppView | undefined;
  #isServerAway = false;
  /** `performance.now()` of the oldest change that is not deployed. */
  #sinceMs: number | undefined = performance.now();

  constructor(deps: DeployDeps, options: WatchOptions, signal: AbortSignal) {
    this.#deps = { ...deps, terminal: withoutRepeats(deps.terminal) };
    this.#options = options;
    this.#signal = signal;
    this.#tree = new TreeWatch(options.folder, (folder) => isLookedInto(folder, this.#functions.values()));
  }

  async run(): Promise<void> {
    await this.#findFunctions();
    let changes: TreeChanges = { paths: new Set(), sinceMs: undefined };
    while (!this.#signal.aborted) {
      await this.#takeIn(changes);
      this.#sinceMs ??= changes.sinceMs;
      await this.#deployWaiting();
      changes = await this.#tree.next(this.#isServerAway ? serverRetryMs : undefined, this.#signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tree[Symbol.dispose]();
    for (const one of this.#functions.values()) await one[Symbol.asyncDispose]();
  }

  async #findFunctions(): Promise<void> {
    const { folder, isAll } = this.#options;
    const found = isAll ? await functionFolders(folder) : [folder];
    for (const [known, one] of this.#functions) {
      if (found.includes(known)) continue;
      this.#functions.delete(known);
      this.#waiting.delete(one);
      await one[Symbol.asyncDispose]();
    }
    for (const path of found.filter((one) => !this.#functions.has(one))) {
      const one = new WatchedFunction(path, this.#deps.terminal.nowMs);
      this.#functions.set(path, one);
      this.#waiting.add(one);
    }
  }

  async #takeIn({ paths }: TreeChanges): Promise<void> {
    const { folder, isAll } = this.#options;
    const all = [...paths];
    if (all.some((path) => dirname(path) === folder && /^app\.(ya?ml|json)$/.test(basename(path))))
      this.#app = undefined;
    const isInside = (path: string) => [...this.#functions.keys()].some((one) => path.startsWith(one + sep));
    if (isAll && all.some((path) => /^func\.(ya?ml|json)$/.test(basename(path)) || !isInside(path))) {
      await this.#findFunctions();
    }
    for (const one of this.#functions.values()) {
      await one.notice(paths);
      for (const path of all) if (await one.concerns(path)) this.#waiting.add(one);
    }
  }

  async #deployWaiting(): Promise<void> {
    try {
      const app = this.#app ?? (await this.#options.applyApplication());
      this.#app = app;
      const waiting = [...this.#waiting];
      const deployAll = async () => {
        for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await this.#deploy(one, app);
      };
      // All have ended before the next begin: a function is deployed by one at a time.
      const ends = await Promise.allSettled(Array.from({ length: deploysAtOnce }, deployAll));
      for (const end of ends) if (end.status === "rejected") throw end.reason;
      this.#isServerAway = false;
      this.#sinceMs = undefined;
    } catch (error) {
      this.#fail(error);
    }
  }

  async #deploy(one: WatchedFunction, app: AppView): Promise<void> {
    try {
      const deployed = await one.deploy(this.#deps, app, (complaint) => this.#showOnce(complaint));
      this.#waiting.delete(one);
      for (const path of one.outerInputs) this.#tree.watchAlso(dirname(path));
      if (deployed === undefined) return;
      const ms = Math.round(performance.now() - (this.#sinceMs ?? performance.now()));
      this.#options.onDeployed({ ...deployed, ms });
    } catch (error) {
      if (isAway(error) || isProblem(error, "application-not-found")) throw error;
      this.#waiting.delete(one);
      this.#fail(error);
    }
  }

  /** Not again whenever a server that is away is asked. */
  #showOnce(complaint: Complaint): void {
    if (!this.#isServerAway) this.#deps.terminal.stderr.write(complaintText(complaint));
  }

  /** Shown; what only a server that is back can do is tried again soon. */
  #fail(error: unknown): void {
    if (this.#signal.aborted) return;
    const complaint = complaintOf(error);
    if (complaint === undefined) throw error;
    this.#app = undefined;
    const wasAway = this.#isServerAway;
    this.#isServerAway = isAway(error) || isProblem(error, "application-not-found");
    if (this.#isServerAway && wasAway) return;
    const hint = this.#isServerAway ? "It is asked again until it takes the functions." : complaint.hint;
    this.#deps.terminal.stderr.write(complaintText({ ...complaint, hint }));
  }
}

function isAway(error: unknown): boolean {
  return error instanceof ServerUnreachable || (isProblem(error) && error.kind === "unavailable");
}

/** A warning that stands with each deploy is told once. */
function withoutRepeats(terminal: Terminal): Terminal {
  const told = new Set<string | Uint8Array>();
  const write = (text: string | Uint8Array) => {
    if (told.has(text)) return;
    if (text.toString().startsWith("Warning: ")) told.add(text);
    terminal.stderr.write(text);
  };
  return { ...terminal, stderr: { isTTY: terminal.stderr.isTTY, write } };
}
