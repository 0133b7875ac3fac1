import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { chayaRoutes, type LogLineView } from "@chaya/contract/chaya";
import { describe, expect, it } from "vitest";
import { testStores } from "../packages/server/src/testing/stores.ts";
import { endedCall, logOf, read, send, sendDetached, until } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { startTestPlatform } from "./test-platform.ts";

const secret = "correct horse/battery+staple";

/** Prints its secret in the ways programs do, tells what it has, and fails when asked to. */
const code = `
const printed = process.env.PASSWORD ?? "none";
console.log("at start: " + printed);
if (process.env.BREAKS) throw new Error("cannot log in with " + printed);
require("@fnproject/fdk").handle((input) => {
  console.log("plain: " + printed);
  console.error("base64: " + Buffer.from(printed).toString("base64"));
  console.log("url: " + encodeURIComponent(printed));
  if (input.fails) throw new Error("cannot log in with " + printed);
  return { length: printed.length };
});`;

describe.each(testStores())("the value of a secret on the $kind store", (store) => {
  it("reaches its function, and neither answers, logs, records nor files", async () => {
    await using platform = await startTestPlatform(store);
    const { url } = platform;
    const fnId = await deployCode(url, {
      ...{ app: "vault", name: "printer", code },
      annotations: { "chaya/capture": "all" },
    });
    const place = `${url}${chayaRoutes.setSecret.path.replace("{appId}", await appId(url)).replace("{name}", "PASSWORD")}`;
    const set = await send(place, { value: secret }, { method: "PUT" });
    expect(set.status, set.text).toBe(200);

    const answered = await send(`${url}/invoke/${fnId}`, {});
    expect(answered.status, answered.text).toBe(200);
    expect(JSON.parse(answered.text)).toEqual({ length: secret.length });
    const callId = answered.headers.get("fn-call-id") ?? "";
    const lines = await until(() => printedBy(url, callId, 3), "the lines of the call");
    expect(lines).toEqual(expect.arrayContaining(["plain: [secret]", "url: [secret]"]));
    expect(lines.find((line) => line.startsWith("base64: "))).toMatch(/^base64: \[secret\]=*$/);

    const failed = await send(`${url}/invoke/${fnId}`, { fails: true, said: secret });
    const failedId = failed.headers.get("fn-call-id") ?? "";
    await until(() => printedBy(url, failedId, 3), "the lines of the failed call");
    const record = await until(async () => {
      const { status, text } = await send(`${url}/chaya/v1/calls/${failedId}`, undefined, { method: "GET" });
      return status === 200 ? text : undefined;
    }, "the record of the failed call");
    const input = await send(`${url}/chaya/v1/calls/${failedId}/input`, undefined, { method: "GET" });
    expect(input.status, input.text).toBe(200);
    expect(input.text).toContain("[secret]");

    const broken = await deployCode(url, { app: "vault", name: "broken", code, config: { BREAKS: "yes" } });
    const start = await send(`${url}/invoke/${broken}`, {});
    expect(JSON.parse(start.text).detail).toMatch(
      /It printed:\nat start: \[secret\]\n.*cannot log in with \[secret\]/s,
    );

    const shown = [
      ...[set.text, failed.text, input.text, record, start.text],
      JSON.stringify(await logOf(url, failedId)),
      JSON.stringify(await read(`${url}/chaya/v1/logs?app=vault`)),
      JSON.stringify(await read(`${url}/chaya/v1/apps/${await appId(url)}/secrets`)),
      JSON.stringify(await read(`${url}/v2/fns/${fnId}`)),
      (await send(`${url}/metrics`, undefined, { method: "GET" })).text,
    ].join("\n");
    // The search sees what is in the files of the embedded store.
    if (store.kind === "embedded") expect(filesWith(platform.data, "plain: [secret]")).not.toEqual([]);
    for (const form of formsOf(secret)) {
      expect(shown).not.toContain(form);
      expect(filesWith(platform.data, form)).toEqual([]);
    }
  }, 60_000);

  it("is a new one for instances that start after a change, without a failed call", async () => {
    await using platform = await startTestPlatform(store);
    const { url } = platform;
    const fnId = await deployCode(url, { app: "vault", name: "printer", code });
    const place = `${url}/chaya/v1/apps/${await appId(url)}/secrets/PASSWORD`;
    const lengths: number[] = [];
    for (const value of ["first", "second one"]) {
      await send(place, { value }, { method: "PUT" });
      lengths.push(JSON.parse((await send(`${url}/invoke/${fnId}`, {})).text).length);
    }
    await send(place, undefined, { method: "DELETE" });
    lengths.push(JSON.parse((await send(`${url}/invoke/${fnId}`, {})).text).length);
    expect(lengths).toEqual(["first".length, "second one".length, "none".length]);
    const callId = await sendDetached(url, fnId, {});
    expect((await endedCall(url, callId)).status).toBe("succeeded");
  }, 60_000);
});

async function appId(url: string): Promise<string> {
  const { items } = await read<{ items: { id: string }[] }>(`${url}/v2/apps?name=vault`);
  return items[0]?.id ?? "";
}

function formsOf(value: string): readonly string[] {
  return [value, Buffer.from(value).toString("base64").replace(/=+$/, ""), encodeURIComponent(value)];
}

/** What the call printed, once it is that many lines: the record of a call may be there a moment later. */
async function printedBy(url: string, callId: string, countMin: number): Promise<readonly string[] | undefined> {
  const { items } = await read<{ items: LogLineView[] }>(`${url}/chaya/v1/logs?app=vault`);
  const lines = items.filter((line) => line.callId === callId).map(({ text }) => text);
  return lines.length < countMin ? undefined : lines;
}

/** Files below `directory` that hold the text somewhere. */
function filesWith(directory: string, text: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => {
    const path = join(directory, name);
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true && readFileSync(path).includes(text);
  });
}
