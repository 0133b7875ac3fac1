import type { Client } from "@chaya/client";
import { isProblem, looksSecret } from "@chaya/contract";
import type { AppView } from "@chaya/contract/fn";
import { appNamed } from "../find-records.ts";
import { secretWarning } from "../secret-warning.ts";
import type { Terminal } from "../terminal.ts";
import { visibleText } from "../visible-text.ts";
import type { ApplicationFile } from "./application-file.ts";

/** Creates the application, or merges what app.yaml says into it. */
export async function applyApplication(
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
