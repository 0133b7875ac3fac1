import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Client } from "@chaya/client";
import { isProblem, looksSecret } from "@chaya/contract";
import type { AppView } from "@chaya/contract/fn";
import { CliError, usageError } from "../cli-error.ts";
import { serverCommand } from "../command.ts";
import { type ApplicationFile, readApplicationFile } from "../deploy/application-file.ts";
import { type DeployedFunction, deployFunction } from "../deploy/deploy-function.ts";
import { functionFilePath } from "../deploy/function-file.ts";
import { appNamed } from "../find-records.ts";
import { secretWarning } from "../secret-warning.ts";
import type { Terminal } from "../terminal.ts";
import { visibleText } from "../visible-text.ts";

const depthMax = 8;

export const deployCommands = [
  serverCommand({
    path: "deploy",
    summary: "Pack a function's folder, upload it and make it the current image.",
    arguments: { DIR: { summary: "The folder with func.yaml; this one when absent.", isOptional: true } },
    flags: {
      app: { value: "APP", summary: "The application; created when missing. app.yaml's name when absent." },
      all: { summary: "Every function below the folder." },
    },
    examples: ["chaya deploy --app demo", "chaya deploy --all ./photos"],
    run: async ({ client, terminal, print, arguments: { DIR }, flags }) => {
      const folder = await existingFolder(resolve(terminal.directory, DIR ?? "."));
      const file = await readApplicationFile(folder);
      for (const warning of file?.warnings ?? []) terminal.stderr.write(`Warning: ${visibleText(warning)}\n`);
      const name = flags.app ?? file?.name;
      if (name === undefined) throw usageError("Which application? Say --app APP, or name it in app.yaml.");
      const folders = flags.all ? await functionFolders(folder) : [folder];
      if (folders.length === 0)
        throw new CliError({
          what: `There is no func.yaml below ${folder}.`,
          hint: "Make a function with: chaya init NAME",
        });
      const app = await applyApplication({ client, terminal }, name, file);
      const functions: DeployedFunction[] = [];
      for (const one of folders) {
        const deployed = await deployFunction({ client, terminal }, app, one);
        functions.push(deployed);
        if (!flags.json) terminal.stdout.write(deployedText(deployed));
      }
      print({ app: app.name, functions }, () => "");
    },
  }),
];

async function existingFolder(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return folder;
  throw usageError(`There is no folder ${folder}.`);
}

/** Folders with a function file, the outermost first; node_modules and hidden folders are not looked into. */
async function functionFolders(folder: string, depth = 0): Promise<string[]> {
  if (depth > depthMax) return [];
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries.filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules",
  );
  const deeper: string[] = [];
  for (const { name } of below.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    deeper.push(...(await functionFolders(join(folder, name), depth + 1)));
  }
  return functionFilePath(folder) === undefined ? deeper : [folder, ...deeper];
}

/** Creates the application, or merges what app.yaml says into it. */
async function applyApplication(
  { client, terminal }: { readonly client: Client; readonly terminal: Terminal },
  name: string,
  file: ApplicationFile | undefined,
): Promise<AppView> {
  for (const [key] of Object.entries(file?.config ?? {}).filter(([name, value]) => looksSecret(name, value))) {
    terminal.stderr.write(secretWarning({ key, app: name, fn: undefined }));
  }
  const body = {
    config: file?.config,
    // Values that came out of YAML are JSON values; the server says so when one is not allowed.
    annotations: file?.annotations as AppView["annotations"],
    syslog_url: file?.syslogUrl,
  };
  const before = await appNamed(client, name);
  if (before !== undefined) {
    return file === undefined ? before : await client.fn.updateApp({ appId: before.id, body });
  }
  try {
    const created = await client.fn.createApp({ body: { ...body, name } });
    terminal.stderr.write(`Created the application ${visibleText(name)}.\n`);
    return created;
  } catch (error) {
    // Another deploy created it between our question and now.
    const other = isProblem(error, "application-exists") ? await appNamed(client, name) : undefined;
    if (other === undefined) throw error;
    return other;
  }
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
