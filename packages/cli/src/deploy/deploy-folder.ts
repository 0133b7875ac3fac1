import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { createClient } from "@chaya/client";
import type { AppView } from "@chaya/contract/fn";
import { CliError, type ExitCode, exitCode, usageError } from "../cli-error.ts";
import type { Invocation } from "../command.ts";
import { visibleText } from "../visible-text.ts";
import { readApplicationFile } from "./application-file.ts";
import { applyApplication } from "./apply-application.ts";
import { type DeployDeps, type DeployedFunction, deployFunction } from "./deploy-function.ts";
import { functionFolders } from "./function-folders.ts";
import { type Reload, watchDeploys } from "./watch-deploys.ts";

/** The words of `chaya deploy`. */
export interface DeployWords {
  /** Of the function, or with `all` above all of them; where the terminal is when absent. */
  readonly directory: string | undefined;
  readonly app: string | undefined;
  readonly all: boolean;
  readonly watch: boolean;
  readonly json: boolean;
}

/** Deploys a function's folder or all below it; with `watch` again and again until the user interrupts it. */
export async function deployFolder(
  { client, terminal, print }: Pick<Invocation, "client" | "terminal" | "print">,
  words: DeployWords,
): Promise<ExitCode> {
  const folder = await existingFolder(resolve(terminal.directory, words.directory ?? "."));
  const name = words.app ?? (await readApplicationFile(folder))?.name;
  if (name === undefined) throw usageError("Which application? Say --app APP, or name it in app.yaml.");
  const place = { folder, name, isAll: words.all, isJson: words.json };
  if (words.watch) return await watchPlace({ client, terminal }, place);
  const folders = words.all ? await functionFolders(folder) : [folder];
  if (folders.length === 0)
    throw new CliError({
      what: `There is no func.yaml below ${folder}.`,
      hint: "Make a function with: chaya init NAME",
    });
  const app = await applyPlace({ client, terminal }, place);
  const functions: DeployedFunction[] = [];
  for (const one of folders) {
    const deployed = await deployFunction({ client, terminal }, app, one);
    functions.push(deployed);
    if (!words.json) terminal.stdout.write(deployedText(deployed));
  }
  print({ app: app.name, functions }, () => "");
  return exitCode.ok;
}

interface Place {
  readonly folder: string;
  /** Of the application. */
  readonly name: string;
  readonly isAll: boolean;
  readonly isJson: boolean;
}

/** Makes the application what its file says. */
async function applyPlace(deps: DeployDeps, { folder, name }: Place): Promise<AppView> {
  const file = await readApplicationFile(folder);
  for (const warning of file?.warnings ?? []) deps.terminal.stderr.write(`Warning: ${visibleText(warning)}\n`);
  return await applyApplication(deps, name, file);
}

/** Deploys again whenever a file changes, until Ctrl-C; requests under way end with it. */
async function watchPlace({ client, terminal }: DeployDeps, place: Place): Promise<ExitCode> {
  const { folder, isAll, isJson } = place;
  const interrupted = terminal.untilInterrupted();
  const ending = createClient({
    url: client.url,
    headers: client.headers,
    fetch: (target, init) => fetch(target, { ...init, signal: interrupted }),
  });
  const deps = { client: ending, terminal };
  if (!isJson) terminal.stdout.write(`Watching ${visibleText(folder)}; Ctrl-C ends it.\n`);
  const onDeployed = (reload: Reload) =>
    terminal.stdout.write(isJson ? `${JSON.stringify(reloadView(reload))}\n` : reloadText(reload, terminal.nowMs()));
  await watchDeploys(deps, { folder, isAll, applyApplication: () => applyPlace(deps, place), onDeployed }, interrupted);
  return exitCode.ok;
}

/** One line for a program. */
function reloadView({ function: deployed, ...reload }: Reload): object {
  return { ...deployed, ...reload };
}

/** What was deployed the first time, then one line each time. */
function reloadText({ function: deployed, isFirst, ms, isWhole }: Reload, nowMs: number): string {
  if (isFirst && isWhole) return deployedText(deployed);
  const name = visibleText(`${deployed.app}/${deployed.name}`);
  const what = isWhole
    ? `Reloaded ${name} in ${ms} ms`
    : `${name} tells its callers of this error until it is corrected`;
  return `${new Date(nowMs).toTimeString().slice(0, 8)} ${what}\n`;
}

async function existingFolder(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return folder;
  throw usageError(`There is no folder ${folder}.`);
}

function deployedText(deployed: DeployedFunction): string {
  const image = `${deployed.image} (${sizeText(deployed.bundleBytes)}${deployed.isNewImage ? "" : ", unchanged"})`;
  const lines = [
    `${deployed.isNewFunction ? "Created" : "Updated"} ${deployed.app}/${deployed.name}`,
    `  image    ${image}`,
    ...(deployed.endpoint === undefined ? [] : [`  invoke   ${deployed.endpoint}`]),
    ...deployed.triggers.map((trigger) => `  trigger  ${trigger.endpoint ?? trigger.source}`),
  ];
  return lines.map((line) => `${visibleText(line)}\n`).join("");
}

function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
