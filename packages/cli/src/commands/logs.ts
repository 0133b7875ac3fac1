import { serverCommand } from "../command.ts";
import { wholeNumber } from "../key-values.ts";
import { logText } from "../log-text.ts";

export const logCommands = [
  serverCommand({
    path: "logs",
    summary: "Show what functions print: ! is standard error, * the platform.",
    flags: {
      app: { value: "APP", summary: "Only of this application." },
      fn: { value: "FN", summary: "Only of this function (its name needs --app)." },
      call: { value: "CALL", summary: "Only of this call." },
      since: { value: "TIME", summary: "Written at or after this time (RFC 3339)." },
      limit: { value: "N", summary: "At most so many of the newest lines (100)." },
      follow: { short: "f", summary: "Go on with new lines as they are written." },
    },
    examples: ["chaya logs --follow", "chaya logs --app photos --fn resize --limit 20"],
    run: async ({ client, print, terminal, flags }) => {
      const limit = wholeNumber(flags.limit, "--limit");
      const given = { app: flags.app, fn: flags.fn, call: flags.call, since: flags.since, limit };
      const query = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
      if (!flags.follow) {
        const lines = await client.readLogs(query);
        print(lines, () => lines.map(logText).join(""));
        return;
      }
      for await (const line of client.followLogs(query)) {
        terminal.stdout.write(flags.json ? `${JSON.stringify(line)}\n` : logText(line));
      }
    },
  }),
];
