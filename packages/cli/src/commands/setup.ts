import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { usageError } from "../cli-error.ts";
import { serverCommand } from "../command.ts";
import { type MadeContext, makeFnContext } from "../setup/make-fn-context.ts";
import { type MadeProfile, makeOciProfile } from "../setup/make-oci-profile.ts";
import type { Terminal } from "../terminal.ts";

export const setupCommands = [
  serverCommand({
    path: "setup oci",
    summary: "Make an administrator with an API key and a profile for OCI's SDKs and CLI.",
    flags: {
      file: { value: "PATH", summary: "The configuration file (~/.oci/config); other profiles in it stay." },
      profile: { value: "NAME", summary: "The profile to add or replace (CHAYA)." },
      user: { value: "NAME", summary: "The user to make, or to give a new key (oci)." },
    },
    examples: ["chaya setup oci --file ./oci.conf"],
    run: async ({ client, print, terminal, flags }) => {
      const file = resolve(terminal.directory, flags.file ?? join(homeOf(terminal), ".oci", "config"));
      const profile = flags.profile ?? "CHAYA";
      if (!/^[\w.-]+$/.test(profile)) throw usageError(`--profile: '${profile}' is not a name.`, "Example: CHAYA");
      const made = await makeOciProfile(client, { file, profile, userName: flags.user ?? "oci" });
      print(made, () => profileText(made, client.url));
    },
  }),
  serverCommand({
    path: "setup fn",
    summary: "Make an administrator with a token and a context for Fn's CLI, and use that context.",
    flags: {
      context: { value: "NAME", summary: "The context to add or replace (chaya)." },
      user: { value: "NAME", summary: "The user to make, or to give a new token (fn)." },
    },
    run: async ({ client, print, terminal, flags }) => {
      const context = flags.context ?? "chaya";
      // Fn's CLI would take config.yaml, the file of its own settings, for the context.
      if (!/^[\w-]+$/.test(context) || context === "config")
        throw usageError(`--context: '${context}' cannot be the name of a context.`, "Example: chaya");
      const folder = join(homeOf(terminal), ".fn");
      const made = await makeFnContext(client, { folder, context, userName: flags.user ?? "fn" });
      print(made, () => contextText(made));
    },
  }),
];

function homeOf({ environment }: Terminal): string {
  return environment.HOME || homedir();
}

function profileText({ file, profile, keyFile }: MadeProfile, url: string): string {
  return [
    `The profile ${profile} is in ${file}, its key in ${keyFile}.`,
    `Point clients at ${url}:`,
    `  Node       client.endpoint = "${url}"`,
    `  Go         client.Host = "${url}"`,
    `  Python     service_endpoint="${url}"`,
    `  Java       client.setEndpoint("${url}")`,
    `  CLI        oci --config-file ${file} --profile ${profile} --endpoint ${url} …`,
    `             or: export OCI_CLI_CONFIG_FILE=${file} OCI_CLI_PROFILE=${profile} OCI_CLI_ENDPOINT=${url}`,
    "",
  ].join("\n");
}

function contextText({ context, file }: MadeContext): string {
  return [
    `Fn's CLI uses the context ${context} in ${file}.`,
    "It shows its token to the API only: where calls need credentials, use chaya invoke instead of fn invoke.",
    "",
  ].join("\n");
}
