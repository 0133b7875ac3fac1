import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { unhurriedFetch } from "./unhurried-fetch.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  // A listener on TCP has an address of this kind.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/path?query`;
}

it("sends what it is given and gives back what comes", async () => {
  const url = await serve(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    const { method, url: target } = request;
    response.writeHead(207, { "X-One": "1", "Set-Cookie": ["a=1", "b=2"] });
    response.end(JSON.stringify({ method, target, type: request.headers["content-type"], text }));
  });
  const headers = { "Content-Type": "text/x" };
  const body = new Blob(["streamed"]).stream();
  const answers = [
    await unhurriedFetch(url, { method: "PUT", headers, body: "whole" }),
    await unhurriedFetch(url, { method: "POST", headers, body }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([207, 207]);
  expect(answers[0]?.headers.get("x-one")).toBe("1");
  expect(answers[0]?.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  const asked = { target: "/path?query", type: "text/x" };
  expect(await Promise.all(answers.map((answer) => answer.json()))).toEqual([
    { ...asked, method: "PUT", text: "whole" },
    { ...asked, method: "POST", text: "streamed" },
  ]);
});

it("gives back answers that have no body", async () => {
  const answer = await unhurriedFetch(await serve((_request, response) => response.writeHead(204).end()));
  expect([answer.status, answer.body]).toEqual([204, null]);
});

it("rejects when nobody answers, when the answer is given up, and when the body breaks off", async () => {
  const url = await serve(() => {});
  const leaving = new AbortController();
  const given = unhurriedFetch(url, { signal: leaving.signal });
  leaving.abort(new Error("enough"));
  await expect(given).rejects.toThrow();
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("broke off")) });
  await expect(unhurriedFetch(url, { method: "POST", body: broken })).rejects.toThrow("broke off");
  server?.close();
  server?.closeAllConnections();
  await expect(unhurriedFetch(url)).rejects.toThrow("ECONNREFUSED");
});
