import { publicRoutes } from "@chaya/contract";
import { openApiDocument } from "@chaya/contract/openapi";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { exchangeRaw, RawClient } from "../../testing/raw-http.ts";
import { dataDoor, echo, startTestFront } from "../../testing/test-front.ts";
import type { Exchange } from "../exchange.ts";
import { publicDoors } from "./public-doors.ts";

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const doors = publicDoors({
  version: "1.2.3",
  openApi: () => openApiDocument("1.2.3"),
  metrics: ({ response }) => {
    response.writeHead(200, ["Content-Type", "text/plain; version=0.0.4", "Content-Length", "4"]);
    response.end("a 1\n");
  },
});

describe("the public routes", () => {
  it("answer what Fn's clients and people ask a server first", async () => {
    await using front = await startTestFront(doors);
    const ask = (target: string) => exchangeRaw(front.port, get(target));
    expect(await ask("/")).toMatchObject({ body: '{"goto":"https://github.com/fnproject/fn","hello":"world!"}' });
    expect(await ask("/version")).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json; charset=utf-8" },
      body: '{"version":"1.2.3"}',
    });
    expect((await ask("/healthz"))?.status).toBe(200);
    expect((await ask("/readyz"))?.status).toBe(200);
    expect((await ask("/metrics"))?.body).toBe("a 1\n");
    expect(JSON.parse((await ask("/openapi.json"))?.body ?? "")).toMatchObject({ openapi: "3.1.0" });
    expect((await ask("/?x=1"))?.status).toBe(200);
  });
});

describe("draining", () => {
  it("refuses new work with 503, lets calls in flight finish and closes their connections", async () => {
    const clock = new ManualClock();
    const held: Exchange[] = [];
    let arrived = () => {};
    const hold = dataDoor("/t/{app}/{source...}", (exchange) => {
      held.push(exchange);
      arrived();
    });
    await using test = await startTestFront([hold, ...doors], { clock });
    const { front, port } = test;
    await using idle = await RawClient.connect(port);
    await using busy = await RawClient.connect(port);
    expect((await idle.send(get("/healthz")).answer())?.status).toBe(200);
    const inFlight = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    busy.send(get("/t/a/b"));
    await inFlight;

    let isDrained = false;
    const drained = front.drain(30_000).then(() => {
      isDrained = true;
    });
    await idle.closed;
    const ready = await exchangeRaw(port, get("/readyz"));
    expect(ready).toMatchObject({ status: 503, headers: { connection: "close", "retry-after": "5" } });
    expect(JSON.parse(ready?.body ?? "")).toMatchObject({ code: "server-draining" });
    expect((await exchangeRaw(port, get("/healthz")))?.headers.connection).toBe("close");
    const refused = await exchangeRaw(port, get("/t/a/b"));
    expect(refused?.status).toBe(503);
    expect(JSON.parse(refused?.body ?? "")).toMatchObject({ message: "Timed out - server too busy" });
    expect(isDrained).toBe(false);

    for (const exchange of held) echo(exchange);
    expect(await busy.answer()).toMatchObject({ status: 200, headers: { connection: "close" } });
    await busy.closed;
    await drained;
  });

  it("ends at its deadline, and closing then cuts what is left", async () => {
    const clock = new ManualClock();
    let arrived = () => {};
    const inFlight = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const never = dataDoor("/t/{app}/{source...}", () => arrived());
    await using test = await startTestFront([never], { clock });
    await using busy = await RawClient.connect(test.port);
    busy.send(get("/t/a/b"));
    await inFlight;
    const drained = test.front.drain(30_000);
    await clock.advance(30_000);
    await drained;
    await test.front[Symbol.asyncDispose]();
    await busy.closed;
    expect(busy.rest).toBe("");
  });
});

describe("listening", () => {
  it("fails with Node's own error when the address is taken", async () => {
    await using first = await startTestFront([]);
    await using second = await startTestFront([]);
    await expect(second.front.listen("127.0.0.1", first.port)).rejects.toThrow();
    const third = await startTestFront([dataDoor("/t/{app}/{source...}", echo)]);
    await third[Symbol.asyncDispose]();
    await third[Symbol.asyncDispose]();
    await expect(RawClient.connect(third.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("knows every public route", () => {
    expect(doors.map(({ route }) => route)).toEqual(Object.values(publicRoutes));
  });
});
