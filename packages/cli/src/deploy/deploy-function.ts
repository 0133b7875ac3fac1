import type { Client } from "@chaya/client";
import { looksSecret } from "@chaya/contract";
import type { AppView, FnView, TriggerView } from "@chaya/contract/fn";
import { endpointOf, fnNamed, invokeEndpointKey, triggerEndpointKey, triggerNamed } from "../find-records.ts";
import { withProgress } from "../progress.ts";
import { secretWarning } from "../secret-warning.ts";
import type { Terminal } from "../terminal.ts";
import { visibleText } from "../visible-text.ts";
import { buildModules } from "./build-folder.ts";
import { BundleMemory } from "./bundle-memory.ts";
import { type BundleSource, type FunctionBundle, functionBundle } from "./function-bundle.ts";
import { type FunctionFile, readFunctionFile, type TriggerSpec } from "./function-file.ts";
import { buildCode } from "./languages/build-code.ts";
import { runProgram } from "./run-program.ts";

export interface DeployedFunction {
  readonly app: string;
  readonly name: string;
  readonly id: string;
  readonly image: string;
  readonly bundleBytes: number;
  /** false: the server had the same bytes already. */
  readonly isNewImage: boolean;
  readonly isNewFunction: boolean;
  readonly endpoint: string | undefined;
  readonly triggers: readonly {
    readonly name: string;
    readonly source: string;
    readonly endpoint: string | undefined;
  }[];
}

export interface DeployDeps {
  readonly client: Client;
  readonly terminal: Terminal;
}

/** Packs, uploads and applies one folder. Safe to repeat: what is the same stays as it is. */
export async function deployFunction(deps: DeployDeps, app: AppView, folder: string): Promise<DeployedFunction> {
  await using memory = new BundleMemory(deps.terminal.nowMs);
  const file = await readFunctionFile(folder);
  warn(deps.terminal, file, app);
  const bundle = await buildAndPack(deps.terminal, { folder, file, memory, isDraft: false });
  return await applyBundle(deps, app, { file, bytes: bundle.bytes });
}

/** Runs the build commands of a function, installs or compiles what its language needs, and packs it. */
export async function buildAndPack(
  terminal: Terminal,
  source: { readonly folder: string; readonly file: FunctionFile } & Pick<BundleSource, "memory" | "isDraft">,
): Promise<FunctionBundle> {
  const { folder, file, ...options } = source;
  for (const command of file.build) {
    const place = {
      folder,
      what: `The build command '${command}'`,
      hint: `It stands in ${file.fileName} under 'build'.`,
      environment: terminal.environment,
    };
    await withProgress(terminal, `Running ${visibleText(command)}`, runProgram(["/bin/sh", "-c", command], place));
  }
  const code = await buildCode({ folder, functionFile: file, terminal });
  const modules = code === undefined ? await buildModules(folder, terminal) : undefined;
  const packing = functionBundle({ folder, functionFile: file, buildModules: modules, code, ...options });
  const bundle = await withProgress(terminal, `Packing ${file.name}`, packing);
  for (const warning of bundle.warnings) terminal.stderr.write(`Warning: ${visibleText(warning)}\n`);
  return bundle;
}

/** Uploads a bundle and makes it what the function runs; its triggers become those of its file. */
export async function applyBundle(
  { client, terminal }: DeployDeps,
  app: AppView,
  packed: { readonly file: FunctionFile; readonly bytes: Buffer },
): Promise<DeployedFunction> {
  const { file, bytes } = packed;
  const upload = client.uploadBundle({ app: app.name, fn: file.name, bytes });
  const [stored, before] = await Promise.all([
    withProgress(terminal, `Uploading ${bytes.length} bytes`, upload),
    fnNamed(client, app, file.name),
  ]);
  const fn = await applyFunction(client, app, { file, image: stored.image, before });
  const triggers = await Promise.all(file.triggers.map((spec) => applyTrigger(client, fn, spec)));
  return {
    app: app.name,
    name: fn.name,
    id: fn.id,
    image: fn.image,
    bundleBytes: stored.bytes,
    isNewImage: stored.isNew,
    isNewFunction: before === undefined,
    endpoint: endpointOf(fn, invokeEndpointKey),
    triggers: triggers.map((one) => ({
      name: one.name,
      source: one.source,
      endpoint: endpointOf(one, triggerEndpointKey),
    })),
  };
}

/** Says what of the file is likely to be a mistake. */
export function warn(terminal: Terminal, file: FunctionFile, app: AppView): void {
  for (const warning of file.warnings) terminal.stderr.write(`Warning: ${visibleText(warning)}\n`);
  for (const [key] of Object.entries(file.config).filter(([name, value]) => looksSecret(name, value))) {
    terminal.stderr.write(secretWarning({ key, app: app.name, fn: file.name }));
  }
  const given = { ...app.config, ...file.config };
  for (const key of file.expectedConfig.filter((name) => !Object.hasOwn(given, name))) {
    const expected = `${file.fileName} expects the config key ${visibleText(key)}, which has no value yet.`;
    const command = `chaya config set ${app.name} ${visibleText(key)}=VALUE --fn ${file.name}`;
    terminal.stderr.write(`Warning: ${expected}\n  Set it with: ${command}\n`);
  }
}

/** Creates the function or merges into it; read again, because only reading gives its endpoint. */
async function applyFunction(
  client: Client,
  app: AppView,
  wanted: { readonly file: FunctionFile; readonly image: string; readonly before: FnView | undefined },
): Promise<FnView> {
  const { file, image, before } = wanted;
  const body = {
    image,
    memory: file.memory,
    timeout: file.timeout,
    idle_timeout: file.idleTimeout,
    config: file.config,
    // Values that came out of YAML are JSON values; the server says so when one is not allowed.
    annotations: file.annotations as FnView["annotations"],
  };
  if (before === undefined) return await client.fn.createFn({ body: { ...body, name: file.name, app_id: app.id } });
  await client.fn.updateFn({ fnId: before.id, body });
  return await client.fn.getFn({ fnId: before.id });
}

async function applyTrigger(client: Client, fn: FnView, spec: TriggerSpec): Promise<TriggerView> {
  const before = await triggerNamed(client, fn, spec.name);
  if (before === undefined) {
    return await client.fn.createTrigger({ body: { ...spec, app_id: fn.app_id, fn_id: fn.id } });
  }
  if (before.source !== spec.source) {
    await client.fn.updateTrigger({ triggerId: before.id, body: { source: spec.source } });
  }
  return await client.fn.getTrigger({ triggerId: before.id });
}
