import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { installMsMax, requireToolchains } from "../../../../../scripts/toolchains.ts";
import { removeTree } from "../../kernel/archive/index.ts";
import { systemClock } from "../../kernel/clock.ts";
import { noCredentials } from "../../testing/no-credentials.ts";
import { type BundleEntry, packBundle } from "../../testing/pack-bundle.ts";
import { sampleBytes } from "../../testing/sample-bytes.ts";
import type { RuntimeUnderTest } from "./conformance.ts";
import type { Instance, InstanceSpec, OutputLine, RuntimeDriver } from "./driver.ts";

/** A function in some language that obeys the header Fn-Do. */
interface Program {
  readonly runtime: string;
  readonly entrypoint: readonly string[];
  readonly format?: "stdio";
  /** The files of its bundle; `directory` is empty. */
  readonly build: (directory: string) => Promise<Readonly<Record<string, BundleEntry>>>;
}

const never = new AbortController().signal;
const sourceOf = (name: string) => join(import.meta.dirname, "../../testing/language-functions", name);

const programs: Readonly<Record<string, Program>> = {
  "bash, once a call": {
    runtime: "bash",
    format: "stdio",
    entrypoint: ["bash", "func.sh", "word"],
    build: async () => ({ "func.sh": readFileSync(sourceOf("func.sh"), "utf8") }),
  },
  "Python's standard library": {
    runtime: "python",
    entrypoint: ["python3", "func.py", "word"],
    build: async () => {
      requireToolchains("python3");
      return { "func.py": readFileSync(sourceOf("func.py"), "utf8") };
    },
  },
  C: {
    runtime: "any",
    entrypoint: ["./func", "word"],
    build: async (directory) => {
      requireToolchains("gcc");
      execFileSync("gcc", ["-O1", "-o", join(directory, "func"), sourceOf("func.c")]);
      return { func: { mode: 0o755, content: await readFile(join(directory, "func")) } };
    },
  },
  Go: {
    runtime: "go",
    entrypoint: ["./func", "word"],
    build: async (directory) => {
      const command = ["build", "-o", join(directory, "func"), sourceOf("func.go")];
      requireToolchains("go");
      execFileSync("go", command, {
        cwd: directory,
        env: { ...process.env, CGO_ENABLED: "0" },
      });
      return { func: { mode: 0o755, content: await readFile(join(directory, "func")) } };
    },
  },
};

/** Functions in other languages, in every variant of their socket. Toolchains come from Debian; what is absent fails. */
export function languageConformance(name: string, { make, isRunning }: RuntimeUnderTest): void {
  describe.each(Object.entries(programs))(`the runtime '${name}' with %s`, (_title, program) => {
    let directory: string;
    let runtime: RuntimeDriver;
    let bundle: Awaited<ReturnType<typeof packBundle>>;
    let lines: OutputLine[];
    let knocks: Socket[];

    beforeAll(async () => {
      const built = await mkdtemp(join(tmpdir(), "program-"));
      const { runtime: language, entrypoint, format } = program;
      const manifest = JSON.stringify({ formatVersion: 1, runtime: language, entrypoint, format });
      bundle = await packBundle({ ...(await program.build(built)), ".chaya/bundle.json": manifest });
      await removeTree(built);
    }, installMsMax);
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), "runtime-"));
      [lines, knocks] = [[], []];
      const openBundle = async () => Readable.from([bundle.bytes]);
      runtime = await make({ directory, openBundle, clock: systemClock() });
    });
    afterEach(async () => {
      await runtime[Symbol.asyncDispose]();
      await removeTree(directory);
    });

    async function start(environment: InstanceSpec["environment"] = {}): Promise<Instance> {
      const spec: InstanceSpec = {
        instanceId: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        image: bundle.image,
        functionId: "01ARZ3NDEKTSV4RRFFQ69FUNCT",
        functionName: "hello",
        applicationId: "01ARZ3NDEKTSV4RRFFQ69APP00",
        applicationName: "demo",
        memoryMiB: 128,
        environment,
        startTimeoutMs: 10_000,
        network: "none",
        onLine: (line) => lines.push(line),
        credentials: noCredentials,
        onDoorConnection: (connection) => {
          knocks.push(connection);
          connection.on("data", (bytes) => connection.write(`who knocks with ${bytes}`));
        },
      };
      const result = await runtime.start(spec, never);
      return result.kind === "started" ? result.instance : expect.fail(JSON.stringify(result));
    }
    const printed = () => lines.map((line) => Buffer.from(line.bytes).toString());

    it("answers with its environment and its arguments, call after call", async () => {
      const instance = await start({ COLOUR: "blue" });
      for (const _ of [1, 2, 3]) {
        const { status, body } = await answerOf(callProgram(instance, "tell").end("ignored"));
        expect([status, body.toString()]).toEqual([200, expect.stringMatching(/^\d+ hello .*blue word$/)]);
      }
    });

    it.each(["link", "direct"])(
      "takes and gives 1 MiB of any bytes through a socket that is made as: %s",
      async (mode) => {
        const sent = sampleBytes(1024 * 1024, 1);
        const instance = await start({ MODE: mode });
        const { status, body } = await answerOf(callProgram(instance, "echo").end(sent));
        expect(status).toBe(200);
        expect(body.equals(sent)).toBe(true);
      },
    );

    it("streams: what was sent comes back before more is sent", async () => {
      const outgoing = callProgram(await start(), "echo");
      outgoing.write("first");
      const answer = await responseOf(outgoing);
      const [first] = await once(answer, "data");
      expect(first.toString()).toBe("first");
      outgoing.end("second");
      expect(await text(answer)).toBe("second");
    });

    it("is gone when its call takes too long", async () => {
      const instance = await start();
      const { body } = await answerOf(callProgram(instance, "tell").end());
      const call = callProgram(instance, "hang").end();
      const broken = expect(responseOf(call)).rejects.toThrow();
      const [reached] = await once(call, "finish").then(() => [true]);
      expect(reached).toBe(true);
      await instance.destroy();
      await broken;
      expect(isRunning(Number.parseInt(body.toString(), 10))).toBe(false);
    });

    it("gets through its door, until it is gone", async () => {
      const instance = await start();
      const { body } = await answerOf(callProgram(instance, "door").end());
      expect(body.toString()).toBe("who knocks with knock\n");
      await instance.destroy();
      expect(knocks.map((connection) => connection.destroyed)).toEqual([true]);
    });

    if (program.format === "stdio") {
      it("gives the command what is known about the call, and never another configuration", async () => {
        const instance = await start({ FN_CALL_ID: "mine" });
        const headers = { "Fn-Call-Id": "theirs", "Content-Type": "text/x", "Fn-Fn-Name": "other" };
        const { body } = await answerOf(callProgram(instance, "tell", headers).end());
        expect(body.toString()).toMatch(/^\d+ hello mine text\/x {2}word$/);
      });

      it("fails a call whose command fails, with a sentence that says how", async () => {
        const { status, body } = await answerOf(callProgram(await start(), "fail").end());
        const sentence = "the command ended with exit code 3";
        expect([status, JSON.parse(body.toString())]).toEqual([502, { message: sentence }]);
        await expect.poll(printed).toContain(sentence);
      });

      it("breaks off an answer that began before its command failed", async () => {
        await expect(answerOf(callProgram(await start(), "late").end())).rejects.toThrow(/aborted/);
        await expect.poll(printed).toContain("the command ended with exit code 3");
      });

      it("answers for a command that does not read its input", async () => {
        const headers = { connection: "keep-alive" };
        const outgoing = callProgram(await start(), "deaf", headers).end(Buffer.alloc(1024 * 1024));
        const sent = once(outgoing, "finish");
        expect((await answerOf(outgoing)).body.toString()).toBe("heard nothing");
        // The connection is good for another call only when nothing of this one is left on it.
        await sent;
      });

      it("ends a command whose caller has gone", async () => {
        const instance = await start();
        const outgoing = callProgram(instance, "hang").end();
        outgoing.on("error", () => {});
        await expect.poll(printed).toEqual([expect.stringMatching(/^\d+$/)]);
        const pid = Number(printed()[0]);
        expect(isRunning(pid)).toBe(true);
        outgoing.destroy();
        await expect.poll(() => isRunning(pid)).toBe(false);
      });
    }
  });
}

function callProgram(instance: Instance, what: string, headers: Readonly<Record<string, string>> = {}): ClientRequest {
  const all = { host: "localhost", "Fn-Do": what, ...headers };
  const createConnection = () => {
    // One that is kept alive after its call ends with its instance, when nobody else listens.
    return instance.connect().on("error", () => {});
  };
  return request({ method: "POST", path: "/call", headers: all, createConnection });
}

async function responseOf(outgoing: ClientRequest): Promise<IncomingMessage> {
  const [answer] = await once(outgoing, "response");
  return answer;
}

async function answerOf(
  outgoing: ClientRequest,
): Promise<{ readonly status: number | undefined; readonly body: Buffer }> {
  const answer = await responseOf(outgoing);
  return { status: answer.statusCode, body: await buffer(answer) };
}
