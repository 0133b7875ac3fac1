import type { InstanceView } from "@chaya/contract/chaya";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exchangeRaw } from "../packages/server/src/testing/raw-http.ts";
import { endedCall, send, until } from "./calls.ts";
import { deployCode } from "./deploy-code.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

/** Asks at its door for what it is told to; and once, before it listens, for what it is. */
const asking = `
const fdk = require("@fnproject/fdk");
const ask = async (path, options) => {
  const answer = await fetch(new URL(path, process.env.OCI_LOCAL_ENDPOINT), options).catch(() => undefined);
  if (answer === undefined) return { status: 0 };
  return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.json() };
};
ask("/chaya/v1/instance").then((early) =>
  fdk.handle(async ({ path, options, exit }) => {
    if (exit) process.exit(0);
    return { door: process.env.OCI_LOCAL_ENDPOINT, early, answer: await ask(path, options) };
  }),
);
`;

interface Asked {
  readonly door: string;
  readonly early: DoorAnswer<InstanceView>;
  readonly answer: DoorAnswer<unknown>;
}

interface DoorAnswer<T> {
  readonly status: number;
  readonly type: string;
  readonly body: T;
}

describe.each(["none", "bwrap"])("a function at its door, with --sandbox %s", (sandbox) => {
  let server: ServerProcess;
  let fnId: string;
  beforeAll(async () => {
    server = await startServerProcess({ environment: { CHAYA_SANDBOX: sandbox } });
    fnId = await deployCode(server.url, { app: "doors", name: "asks", code: asking, memory: 96 });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it("learns what it is, while it starts and during a call", async () => {
    const { text } = await send(`${server.url}/v2/fns/${fnId}`, undefined, { method: "GET" });
    const { app_id, image } = JSON.parse(text);
    const { asked, callId } = await ask({ path: "/chaya/v1/instance" });
    expect(asked.door).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(asked.early).toMatchObject({ status: 200, type: "application/json; charset=utf-8" });
    expect(asked.early.body).toEqual({
      ...{ id: expect.stringMatching(/^[0-9A-Z]{26}$/), functionId: fnId, function: "asks" },
      ...{ applicationId: app_id, application: "doors", image, memoryMiB: 96, region: "us-ashburn-1" },
      startedAt: expect.stringMatching(/Z$/),
    });
    expect(asked.answer).toMatchObject({ status: 200, body: { ...asked.early.body, callId } });
    expect((await endedCall(server.url, callId)).status).toBe("succeeded");
  });

  it("is told apart from every other instance", async () => {
    const twin = await deployCode(server.url, { app: "doors", name: "twin", code: asking });
    const [one, other] = [await ask({ path: "/chaya/v1/instance" }), await ask({ path: "/chaya/v1/instance" }, twin)];
    expect(one.asked.early.body).toMatchObject({ function: "asks" });
    expect(other.asked.early.body).toMatchObject({ function: "twin", functionId: twin });
    expect(other.asked.early.body.id).not.toBe(one.asked.early.body.id);
  });

  it("finds nothing of the main port there, and the main port nothing of the door", async () => {
    for (const path of ["/v2/apps", "/chaya/v1/node", "/chaya/v1/calls", "/metrics", "/"]) {
      const { asked } = await ask({ path });
      expect(asked.answer).toMatchObject({
        ...{ status: 404, type: "application/problem+json" },
        body: { code: "door-path-not-found", path },
      });
    }
    const main = await send(`${server.url}/chaya/v1/instance`, undefined, { method: "GET" });
    expect(main.status).toBe(404);
    expect(JSON.parse(main.text)).toMatchObject({ code: "path-not-found" });
  });

  it("cannot pose as someone else", async () => {
    const options = { headers: { authorization: "Signature keyId=x" } };
    const { asked } = await ask({ path: "/chaya/v1/instance", options });
    expect(asked.answer).toMatchObject({ status: 401, body: { code: "credentials-invalid" } });
  });

  it("has no door any more once it has ended", async () => {
    const gone = await deployCode(server.url, { app: "doors", name: "gone", code: asking });
    const { asked } = await ask({ path: "/chaya/v1/instance" }, gone);
    const port = Number(new URL(asked.door).port);
    await send(`${server.url}/invoke/${gone}`, { exit: true });
    const request = `GET /chaya/v1/instance HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
    await until(async () => ((await exchangeRaw(port, request).catch(() => undefined)) ? undefined : true), "its end");
    const next = await ask({ path: "/chaya/v1/instance" }, gone);
    expect(next.asked.early.body.id).not.toBe(asked.early.body.id);
  });

  it.each([undefined, "none", "outbound"])("has its door with chaya/network: %s", async (network) => {
    const annotations = network === undefined ? {} : { "chaya/network": network };
    const id = await deployCode(server.url, { app: "doors", name: `net-${network}`, code: asking, annotations });
    const { asked } = await ask({ path: "/chaya/v1/instance" }, id);
    expect(asked.answer).toMatchObject({ status: 200, body: { functionId: id } });
  });

  it("reaches this machine where it shares its network, and is reached from there, else neither", async () => {
    const isAlone = sandbox === "bwrap";
    const { asked } = await ask({ path: `${server.url}/version` });
    expect(asked.answer.status).toBe(isAlone ? 0 : 200);
    const { port } = new URL(asked.door);
    const answer = await fetch(`http://127.0.0.1:${port}/chaya/v1/instance`).catch(() => undefined);
    expect(answer?.status).toBe(isAlone ? undefined : 200);
  });

  async function ask(input: object, id = fnId): Promise<{ readonly asked: Asked; readonly callId: string }> {
    const { status, text, headers } = await send(`${server.url}/invoke/${id}`, input);
    expect(status, text).toBe(200);
    return { asked: JSON.parse(text), callId: headers.get("fn-call-id") ?? "" };
  }
});
