import { serverCommand } from "../command.ts";

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
      // What packs and uploads is loaded by those who do it: a server that runs for months does not.
      const { deployFolder } = await import("../deploy/deploy-folder.ts");
      return await deployFolder({ client, terminal, print }, { ...flags, directory: DIR });
    },
  }),
];
