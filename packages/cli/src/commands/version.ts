import { type Client, ServerUnreachable, UnexpectedAnswer } from "@chaya/client";
import { serverCommand } from "../command.ts";
import { fields } from "../table.ts";
import { cliVersion } from "../version.ts";

export const versionCommands = [
  serverCommand({
    path: "version",
    summary: "Show the versions of the command line and of the server.",
    run: async ({ client, print }) => {
      const versions = { client: cliVersion(), node: process.versions.node, server: await serverVersion(client) };
      print(versions, () => fields({ ...versions, server: versions.server ?? `none answers at ${client.url}` }));
    },
  }),
];

/** undefined when no server answers. */
export async function serverVersion(client: Client): Promise<string | undefined> {
  try {
    const answer = await client.getJson("/version");
    const isAnswer = typeof answer === "object" && answer !== null && "version" in answer;
    return isAnswer ? String(answer.version) : "unknown";
  } catch (error) {
    if (error instanceof ServerUnreachable) return undefined;
    if (error instanceof UnexpectedAnswer) return "unknown";
    throw error;
  }
}
