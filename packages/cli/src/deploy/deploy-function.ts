import type { Client } from "@chaya/client";
import { looksSecret } from "@chaya/contract";
import type { AppView, FnView, TriggerView } from "@chaya/contract/fn";
import { endpointOf, fnNamed, invokeEndpointKey, triggerEndpointKey, triggerNamed } from "../find-records.ts";
import { withProgress } from "../progress.ts";
import { secretWarning } from "../secret-warning.ts";
import type { Terminal } from "../terminal.ts";
import { visibleText } from "../visible-text.ts";
import { buildModules } from "./build-folder.ts";
import { functionBundle } from "./function-bundle.ts";
import { type FunctionFile, readFunctionFile, type TriggerSpec } from "./function-file.ts";
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

interface DeployDeps {
  readonly client: Client;
  readonly terminal: Terminal;
}

/** Packs, uploads and applies one folder. Safe to repeat: what is the same stays as it is. */
export async function deployFunction(deps: DeployDeps, app: AppView, folder: string): Promise<DeployedFunction> {
  const { client, terminal } = deps;
  const file = await readFunctionFile(folder);
  warn(terminal, file, app);
  for (const command of file.build) {
    const place = {
      folder,
      what: `The build command '${command}'`,
      hint: `It stands in ${file.fileName} under 'build'.`,
    };
    await withProgress(terminal, `Running ${visibleText(command)}`, runProgram(["/bin/sh", "-c", command], place));
  }
  const modules = await buildModules(folder, terminal);
  const packing = functionBundle({ folder, functionFile: file, buildModules: modules });
  const bundle = await withProgress(terminal, `Packing ${file.name}`, packing);
  for (const warning of bundle.warnings) terminal.stderr.write(`Warning: ${visibleText(warning)}\n`);
  const upload = client.uploadBundle({ app: app.name, fn: file.name, bytes: bundle.bytes });
  const stored = await withProgress(terminal, `Uploading ${bundle.bytes.length} bytes`, upload);
  const { fn, isNew } = await applyFunction(client, app, { file, image: stored.image });
  const triggers: TriggerView[] = [];
  for (const spec of file.triggers) triggers.push(await applyTrigger(client, fn, spec));
  return {
    app: app.name,
    name: fn.name,
    id: fn.id,
    image: fn.image,
    bundleBytes: stored.bytes,
    isNewImage: stored.isNew,
    isNewFunction: isNew,
    endpoint: endpointOf(fn, invokeEndpointKey),
    triggers: triggers.map((one) => ({
      name: one.name,
      source: one.source,
      endpoint: endpointOf(one, triggerEndpointKey),
    })),
  };
}

function warn(terminal: Terminal, file: FunctionFile, app: AppView): void {
  for (const warning of file.warnings) terminal.stderr.write(`Warning: ${visibleText(warning)}\n`);
  for (const [key] of Object.entries(file.config).filter(([name, value]) => looksSecret(name, value))) {
    terminal.stderr.write(secretWarning({ key, app: app.name, fn: file.name }));
  }
  const given = { ...app.config, ...file.config };
  for (const key of file.expectedConfig.filter((name) => !Object.hasOwn(given, name))) {
    terminal.stderr.write(
      `Warning: ${file.fileName} expects the config key ${visibleText(key)}, which has no value yet.\n`,
    );
    terminal.stderr.write(`  Set it with: chaya config set ${app.name} ${visibleText(key)}=VALUE --fn ${file.name}\n`);
  }
}

/** Creates the function or merges into it; read again, because only reading gives its endpoint. */
async function applyFunction(
  client: Client,
  app: AppView,
  wanted: { readonly file: FunctionFile; readonly image: string },
): Promise<{ readonly fn: FnView; readonly isNew: boolean }> {
  const { file, image } = wanted;
  const body = {
    image,
    memory: file.memory,
    timeout: file.timeout,
    idle_timeout: file.idleTimeout,
    config: file.config,
    // Values that came out of YAML are JSON values; the server says so when one is not allowed.
    annotations: file.annotations as FnView["annotations"],
  };
  const before = await fnNamed(client, app, file.name);
  if (before === undefined) {
    const fn = await client.fn.createFn({ body: { ...body, name: file.name, app_id: app.id } });
    return { fn, isNew: true };
  }
  await client.fn.updateFn({ fnId: before.id, body });
  return { fn: await client.fn.getFn({ fnId: before.id }), isNew: false };
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
