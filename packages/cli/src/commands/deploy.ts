import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { createClient } from "@chaya/client";
import type { AppView } from "@chaya/contract/fn";
import { CliError, type ExitCode, exitCode, usageError } from "../cli-error.ts";
import { serverCommand } from "../command.ts";
import { readApplicationFile } from "../deploy/application-file.ts";
import { applyApplication } from "../deploy/apply-application.ts";
import { type DeployDeps, type DeployedFunction, deployFunction } from "../deploy/deploy-function.ts";
import { functionFolders } from "../deploy/function-folders.ts";
import { type Reload, watchDeploys } from "../deploy/watch-deploys.ts";
import { visibleText } from "../visible-text.ts";

export const deployCommands = [
  serverCommand({
    path: "deploy",
    summary: "Pack a function's folder, upload it and make it the current image.",
    arguments: { DIR: { summary: "The folder with func.yaml; this one when absent.", isOptional: true } },
    flags: {
      app: { value: "APP", summary: "The application; created when missing. app.yaml's name when absent." },
      all: { summary: "Every function below the folder." },
      watch: { summary: "Deploy again whenever a file changes, until Ctrl-C." },
    },
    examples: ["chaya deploy --app demo", "chaya deploy --app demo --watch", "chaya deploy --all ./photos"],
    run: async ({ client, terminal, print, arguments: { DIR }, flags }) => {
      const folder = await existingFolder(resolve(terminal.directory, DIR ?? "."));
      const name = flags.app ?? (await readApplicationFile(folder))?.name;
      if (name === undefined) throw usageError("Which application? Say --app APP, or name it in app.yaml.");
      const place = { folder, name, isAll: flags.all, isJson: flags.json };
      if (flags.watch) return await watchPlace({ client, terminal }, place);
      const folders = flags.all ? await functionFolders(folder) : [folder];
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
        if (!flags.json) terminal.stdout.write(deployedText(deployed));
      }
      print({ app: app.name, functions }, () => "");
      return exitCode.ok;
    },
  }),
];

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
