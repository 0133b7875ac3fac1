import { createHash } from "node:crypto";
import { basename, relative, sep } from "node:path";
import type { AppView } from "@chaya/contract/fn";
import { type Complaint, complaintOf } from "../cli-error.ts";
import type { Terminal } from "../terminal.ts";
import { brokenBundle } from "./broken-bundle.ts";
import { BundleMemory } from "./bundle-memory.ts";
import { applyBundle, buildAndPack, type DeployDeps, type DeployedFunction, warn } from "./deploy-function.ts";
import type { FunctionBundle } from "./function-bundle.ts";
import { type FunctionFile, readFunctionFile } from "./function-file.ts";
import { type IsIgnored, ignoreRules, readIgnoreRules } from "./ignore-rules.ts";
import { BuildOutput, folderState } from "./watch-build-output.ts";

export interface Redeployed {
  readonly function: DeployedFunction;
  readonly isFirst: boolean;
  /** false: it could not be packed, and what was deployed tells its callers why. */
  readonly isWhole: boolean;
}

/** A function's folder that is deployed again and again, and what has been learnt of it so far. */
export class WatchedFunction implements AsyncDisposable {
  readonly folder: string;
  readonly #memory: BundleMemory;
  readonly #output = new BuildOutput();
  #rules: IsIgnored = ignoreRules([]);
  #file: FunctionFile | undefined;
  #outerInputs: ReadonlySet<string> = new Set();
  #deployed: string | undefined;

  constructor(folder: string, nowMs: () => number) {
    this.folder = folder;
    this.#memory = new BundleMemory(nowMs);
  }

  /** Files outside of the folder that its code was made of. */
  get outerInputs(): ReadonlySet<string> {
    return this.#outerInputs;
  }

  /** Whether a change there can make it another function. */
  async concerns(path: string): Promise<boolean> {
    if (this.#outerInputs.has(path)) return true;
    return this.isWatched(path, false) && !(await this.#output.has(path));
  }

  /** Whether a path is in the folder and no rule leaves it, or a folder above it, out. */
  isWatched(path: string, isFolder: boolean): boolean {
    if (!path.startsWith(this.folder + sep)) return false;
    const names = relative(this.folder, path).split(sep);
    if (names.includes("node_modules")) return false;
    if (ruleFiles.has(names.join(sep))) return true;
    return !names.some((_, index) => {
      const isLast = index === names.length - 1;
      return this.#rules(names.slice(0, index + 1).join("/"), !isLast || isFolder);
    });
  }

  /** Packages may be others than before: what was found out about them is forgotten. */
  async notice(paths: ReadonlySet<string>): Promise<void> {
    if ([...paths].some((path) => packageFiles.has(basename(path)))) await this.#memory.forgetCode();
  }

  /**
   * Undefined: nothing of it is different from what was deployed last. Throws what the server has against it; hears of
   * what is wrong with the code through `onBroken`, before the server does.
   */
  async deploy(
    deps: DeployDeps,
    app: AppView,
    onBroken: (complaint: Complaint) => void,
  ): Promise<Redeployed | undefined> {
    this.#rules = await readIgnoreRules(this.folder);
    const { file, bytes, complaint } = await this.#pack(deps.terminal, app);
    if (complaint !== undefined) onBroken(complaint);
    const key = `${app.id} ${file.name} ${createHash("sha256").update(bytes).digest("hex")}`;
    if (key === this.#deployed && complaint === undefined) return undefined;
    const deployed = await applyBundle(deps, app, { file, bytes });
    const isFirst = this.#deployed === undefined;
    this.#deployed = key;
    return { function: deployed, isFirst, isWhole: complaint === undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#memory[Symbol.asyncDispose]();
  }

  async #pack(
    terminal: Terminal,
    app: AppView,
  ): Promise<{ readonly file: FunctionFile; readonly bytes: Buffer; readonly complaint: Complaint | undefined }> {
    try {
      const file = await readFunctionFile(this.folder);
      this.#file = file;
      warn(terminal, file, app);
      const { bytes, outerInputs } = await this.#buildAndPack(terminal, file);
      this.#outerInputs = new Set(outerInputs);
      return { file, bytes, complaint: undefined };
    } catch (error) {
      const complaint = complaintOf(error);
      // Without a function file there is no name under which somebody could be told.
      if (complaint === undefined || this.#file === undefined) throw error;
      return { file: this.#file, bytes: brokenBundle(complaint), complaint };
    }
  }

  async #buildAndPack(terminal: Terminal, file: FunctionFile): Promise<FunctionBundle> {
    const source = { folder: this.folder, file, memory: this.#memory, isDraft: true };
    const isBuiltHere = file.build.length > 0 || file.runtime.language !== "javascript";
    if (!isBuiltHere) return await buildAndPack(terminal, source);
    const look = () => folderState(this.folder, (path, isFolder) => this.isWatched(path, isFolder));
    const before = await look();
    try {
      return await buildAndPack(terminal, source);
    } finally {
      this.#output.learn(before, await look());
    }
  }
}

/** They are in no bundle, but decide what is. */
const ruleFiles: ReadonlySet<string> = new Set([".chayaignore", ".fnignore"]);
const packageFiles: ReadonlySet<string> = new Set(["package.json", "package-lock.json", ".package-lock.json"]);

/** Folders that nobody's code is in and that are written to all the time; `.chaya` is where servers keep their data. */
const neverWatched: ReadonlySet<string> = new Set(["node_modules", ".git", ".hg", ".svn", ".chaya"]);

/** Whether a folder below the root of a watch may hold what one of the functions is made of, or a further function. */
export function isLookedInto(folder: string, functions: Iterable<WatchedFunction>): boolean {
  if (neverWatched.has(basename(folder))) return false;
  const owners = [...functions].filter((one) => folder.startsWith(one.folder + sep));
  return owners.length === 0 || owners.some((one) => one.isWatched(folder, true));
}
