import { route } from "@chaya/contract";
import { afterEach, describe, expect, it } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { exchangeRaw, RawClient } from "../../testing/raw-http.ts";
import { dataDoor, echo, startTestFront, type TestFront, type TestFrontOptions } from "../../testing/test-front.ts";
import type { ServedRoute, ServeExchange } from "../exchange.ts";

const asking = (path: string, more = "") =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: shouting\r\n${more}\r\n`;

function shoutingDoor(serve: ServeExchange): ServedRoute {
  const declared = route({
    ...{ method: "GET", path: "/shout", dialect: "chaya", door: "data", stream: true, upgrade: "shouting" },
    ...{ summary: "For a test.", problems: [] },
  } as const);
  return { route: declared, serve };
}

const shout: ServeExchange = async ({ upgrade }) => {
  const connection = upgrade?.accept();
  connection?.on("data", (bytes) => connection.write(String(bytes).toUpperCase()));
  connection?.on("end", () => connection.end("!"));
};

describe("a request to change the protocol", () => {
  let front: TestFront | undefined;
  const clients: RawClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client[Symbol.asyncDispose]();
    await front?.[Symbol.asyncDispose]();
    front = undefined;
  });

  async function open(serve: ServeExchange = shout, options: TestFrontOptions = {}): Promise<RawClient> {
    front = await startTestFront([shoutingDoor(serve), dataDoor("/echo", echo)], options);
    const client = await RawClient.connect(front.port);
    clients.push(client);
    return client;
  }

  it("gets the connection with everything that came behind it, for as long as both want", async () => {
    const clock = new ManualClock();
    const client = await open(shout, { clock });
    client.send(`${asking("/shout")}early `);
    await came(client, "EARLY ");
    await clock.advance(3_600_000);
    client.send("late");
    const text = await came(client, "LATE");
    expect(text).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shouting\r\n\r\n/);
    client.socket.end();
    await came(client, "!");
    await client.closed;
  });

  it("may wait for its answer longer than a body may stand still", async () => {
    const clock = new ManualClock();
    const ready = Promise.withResolvers<void>();
    const client = await open(
      async (exchange) => {
        await ready.promise;
        await shout(exchange);
      },
      { clock },
    );
    client.send(asking("/shout"));
    await clock.advance(600_000);
    ready.resolve();
    client.send("patience");
    await came(client, "PATIENCE");
  });

  it("is refused as any request is, on a connection that ends with it", async () => {
    const client = await open(() => {
      throw new Error("not to be shown");
    });
    client.send(asking("/shout"));
    expect(await came(client, "internal")).toMatch(/^HTTP\/1\.1 500 [\s\S]*Connection: close/);
    await client.closed;
  });

  it.each([
    ["on a path that speaks only HTTP", asking("/echo"), 400],
    ["on a path that nobody owns", asking("/nowhere"), 404],
    ["with a body", `${asking("/shout", "Content-Length: 3\r\n")}abc`, 400],
    ["by a foreign name", asking("/shout").replace("localhost", "evil.example"), 421],
  ])("is refused %s", async (_where, request, status) => {
    await open();
    expect((await exchangeRaw(front?.port ?? 0, request))?.status).toBe(status);
  });

  it("is an ordinary request where it names a protocol that nobody speaks here", async () => {
    await open();
    const request = asking("/echo", "Connection: close\r\n").replace("shouting", "websocket");
    expect(await exchangeRaw(front?.port ?? 0, request)).toMatchObject({ status: 200 });
  });

  it("is refused behind a request that waits for its answer: the two would be mixed", async () => {
    const client = await open();
    client.send(`POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n${asking("/shout")}`);
    await client.closed;
    expect(client.rest).not.toContain("101");
  });
});

/** Everything that has come, once that is part of it. */
async function came(client: RawClient, text: string): Promise<string> {
  await expect.poll(() => client.rest).toContain(text);
  return client.rest;
}
