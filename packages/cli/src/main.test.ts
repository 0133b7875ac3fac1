import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serverOptions } from "../../server/src/config.ts";
import { commands } from "./commands.ts";
import { runInMemory } from "./testing/memory-terminal.ts";

describe("the words of a command", () => {
  it.each([
    [["deploi"], "There is no command 'deploi'.", "Did you mean: chaya deploy"],
    [["apps", "lsit"], "There is no command 'apps lsit'.", "Did you mean: chaya apps list"],
    [["access", "userz", "list"], "There is no command 'access userz'.", "Did you mean: chaya access users"],
    [["access", "users", "lsit"], "There is no command 'access users lsit'.", "Did you mean: chaya access users list"],
    [["xyzzy"], "There is no command 'xyzzy'.", "chaya help"],
    [["apps", "list", "--jsn"], "has no flag --jsn", "Did you mean --json?"],
    [["apps", "list", "--__proto__"], "has no flag --__proto__", "See: chaya apps list --help"],
    [["apps", "list", "--json=yes"], "--json takes no value", "--help"],
    [["invoke", "demo"], "FN is missing", "Usage: chaya invoke APP FN"],
    [["apps", "get", "a", "b"], "'b' is one word too many", "Usage: chaya apps get APP"],
    [["logs", "--limit"], "--limit needs a value", "--help"],
    [["logs", "--limit", "--follow"], "--limit needs a value", "--help"],
    [["logs", "--limit", "x"], "--limit 'x' is not a whole number", ""],
    [["logs", "--app", "a", "--app", "b"], "--app was given twice", "--help"],
    [["apps", "create", "x", "--config", "novalue"], "'novalue' is not KEY=VALUE", "Example"],
    [["completion", "tcsh"], "'tcsh' is not one of bash, zsh, fish", ""],
    [["apps", "list", "--url", "ftp://x"], "not the URL of a server", "Example"],
  ])("%j are refused with code 2", async (words, what, hint) => {
    const run = await runInMemory(words);
    expect([run.code, run.out]).toEqual([2, ""]);
    expect(run.err).toContain(what);
    expect(run.err).toContain(hint);
    expect(run.err.startsWith("chaya: ")).toBe(true);
  });

  it.each([[[]], [["help"]], [["--help"]], [["-h"]]])("%j show everything there is", async (words) => {
    const run = await runInMemory(words);
    expect(run.code).toBe(0);
    for (const command of commands.filter(({ path }) => path[0] !== "complete")) {
      expect(run.out).toContain(`  ${command.path.join(" ")}  `);
    }
  });

  it.each([[["deploy", "--help"]], [["help", "deploy"]]])("%j explain one command", async (words) => {
    const run = await runInMemory(words);
    expect(run.code).toBe(0);
    expect(run.out).toContain("Usage: chaya deploy [DIR] [--flags]");
    expect(run.out).toContain("--app APP");
    expect(run.out).toContain("chaya deploy --app demo");
  });

  it("show the verbs of a noun that stands alone, as an error", async () => {
    const run = await runInMemory(["apps"]);
    expect([run.code, run.out]).toEqual([2, ""]);
    expect(run.err).toContain("apps create");
    expect(run.err).not.toContain("functions list");
  });

  it("show what may follow the first two of three words", async () => {
    const run = await runInMemory(["access", "users"]);
    expect([run.code, run.out]).toEqual([2, ""]);
    expect(run.err).toContain("access users login-link");
    expect(run.err).not.toContain("access groups");
    expect((await runInMemory(["help", "access", "audit"])).out).toContain("Usage: chaya access audit [--flags]");
  });

  it("are documented: every command, argument and flag has a summary that is a sentence", () => {
    for (const command of commands) {
      const parts = [command, ...Object.values(command.arguments), ...Object.values(command.flags)];
      for (const { summary } of parts) expect(summary, command.path.join(" ")).toMatch(/^\S.*[.…)]$|: \S/);
    }
  });

  it("take after -- what looks like a flag", async () => {
    const run = await runInMemory(["apps", "get", "--", "--weird"], {
      environment: { CHAYA_URL: "http://127.0.0.1:1" },
    });
    expect(run.code).toBe(3);
  });
});

describe("without a server", () => {
  it("a command says so, with code 3", async () => {
    const run = await runInMemory(["apps", "list", "--url", "http://127.0.0.1:1"]);
    expect(run.code).toBe(3);
    expect(run.err).toMatch(
      /^chaya: The server at http:\/\/127\.0\.0\.1:1 does not answer: .*\n {2}Start one with: chaya start/,
    );
  });

  it("version still tells its own", async () => {
    const run = await runInMemory(["--version", "--json", "--url", "http://127.0.0.1:1"]);
    expect(run.code).toBe(0);
    expect(run.json()).toMatchObject({ client: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
  });
});

describe("start", () => {
  it("has a flag for every option of the server, and no other but --example", () => {
    const start = commands.find(({ path }) => path[0] === "start");
    expect(Object.keys(start?.flags ?? {}).sort()).toEqual([...Object.keys(serverOptions), "example"].sort());
  });
});

describe("init", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(`${tmpdir()}/chaya-init-`);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("never overwrites", async () => {
    expect((await runInMemory(["init", "hello"], { directory })).code).toBe(0);
    const again = await runInMemory(["init", "hello"], { directory });
    expect([again.code, again.err]).toEqual([
      1,
      "chaya: There is a 'hello' here already.\n  Choose another name or another place.\n",
    ]);
  });

  it.each(["Hello", "con:x", "..", "a b", "-x", "日本"])("refuses '%s' as a name", async (name) => {
    expect((await runInMemory(["init", "--", name], { directory })).code).toBe(2);
  });

  it.each([
    [["--runtime", "cobol"], "Known: node, typescript, python, go, java, ruby, rust, bash, any."],
    [["--trigger", "mqtt"], "Known: http."],
  ])("refuses %j", async (flags, hint) => {
    const run = await runInMemory(["init", ...flags, "other"], { directory });
    expect([run.code, run.err.includes(hint)]).toEqual([2, true]);
  });
});
