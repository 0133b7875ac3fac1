import { join } from "node:path";
import { limits } from "@chaya/contract";
import type { InstanceSpec } from "../driver.ts";
import type { Assignment } from "./assignment.ts";
import type { FoundEntryPoint } from "./entry-point.ts";
import type { Flavour } from "./flavour.ts";
import type { FoundNode } from "./host-programs.ts";
import {
  type InstancePlace,
  instanceEnvironment,
  pythonEnvironment,
  variableReadAtStart,
} from "./launch-environment.ts";

/** What this machine starts instances with. */
export interface LaunchHost {
  /** The pinned Node. */
  readonly nodePath: string;
  /** The first `python3` of the system path; undefined where there is none. */
  readonly pythonPath: string | undefined;
  readonly hostName: string;
}

/** What of an instance decides how it is launched. */
type LaunchSpec = Pick<InstanceSpec, "memoryMiB" | "network" | "environment" | "onInspector">;

export interface LaunchSubject {
  readonly spec: LaunchSpec;
  readonly entry: FoundEntryPoint;
  /** What the bundle's runtime means by `node`. */
  readonly node: FoundNode;
}

export type LaunchPlan =
  | {
      readonly kind: "launch";
      readonly flavour: Flavour;
      readonly become: Become;
      /** Node says itself when its heap is full. */
      readonly isNode: boolean;
      readonly isPython: boolean;
      /** A sentence for the function's log: why this start is slow. */
      readonly note: string | undefined;
    }
  | { readonly kind: "refused"; readonly how: string }
  | { readonly kind: "not-inspectable"; readonly reason: string };

type WithoutPlace<T> = T extends Assignment ? Omit<T, "environment" | "directory"> : never;
type Become = WithoutPlace<Assignment>;
type Words = readonly string[];

/** The rest is for what V8 keeps beside the old space, for buffers and for Node itself (≈ 15 MiB of its own). */
const heapShare = 0.75;
const heapMiBMin = 16;
const sourceMapsFlag = "--enable-source-maps";
const fdkCode = "from fdk.scripts.fdk import main; main()";
/** Where Fn's images keep code, so commands made for them name it. */
const fnCodeDirectory = "/function/";

/** A full heap ends Node with a message that says so, before the memory limit ends it without one. */
export function heapMiBOf(memoryMiB: number): number {
  return Math.max(heapMiBMin, Math.floor(memoryMiB * heapShare));
}

/** What an instance may use, whatever it is: a debugger and the process that leads to it come on top. */
export function memoryMiBMaxOf({ memoryMiB, onInspector }: Pick<InstanceSpec, "memoryMiB" | "onInspector">): number {
  return onInspector === undefined ? memoryMiB : memoryMiB + limits.inspectionMemoryMiB;
}

/** Decides how an instance is started; pure. */
export function planLaunch(subject: LaunchSubject, host: LaunchHost): LaunchPlan {
  const { spec, entry } = subject;
  const [program = "", ...words] = entry.command;
  if (spec.onInspector !== undefined) return planInspected(subject, words, host);
  if (entry.format === "stdio")
    return launch(
      nodeFlavour(spec.network),
      { kind: "stdio", command: entry.command },
      { isPython: isPython(program) },
    );
  if (program === "node") return planNode(subject, words, host);
  if (isPython(program)) return planPython(spec, { program, words }, host);
  return launch(nodeFlavour(spec.network), { kind: "replace", program, words }, {});
}

/** What the process is told. */
export function assignmentOf(
  { spec, plan }: { readonly spec: InstanceSpec; readonly plan: Extract<LaunchPlan, { kind: "launch" }> },
  host: LaunchHost,
  place: InstancePlace,
): Assignment {
  const common = instanceEnvironment(spec, host, place);
  const environment = plan.isPython ? pythonEnvironment(common, place.codeDirectory) : common;
  const become =
    plan.become.kind === "replace" || plan.become.kind === "inspect"
      ? { ...plan.become, program: place.pathOf(plan.become.program) }
      : plan.become;
  return { ...become, environment, directory: place.codeDirectory };
}

function planNode({ spec, entry, node }: LaunchSubject, words: Words, host: LaunchHost): LaunchPlan {
  if (node.kind === "none") return { kind: "refused", how: node.why };
  const sourceMaps = words[0] === sourceMapsFlag;
  const [file, ...rest] = sourceMaps ? words.slice(1) : words;
  const flavour = { ...nodeFlavour(spec.network), heapMiB: heapMiBOf(spec.memoryMiB) };
  const why =
    node.kind === "other"
      ? `its runtime is ${node.runtime}, not the platform's own Node`
      : plainReason(spec, { program: "node", name: "Node", file });
  if (why === undefined && file !== undefined) {
    const become = { kind: "import", file: inCode(file), words: rest, sourceMaps, codeCache: entry.codeCache } as const;
    return launch(flavour, become, { isNode: true });
  }
  const plain = plainNode(node, flavour, host);
  const command = { program: plain.program, words: [...plain.words, ...words] };
  return launch(plain.flavour, { kind: "replace", ...command }, { isNode: true, note: slowStart(why) });
}

/** Always plainly, whatever it would become else: Node opens its inspector and waits for a debugger when it starts. */
function planInspected({ spec, entry, node }: LaunchSubject, words: Words, host: LaunchHost): LaunchPlan {
  const [program = ""] = entry.command;
  if (entry.format === "stdio")
    return { kind: "not-inspectable", reason: "its format is stdio, which runs a program anew for each call" };
  if (program !== "node")
    return {
      kind: "not-inspectable",
      reason: `its entry point runs '${program}', and only Node has such an inspector`,
    };
  if (node.kind === "none") return { kind: "refused", how: node.why };
  const flavour = { ...nodeFlavour(spec.network), heapMiB: heapMiBOf(spec.memoryMiB) };
  const plain = plainNode(node, flavour, host);
  const become = {
    kind: "inspect",
    program: plain.program,
    words: [...plain.words, ...words.map(inCode)],
  } as const;
  return launch(plain.flavour, become, { isNode: true, note: "waits for a debugger before its first line" });
}

function plainNode(
  node: Exclude<FoundNode, { readonly kind: "none" }>,
  flavour: Flavour,
  { nodePath }: LaunchHost,
): { readonly program: string; readonly words: Words; readonly flavour: Flavour } {
  return {
    program: node.kind === "other" ? node.path : nodePath,
    words: [`--max-old-space-size=${flavour.heapMiB}`],
    flavour: { ...flavour, readable: node.kind === "other" ? [node.path] : [] },
  };
}

function planPython(
  spec: LaunchSpec,
  { program, words }: { readonly program: string; readonly words: Words },
  host: LaunchHost,
): LaunchPlan {
  if (host.pythonPath === undefined)
    return { kind: "refused", how: "there is no python3 on this machine's system path: install it to run Python" };
  const flavour: Flavour = { program: "python", network: spec.network, heapMiB: 0, readable: [] };
  const isFdk = isFdkProgram(program);
  const [file, ...rest] = words.map(inCode);
  const why = plainReason(spec, { program: "python", name: "Python", file });
  if (why === undefined && file !== undefined) {
    const become = isFdk ? ({ kind: "python-fdk" } as const) : ({ kind: "python-file" } as const);
    return launch(flavour, { ...become, file, words: rest }, { isPython: true });
  }
  const command = [...(isFdk ? ["-c", fdkCode] : []), ...words.map(inCode)];
  const become = { kind: "replace", program: host.pythonPath, words: command } as const;
  return launch(nodeFlavour(spec.network), become, { isPython: true, note: slowStart(why) });
}

/** undefined: a process that has started already does as well. */
function plainReason(
  spec: LaunchSpec,
  start: { readonly program: "node" | "python"; readonly name: string; readonly file: string | undefined },
): string | undefined {
  if (start.file === undefined) return "its entry point names no file";
  if (start.file.startsWith("-")) return `its entry point has the flag ${start.file}`;
  const variable = variableReadAtStart(spec.environment, start.program);
  return variable === undefined
    ? undefined
    : `its configuration has ${variable}, which ${start.name} reads at its start`;
}

function slowStart(why: string | undefined): string {
  return `started plainly, which takes longer than from a process that waits: ${why}`;
}

/** Programs that bring no heap of their own are started from whatever is the commonest. */
function nodeFlavour(network: Flavour["network"]): Flavour {
  return { program: "node", network, heapMiB: heapMiBOf(limits.functionMemoryMiBDefault), readable: [] };
}

function launch(
  flavour: Flavour,
  become: Become,
  { isNode = false, isPython = false, note }: { isNode?: boolean; isPython?: boolean; note?: string },
): LaunchPlan {
  return { kind: "launch", flavour, become, isNode, isPython, note };
}

function isPython(program: string): boolean {
  return program === "python3" || program === "python" || isFdkProgram(program);
}

/** The command of Fn's Python FDK, which Fn's images have below /python. */
function isFdkProgram(program: string): boolean {
  return program === "fdk" || program === "/python/bin/fdk";
}

/** Relative to the code, which is the working directory. */
function inCode(file: string): string {
  return file.startsWith(fnCodeDirectory) ? join(".", file.slice(fnCodeDirectory.length)) : file;
}
