import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type FakeServer, startFakeServer } from "../testing/fake-server.ts";
import { type CliRunOptions, runInMemory } from "../testing/memory-terminal.ts";
import { cliVersion } from "../version.ts";

let server: FakeServer;
beforeEach(async () => {
  server = await startFakeServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const chaya = (words: string, options: CliRunOptions = {}) =>
  runInMemory(words.split(" "), { environment: { CHAYA_URL: server.url }, ...options });

async function withFunction(): Promise<void> {
  await chaya("apps create demo");
  await chaya("functions create demo hello --image example/hello:1 --memory 64");
}

describe("records", () => {
  it("of applications are made, listed, shown, changed and deleted", async () => {
    const created = await chaya(
      "apps create demo --config A=1 --config B=x=y --annotation list=[1] --annotation text=t --syslog-url udp://h:1",
    );
    expect(created.out).toBe("Created the application demo (01APPS0).\n");
    expect(server.apps[0]).toMatchObject({
      config: { A: "1", B: "x=y" },
      annotations: { list: [1], text: "t" },
      syslog_url: "udp://h:1",
    });
    expect((await chaya("apps list")).out).toMatch(/^NAME {2}ID +UPDATED\ndemo {2}01APPS0 {2}2026/);
    expect((await chaya("apps get demo")).out).toContain("annotation list  [1]\n");
    expect((await chaya("apps update demo --config A=")).out).not.toContain("config A");
    expect((await chaya("apps delete demo")).code).toBe(0);
    expect(server.apps).toEqual([]);
  });

  it("of an application with functions are deleted only when asked twice", async () => {
    await withFunction();
    const refused = await chaya("apps delete demo");
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("chaya apps delete demo --yes")]);
    expect((await chaya("apps delete demo --yes")).out).toBe("Deleted the application demo.\n");
  });

  it("of functions and triggers are made, listed, shown, changed and deleted", async () => {
    await withFunction();
    expect((await chaya("functions list demo")).out).toContain("hello  01FNS0  example/hello:1  64");
    expect((await chaya("functions get demo hello")).out).toContain(`endpoint  ${server.url}/invoke/01FNS0\n`);
    await chaya("functions update demo hello --timeout 5 --annotation chaya/retries=3");
    expect(server.fns[0]).toMatchObject({ timeout: 5, memory: 64, annotations: { "chaya/retries": 3 } });
    expect((await chaya("triggers create demo hello web")).out).toContain("source    /web\n");
    await chaya("triggers update demo hello web --source /other");
    expect((await chaya("triggers list demo")).out).toContain(`web   hello     /other  ${server.url}/t/demo/other\n`);
    expect((await chaya("triggers get demo hello web --json")).json()).toMatchObject({ source: "/other" });
    expect((await chaya("triggers delete demo hello web")).code).toBe(0);
    expect((await chaya("functions delete demo hello")).code).toBe(0);
    expect([server.fns, server.triggers]).toEqual([[], []]);
  });

  it.each([
    ["apps get nope", "There is no application 'nope'.\n  application-not-found\n  List them with: chaya apps list"],
    ["functions get demo nope", "There is no function 'nope'."],
    ["triggers get demo hello nope", "There is no trigger 'nope'."],
    ["invoke demo nope", "There is no function 'nope'."],
  ])("that are missing are named: chaya %s", async (words, message) => {
    await withFunction();
    const run = await chaya(words);
    expect([run.code, run.out]).toEqual([1, ""]);
    expect(run.err).toContain(`chaya: ${message}`);
  });

  it("are listed to the last page", async () => {
    const pages = [{ items: [{ name: "a", id: "1" }], next_cursor: "YQ" }, { items: [{ name: "b", id: "2" }] }];
    server.answers.set("GET /v2/apps", {
      get body() {
        return pages.shift();
      },
    });
    expect((await chaya("apps list")).out.split("\n").length).toBe(4);
  });

  it("cannot act on the terminal by their names", async () => {
    server.answers.set("GET /v2/apps", {
      body: { items: [{ name: "a\u001b]0;owned\u0007", id: "1", updated_at: "x\ny" }] },
    });
    const { out } = await chaya("apps list");
    expect(out).toContain("a\\x1b]0;owned\\x07");
    expect(out.split("\n").length).toBe(3);
  });
});

describe("config", () => {
  it("is set, listed and unset, for an application and for a function", async () => {
    await withFunction();
    await chaya("config set demo A=1 B=2");
    await chaya("config set demo C=3 --fn hello");
    expect((await chaya("config list demo --json")).json()).toEqual({ A: "1", B: "2" });
    expect((await chaya("config list demo --fn hello")).out).toBe("KEY  VALUE\nC    3\n");
    await chaya("config unset demo A B");
    expect((await chaya("config list demo --json")).json()).toEqual({});
  });

  it("that looks secret is warned of, without showing it", async () => {
    await withFunction();
    const { err } = await chaya("config set demo DB_PASSWORD=hunter2 --fn hello");
    expect(err).toContain("chaya secrets set demo DB_PASSWORD --fn hello");
    expect(err).not.toContain("hunter2");
  });
});

describe("secrets", () => {
  const path = "/chaya/v1/apps/01APPS0/secrets";

  it("take their value from standard input, without the last line break", async () => {
    await withFunction();
    server.answers.set(`PUT ${path}/TOKEN`, { body: { name: "TOKEN", createdAt: "", updatedAt: "" } });
    const run = await chaya("secrets set demo TOKEN --fn hello", { stdin: "s3cret\n" });
    expect([run.out, run.err]).toEqual(["Set TOKEN. Instances that start from now on see it.\n", ""]);
    expect(server.changes.at(-1)).toBe(`PUT ${path}/TOKEN?fn=hello {"value":"s3cret"}`);
  });

  it("take it from a prompt that does not show it", async () => {
    await withFunction();
    server.answers.set(`PUT ${path}/TOKEN`, { body: { name: "TOKEN", createdAt: "", updatedAt: "" } });
    const run = await chaya("secrets set demo TOKEN", {
      stdin: "wrong\u007f\u007f\u007f\u007f\u007fright\r",
      isTTY: true,
    });
    expect(run.err).toBe("Value of TOKEN (not shown): \n");
    expect(run.out).not.toContain("right");
    expect(server.changes.at(-1)).toContain('{"value":"right"}');
  });

  it("warn about --value", async () => {
    await withFunction();
    server.answers.set(`PUT ${path}/TOKEN`, { body: { name: "TOKEN", createdAt: "", updatedAt: "" } });
    expect((await chaya("secrets set demo TOKEN --value x")).err).toContain("shell's history");
  });

  it("refuse an empty or too large value before anything is sent", async () => {
    await withFunction();
    const before = server.changes.length;
    expect((await chaya("secrets set demo TOKEN", { stdin: "\n" })).code).toBe(2);
    expect((await chaya("secrets set demo TOKEN", { stdin: "x".repeat(70_000) })).err).toContain("at most 65536 bytes");
    expect(server.changes.length).toBe(before);
  });

  it("are listed by name and removed", async () => {
    await withFunction();
    server.answers.set(`GET ${path}`, {
      body: {
        items: [
          { name: "TOKEN", updatedAt: "now" },
          { name: "KEY", function: "hello", updatedAt: "now" },
        ],
      },
    });
    server.answers.set(`DELETE ${path}/TOKEN`, { status: 204, body: "" });
    expect((await chaya("secrets list demo")).out).toBe(
      "NAME   FUNCTION  UPDATED\nTOKEN  (all)     now\nKEY    hello     now\n",
    );
    expect((await chaya("secrets unset demo TOKEN")).out).toBe("Removed TOKEN.\n");
  });
});

describe("images", () => {
  it("are listed, and an earlier one is made the current", async () => {
    await withFunction();
    server.answers.set("GET /chaya/v1/functions/01FNS0/images", {
      body: {
        items: [
          { image: "i:2", bytes: 10, createdAt: "t2", isCurrent: true },
          { image: "i:1", createdAt: "t1", isCurrent: false },
        ],
      },
    });
    server.answers.set("POST /chaya/v1/functions/01FNS0/rollback", {
      body: { image: "i:1", createdAt: "t1", isCurrent: true },
    });
    expect((await chaya("images demo hello")).out).toBe(
      "   IMAGE  BYTES  CREATED\n*  i:2    10     t2\n   i:1    -      t1\n",
    );
    expect((await chaya("rollback demo hello --to i:1")).out).toBe("hello now runs i:1\n");
    expect(server.changes.at(-1)).toBe('POST /chaya/v1/functions/01FNS0/rollback {"image":"i:1"}');
    await chaya("rollback demo hello");
    expect(server.changes.at(-1)).toBe("POST /chaya/v1/functions/01FNS0/rollback {}");
  });
});

describe("invoke", () => {
  beforeEach(withFunction);
  const path = "POST /invoke/01FNS0";

  it("sends standard input and prints the answer byte for byte", async () => {
    server.answers.set(path, { body: Buffer.from('{"hi":"\u001b"}') });
    const run = await chaya("invoke demo hello", { stdin: '{"name":"x"}' });
    expect([run.code, run.out, run.err]).toEqual([0, '{"hi":"\u001b"}', ""]);
    expect(server.changes.at(-1)).toBe('POST /invoke/01FNS0 {"name":"x"}');
  });

  it("shows an answer at a terminal without letting it act", async () => {
    server.answers.set(path, { body: "a\u001b[2J\nb" });
    expect((await chaya("invoke demo hello", { isTTY: true })).out).toBe("a\\x1b[2J\nb\n");
  });

  it("fails in three lines with the call id in the hint", async () => {
    server.answers.set(path, {
      status: 502,
      headers: { "Fn-Call-Id": "01C" },
      body: {
        message: "function failed",
        code: "function-failed",
        detail: "The function threw an error.",
        hint: "Its log has the stack: chaya calls get CALL_ID --log",
        callId: "01C",
      },
    });
    const run = await chaya("invoke demo hello", { stdin: "" });
    expect([run.code, run.out]).toEqual([1, ""]);
    expect(run.err).toBe(
      "chaya: The function threw an error.\n  function-failed, call 01C\n  Its log has the stack: chaya calls get 01C --log\n",
    );
  });

  it("tells another Fn server's refusal as well", async () => {
    server.answers.set(path, {
      status: 502,
      headers: { "Fn-Call-Id": "01C" },
      body: { message: "error receiving function response" },
    });
    const run = await chaya("invoke demo hello", { stdin: "" });
    expect([run.code, run.err]).toEqual([1, "chaya: error receiving function response\n  call 01C\n"]);
  });

  it("prints the id of a detached call", async () => {
    server.answers.set(path, { status: 202, headers: { "Fn-Call-Id": "01C" }, body: "" });
    expect((await chaya("invoke demo hello --detached", { stdin: "x" })).out).toBe("01C\n");
  });

  it("prints the whole answer as JSON, with code 1 when it is a refusal", async () => {
    server.answers.set(path, { headers: { "Fn-Call-Id": "01C" }, body: { a: 1 } });
    const good = await chaya("invoke demo hello --json", { stdin: "" });
    expect(good.json()).toMatchObject({ status: 200, callId: "01C", body: { a: 1 } });
    server.answers.set(path, { status: 504, body: Buffer.from([0xff, 0xfe]) });
    const bad = await chaya("invoke demo hello --json", { stdin: "" });
    expect([bad.code, bad.json()]).toEqual([1, expect.objectContaining({ status: 504, bodyBase64: "//4=" })]);
  });
});

describe("calls and logs", () => {
  const line = (text: string, stream = "stdout") => ({
    at: "2026-01-01T00:00:00.000Z",
    application: "demo",
    function: "hello",
    stream,
    text,
  });
  const call = {
    id: "01C",
    application: "demo",
    function: "hello",
    status: "failed",
    source: "direct",
    attempt: 2,
    acceptedAt: "t",
    waitMs: 1.25,
    runMs: 2,
    isColdStart: true,
    requestBytes: 1,
    responseBytes: 2,
    memoryMiB: 128,
    image: "i:1",
    problem: { code: "function-failed", sentence: "It threw.", hint: "See: chaya calls get CALL_ID --log" },
  };

  it("are listed with filters", async () => {
    let asked = "";
    server.answers.set("GET /chaya/v1/calls", {
      get body() {
        asked = "yes";
        return { items: [call], nextCursor: "c2" };
      },
    });
    const { out } = await chaya("calls list --app demo --status failed --limit 5");
    expect([asked, out]).toEqual([
      "yes",
      expect.stringMatching(
        /01C {3}demo\/hello {2}failed .*1\.3 ms.*function-failed\n\nThere are more: --cursor c2\n$/s,
      ),
    ]);
  });

  it("show what a failed start printed in lines of its own, everywhere", async () => {
    const sentence = "It could not be started. It printed:\nconst = 1\n\u001b[31m  ^";
    const problem = { code: "instance-start-failed", sentence, hint: "Correct it." };
    server.answers.set("GET /chaya/v1/calls/01C", { body: { ...call, problem } });
    expect((await chaya("calls get 01C")).out).toMatch(
      /It printed:\nhint +Correct it\.\n {2}const = 1\n {2}\\x1b\[31m {2}\^\n$/,
    );
    const dead = { ...call, attempts: 3, diedAt: "t", problem };
    server.answers.set("GET /chaya/v1/dead-letters", { body: { items: [dead] } });
    expect((await chaya("calls dead")).out).toMatch(/It printed:\n$/);
    const items = [line(`${sentence}\nCorrect it.`, "platform"), line("one\nline", "stdout")];
    server.answers.set("GET /chaya/v1/logs", { body: { items } });
    expect((await chaya("logs")).out).toMatch(
      /It printed:\n {4}const = 1\n {4}\\x1b\[31m {2}\^\n {4}Correct it\.\n.* one\\x0aline\n$/,
    );
  });

  it("are shown with their problem, log and input", async () => {
    server.answers.set("GET /chaya/v1/calls/01C", { body: call });
    server.answers.set("GET /chaya/v1/calls/01C/log", {
      body: { items: [line("one"), line("\u001btwo", "stderr")], isTruncated: true },
    });
    server.answers.set("GET /chaya/v1/calls/01C/input", { body: Buffer.from("raw\u0000input") });
    expect((await chaya("calls get 01C")).out).toContain("hint        See: chaya calls get 01C --log\n");
    expect((await chaya("calls get 01C --log")).out).toBe(
      "2026-01-01T00:00:00.000Z demo/hello   one\n2026-01-01T00:00:00.000Z demo/hello ! \\x1btwo\n… cut: the call wrote too much\n",
    );
    expect((await chaya("calls get 01C --input")).out).toBe("raw\u0000input");
    expect((await chaya("calls get 01C --input --log")).code).toBe(2);
  });

  it("that died are listed, redriven and deleted", async () => {
    const dead = {
      id: "01D",
      kind: "call",
      application: "demo",
      function: "hello",
      attempts: 3,
      diedAt: "t",
      problem: call.problem,
    };
    server.answers.set("GET /chaya/v1/dead-letters", { body: { items: [dead] } });
    server.answers.set("POST /chaya/v1/dead-letters/01D/redrive", { status: 204, body: "" });
    server.answers.set("DELETE /chaya/v1/dead-letters/01D", { status: 204, body: "" });
    expect((await chaya("calls dead")).out).toMatch(/01D {3}demo\/hello {2}3 .*It threw\.\n/);
    expect((await chaya("calls redrive 01D")).out).toBe("The call 01D runs again.\n");
    expect((await chaya("calls forget 01D")).code).toBe(0);
  });

  it("print log lines, and follow them to the end of the stream", async () => {
    server.answers.set("GET /chaya/v1/logs", { body: { items: [line("a\tb")] } });
    expect((await chaya("logs --app demo")).out).toBe("2026-01-01T00:00:00.000Z demo/hello   a\tb\n");
    const events = `: hi\n\ndata: ${JSON.stringify(line("one"))}\n\ndata: ${JSON.stringify(line("two", "platform"))}\n\n`;
    server.answers.set("GET /chaya/v1/logs", { headers: { "content-type": "text/event-stream" }, body: events });
    expect((await chaya("logs --follow")).out).toMatch(/one\n.* \* two\n$/);
    expect(
      (await chaya("logs -f --json")).out
        .trim()
        .split("\n")
        .map((text) => JSON.parse(text).text),
    ).toEqual(["one", "two"]);
  });
});

describe("doctor", () => {
  const node = {
    runtime: "process",
    isolation: "none",
    store: "embedded",
    node: "26.10.0",
    instances: 0,
    isolationNotes: ["Functions run as plain processes: bubblewrap is not installed.", "Control groups limit memory."],
    warnings: ["Trusted code only."],
  };

  it("finds nothing wrong, repeats the node's warnings and explains what its functions run in", async () => {
    server.answers.set("GET /version", { body: { version: cliVersion() } });
    server.answers.set("GET /chaya/v1/node", { body: node });
    const run = await chaya("doctor");
    expect(run.out).toContain("ok       The clocks of client and server agree.");
    expect(run.out).toContain("warning  Trusted code only.");
    expect(run.out).toContain("warning  Functions run as plain processes: bubblewrap is not installed.");
    expect(run.out).toContain("ok       Control groups limit memory.");
    expect(run.out).toContain("ok       @fnproject/fdk comes with the command line.");
    expect([run.code, run.out.includes("WRONG")]).toEqual([0, false]);
  });

  it("tells of another version, a clock that is off, and a server that is not Chaya", async () => {
    server.answers.set("GET /version", { body: { version: "0.3.753" } });
    const run = await chaya("doctor", { nowMs: Date.now() + 3_600_000 });
    expect(run.out).toContain("has version 0.3.753");
    expect(run.out).toMatch(/differ by 3(59|60)\d s/);
    expect(run.out).toContain("Another Fn server?");
  });

  it("says that no server answers, with code 3", async () => {
    const run = await chaya("doctor --url http://127.0.0.1:1");
    expect([run.code, run.out]).toEqual([3, expect.stringContaining("WRONG    No server answers")]);
  });
});
