import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../kernel/clock.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { exchangeRaw, RawClient } from "../../testing/raw-http.ts";
import { dataDoor, echo, startTestFront, type TestFront } from "../../testing/test-front.ts";
import type { Exchange } from "../exchange.ts";

const get = "GET /t/a/b HTTP/1.1\r\nHost: localhost\r\n\r\n";
const doorAt = (serve: (exchange: Exchange) => void) => [dataDoor("/t/{app}/{source...}", serve)];

/** A front whose next exchange can be waited for. */
async function startObserved(overrides: Parameters<typeof startTestFront>[1] = {}) {
  const arrived: Exchange[] = [];
  let wake = () => {};
  const front = await startTestFront(
    doorAt((exchange) => {
      arrived.push(exchange);
      wake();
    }),
    overrides,
  );
  const next = async (): Promise<Exchange> => {
    for (;;) {
      const exchange = arrived.shift();
      if (exchange !== undefined) return exchange;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { front, next };
}

async function serves(front: TestFront, next: () => Promise<Exchange>): Promise<boolean> {
  const answer = exchangeRaw(front.port, get);
  echo(await next());
  return (await answer)?.status === 200;
}

describe("a client that stands still", () => {
  it("within its headers is cut by the header time-out, whatever it trickles", async () => {
    const limits = { headersTimeoutMs: 150, sweepMs: 30 };
    await using front = await startTestFront(doorAt(echo), { clock: systemClock(), limits });
    await using silent = await RawClient.connect(front.port);
    await using slow = await RawClient.connect(front.port);
    slow.send("GET /t/a/b HTTP/1.1\r\nHost: local");
    expect((await exchangeRaw(front.port, get))?.status).toBe(200);
    slow.send("host\r\nX: ");
    expect((await slow.answer())?.status).toBe(408);
    slow.socket.end();
    await Promise.all([slow.closed, silent.closed]);
    expect((await exchangeRaw(front.port, get))?.status).toBe(200);
  });

  it("within a later head too, and before a first one, by the clock of the server", async () => {
    const clock = new ManualClock();
    await using front = await startTestFront(doorAt(echo), { clock });
    await using silent = await RawClient.connect(front.port);
    await using again = await RawClient.connect(front.port);
    await using idle = await RawClient.connect(front.port);
    for (const client of [again, idle]) expect((await client.send(get).answer())?.status).toBe(200);
    await clock.advance(1_000);
    again.send("GET /t/a/b HT");
    let cut = 0;
    const answers = [silent, again].map(async (client) => {
      expect((await client.answer())?.status).toBe(408);
      cut++;
    });
    // What was sent may arrive after seconds of this clock.
    for (let second = 0; second < 1_000 && cut < 2; second++) {
      await clock.advance(1_000);
      expect((await exchangeRaw(front.port, get))?.status).toBe(200);
    }
    await Promise.all(answers);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(15_000);
    expect((await idle.send(get).answer())?.status).toBe(200);
  });

  it("within its body is answered 408 and cut, and others are served meanwhile", async () => {
    const clock = new ManualClock();
    const { front, next } = await startObserved({ clock });
    await using _ = front;
    await using slow = await RawClient.connect(front.port);
    slow.send("POST /t/a/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
    const { request } = await next();
    request.resume();
    await clock.advance(50_000);
    expect(await serves(front, next)).toBe(true);
    await clock.advance(15_000);
    expect((await slow.answer())?.status).toBe(408);
    await clock.advance(5_000);
    await slow.closed;
    expect(request.destroyed).toBe(true);
    expect(await serves(front, next)).toBe(true);
  });

  it.each([
    ["2^53", "20000000000000"],
    ["nearly 2^64", "ffffffffffffffff"],
  ])("behind a chunk size of %s, which no body ever has, is answered 408 and cut", async (_name, size) => {
    const clock = new ManualClock();
    const { front, next } = await startObserved({ clock });
    await using _ = front;
    await using endless = await RawClient.connect(front.port);
    endless.send(`POST /t/a/b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\nhello`);
    const { request } = await next();
    request.resume();
    await once(request, "data");
    await clock.advance(65_000);
    expect((await endless.answer())?.status).toBe(408);
    await clock.advance(5_000);
    await endless.closed;
  });

  it("is cut although it trickles a byte now and then", async () => {
    const clock = new ManualClock();
    const { front, next } = await startObserved({ clock });
    await using _ = front;
    await using slow = await RawClient.connect(front.port);
    slow.send("POST /t/a/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
    const { request } = await next();
    for (let second = 0; second < 60; second += 10) {
      slow.send("x");
      await once(request, "data");
      await clock.advance(10_000);
    }
    await clock.advance(5_000);
    expect((await slow.answer())?.status).toBe(408);
  });

  it("is not cut while it moves, however long it takes", async () => {
    const clock = new ManualClock();
    const { front, next } = await startObserved({ clock });
    await using _ = front;
    await using steady = await RawClient.connect(front.port);
    const kibi = "x".repeat(1024);
    steady.send(`POST /t/a/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${10 * 1024}\r\n\r\n`);
    const exchange = await next();
    echo(exchange);
    for (let part = 0; part < 10; part++) {
      steady.send(kibi);
      await once(exchange.request, "data");
      await clock.advance(50_000);
    }
    expect(JSON.parse((await steady.answer())?.body ?? "")).toMatchObject({ bytes: 10_240 });
  });

  it("is not blamed for a function that does not read, or does not answer yet", async () => {
    const clock = new ManualClock();
    const { front, next } = await startObserved({ clock });
    await using _ = front;
    await using waiting = await RawClient.connect(front.port);
    waiting.send("POST /t/a/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello");
    const exchange = await next();
    await once(exchange.request, "readable");
    await clock.advance(300_000);
    waiting.send("world");
    echo(exchange);
    await once(exchange.request, "end");
    expect((await waiting.answer())?.status).toBe(200);
    waiting.send(get);
    const second = await next();
    await clock.advance(300_000);
    echo(second);
    expect((await waiting.answer())?.status).toBe(200);
  });

  it("with a large answer it does not read is cut, and others are served meanwhile", async () => {
    const clock = new ManualClock();
    const { front, next } = await startObserved({ clock });
    await using _ = front;
    await using slow = await RawClient.connect(front.port);
    slow.socket.pause();
    slow.send(get);
    const { response } = await next();
    response.writeHead(200, ["Content-Type", "application/octet-stream"]);
    fill(response);
    await clock.advance(50_000);
    expect(response.destroyed).toBe(false);
    expect(await serves(front, next)).toBe(true);
    const closed = once(response, "close");
    await clock.advance(15_000);
    await closed;
    expect(response.writableFinished).toBe(false);
    expect(await serves(front, next)).toBe(true);
  });
});

describe("an answer that does not wait for the body", () => {
  const post = (bytes: number) => `POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`;

  it("reaches the client, and the connection can be used again when the body was small", async () => {
    await using front = await startTestFront(doorAt(echo));
    await using client = await RawClient.connect(front.port);
    client.send(post(10));
    expect((await client.answer())?.status).toBe(404);
    client.send(`0123456789${get}`);
    expect((await client.answer())?.status).toBe(200);
  });

  it("reaches the client before a large body ends in a closed connection", async () => {
    await using front = await startTestFront(doorAt(echo), { limits: { refusedBodyBytesMax: 100_000 } });
    await using client = await RawClient.connect(front.port);
    client.send(post(1_000_000_000));
    expect((await client.answer())?.status).toBe(404);
    const chunk = "x".repeat(50_000);
    client.send(chunk).send(chunk).send(chunk);
    await client.closed;
  });
});

describe("many idle connections", () => {
  it("are counted against a limit, and new calls are still served", async () => {
    const count = 500;
    await using front = await startTestFront(doorAt(echo), { limits: { connectionsMax: count + 1 } });
    const clients = await Promise.all(Array.from({ length: count }, () => RawClient.connect(front.port)));
    const answers = await Promise.all(clients.map((client) => client.send(get).answer()));
    expect(answers.every((answer) => answer?.status === 200)).toBe(true);
    await using last = await RawClient.connect(front.port);
    expect((await last.send(get).answer())?.status).toBe(200);
    await using refused = await RawClient.connect(front.port);
    await refused.closed;
    expect((await last.send(get).answer())?.status).toBe(200);
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  });

  it("are closed after the keep-alive time", async () => {
    const limits = { keepAliveMs: 100, sweepMs: 30 };
    await using front = await startTestFront(doorAt(echo), { clock: systemClock(), limits });
    await using client = await RawClient.connect(front.port);
    expect((await client.send(get).answer())?.headers.connection).toBe("keep-alive");
    await client.closed;
  });
});

function fill(response: ServerResponse): void {
  const chunk = Buffer.alloc(64 * 1024);
  while (response.write(chunk));
  response.once("drain", () => fill(response));
}
