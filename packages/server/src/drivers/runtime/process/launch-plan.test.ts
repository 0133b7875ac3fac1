import { describe, expect, it } from "vitest";
import { noCredentials } from "../../../testing/no-credentials.ts";
import type { InstanceSpec } from "../driver.ts";
import type { FoundEntryPoint } from "./entry-point.ts";
import { assignmentOf, type LaunchSubject, planLaunch } from "./launch-plan.ts";

const spec: InstanceSpec = {
  instanceId: "I",
  image: "bundle/demo/hello:sha256-0",
  functionId: "F",
  functionName: "hello",
  applicationId: "A",
  applicationName: "demo",
  memoryMiB: 256,
  environment: { COLOUR: "blue", FN_MEMORY: "9999", HOME: "/mine" },
  startTimeoutMs: 1,
  network: "none",
  credentials: noCredentials,
  onDoorConnection: () => {},
  onLine: () => {},
};
const host = { nodePath: "/opt/node/bin/node", pythonPath: "/usr/bin/python3", hostName: "box" };
const place = {
  codeDirectory: "/code",
  credentialsDirectory: "/i/credentials",
  socketDirectory: "/i/s",
  temporaryDirectory: "/i/tmp",
  doorPort: 4711,
  pathOf: (path: string) => path,
};

function planOf(command: readonly string[], changes: Partial<LaunchSubject> & { entry?: never } = {}) {
  return planEntry(
    { kind: "found", command, runtime: undefined, format: "http-stream", codeCache: undefined },
    changes,
  );
}

function planEntry(entry: FoundEntryPoint, changes: Partial<LaunchSubject> = {}) {
  const plan = planLaunch({ spec, node: { kind: "own" }, ...changes, entry }, host);
  return plan.kind === "launch" ? plan : expect.fail(`not launched: ${plan.kind}`);
}

const inspected = { spec: { ...spec, onInspector: () => {} } };

const configured = (environment: Readonly<Record<string, string>>) => ({ spec: { ...spec, environment } });

describe("the plan of a launch", () => {
  it("starts an inspected Node plainly, with the flags it has and without a code cache", () => {
    const entry: FoundEntryPoint = {
      ...{ kind: "found", command: ["node", "--enable-source-maps", "/function/a.cjs", "word"], runtime: undefined },
      ...{ format: "http-stream", codeCache: ".chaya/code-cache" },
    };
    expect(planEntry(entry, inspected)).toMatchObject({
      become: {
        kind: "inspect",
        program: "/opt/node/bin/node",
        words: ["--max-old-space-size=192", "--enable-source-maps", "a.cjs", "word"],
      },
      isNode: true,
    });
    const other = { node: { kind: "other", runtime: "node20", path: "/opt/node20/bin/node" } } as const;
    const plan = planEntry({ ...entry, runtime: "node20" }, { ...inspected, ...other });
    expect(plan.become).toMatchObject({ kind: "inspect", program: "/opt/node20/bin/node" });
    expect(plan.flavour.readable).toEqual(["/opt/node20/bin/node"]);
  });

  it.each([
    [["python3", "func.py"], "http-stream", /runs 'python3'/],
    [["node", "func.js"], "stdio", /stdio/],
  ] as const)("has no inspector for %j as %s", (command, format, reason) => {
    const entry: FoundEntryPoint = { kind: "found", command, runtime: undefined, format, codeCache: undefined };
    expect(planLaunch({ ...inspected, node: { kind: "own" }, entry }, host)).toEqual({
      kind: "not-inspectable",
      reason: expect.stringMatching(reason),
    });
  });

  it("imports a file of Node into a process whose heap is below the memory limit", () => {
    expect(planOf(["node", "func.js", "--flag"])).toEqual({
      kind: "launch",
      flavour: { program: "node", network: "none", heapMiB: 192, readable: [] },
      become: { kind: "import", file: "func.js", words: ["--flag"], sourceMaps: false, codeCache: undefined },
      isNode: true,
      isPython: false,
      note: undefined,
    });
    expect(planOf(["node", "--enable-source-maps", "/function/a/b.js"]).become).toMatchObject({
      file: "a/b.js",
      sourceMaps: true,
    });
  });

  it.each([
    ["a flag", ["node", "--expose-gc", "func.js"], {}, /has the flag --expose-gc$/],
    ["no file", ["node"], {}, /names no file$/],
    ["what Node reads at its start", ["node", "f.js"], { NODE_OPTIONS: "--x" }, /has NODE_OPTIONS, which Node reads/],
    ["what the loader reads", ["node", "f.js"], { LD_PRELOAD: "x.so" }, /has LD_PRELOAD/],
  ])("starts Node plainly for %s, and says so", (_title, command, environment, note) => {
    const plan = planOf(command, configured(environment));
    const words = ["--max-old-space-size=192", ...command.slice(1)];
    expect(plan.become).toEqual({ kind: "replace", program: "/opt/node/bin/node", words });
    expect(plan.note).toMatch(note);
    expect(plan.isNode).toBe(true);
  });

  it.each([{ NODE_ENV: "production" }, { PYTHONPATH: "lib" }, { NODE_TLS_REJECT_UNAUTHORIZED: "0" }, { TZ: "UTC" }])(
    "does not mind what is read later: %o",
    (environment) => {
      expect(planOf(["node", "func.js"], configured(environment)).become.kind).toBe("import");
      expect(planOf(["python3", "func.py"], configured(environment)).become.kind).toBe("python-file");
    },
  );

  it("runs another Node as it is, which the process must be able to see", () => {
    const plan = planOf(["node", "func.js"], { node: { kind: "other", runtime: "node20", path: "/n/node" } });
    expect(plan.become).toMatchObject({ kind: "replace", program: "/n/node" });
    expect(plan.flavour.readable).toEqual(["/n/node"]);
    expect(plan.note).toMatch(/runtime is node20/);
  });

  it.each([
    [["python3", "func.py", "x"], { kind: "python-file", file: "func.py", words: ["x"] }],
    [["/python/bin/fdk", "/function/func.py", "handler"], { kind: "python-fdk", file: "func.py", words: ["handler"] }],
  ])("runs Python in an interpreter that waits: %o", (command, become) => {
    const plan = planOf(command);
    expect(plan).toMatchObject({ become, flavour: { program: "python", heapMiB: 0 }, isPython: true, note: undefined });
  });

  it("runs Python plainly when it must, Fn's FDK too", () => {
    const changes = configured({ PYTHONHASHSEED: "0" });
    expect(planOf(["python3", "-m", "func"]).become).toMatchObject({
      program: "/usr/bin/python3",
      words: ["-m", "func"],
    });
    expect(planOf(["fdk", "func.py", "handler"], changes)).toMatchObject({
      become: { words: ["-c", expect.stringContaining("fdk.scripts.fdk"), "func.py", "handler"] },
      note: expect.stringContaining("PYTHONHASHSEED"),
    });
  });

  it("says what is missing: another Node, or Python", () => {
    const entry = { kind: "found", command: ["python3", "f.py"], format: "http-stream" } as const;
    const subject = {
      spec,
      node: { kind: "own" },
      entry: { ...entry, runtime: undefined, codeCache: undefined },
    } as const;
    const plan = planLaunch(subject, { ...host, pythonPath: undefined });
    expect(plan).toEqual({ kind: "refused", how: expect.stringContaining("no python3") });
    const node = { kind: "none", why: "no node20" } as const;
    const other = planLaunch({ ...subject, node, entry: { ...subject.entry, command: ["node", "f.js"] } }, host);
    expect(other).toEqual({ kind: "refused", how: "no node20" });
  });

  it("takes any process that waits for programs of other kinds, and for those that run once a call", () => {
    const flavour = { program: "node", network: "none", heapMiB: 96, readable: [] };
    expect(planOf(["./func", "-v"])).toMatchObject({
      flavour,
      become: { kind: "replace", program: "./func", words: ["-v"] },
    });
    const entry = { kind: "found", command: ["bash", "f.sh"], runtime: "bash", codeCache: undefined } as const;
    expect(planEntry({ ...entry, format: "stdio" })).toMatchObject({
      flavour,
      become: { kind: "stdio", command: ["bash", "f.sh"] },
    });
  });
});

describe("the assignment of a process", () => {
  it("lays the contract's variables over the configuration and that over what every instance has", () => {
    expect(assignmentOf({ spec, plan: planOf(["node", "func.js"]) }, host, place)).toEqual({
      ...{ kind: "import", file: "func.js", words: [], sourceMaps: false, directory: "/code" },
      environment: {
        PATH: "/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        HOME: "/mine",
        TMPDIR: "/i/tmp",
        HOSTNAME: "box",
        COLOUR: "blue",
        OCI_LOCAL_ENDPOINT: "http://127.0.0.1:4711",
        FN_LISTENER: "unix:/i/s/lsnr.sock",
        FN_FORMAT: "http-stream",
        FN_MEMORY: "256",
        FN_TYPE: "sync",
        FN_FN_ID: "F",
        FN_APP_ID: "A",
        FN_FN_NAME: "hello",
        FN_APP_NAME: "demo",
      },
    });
  });

  it("names the platform's files as they are inside", () => {
    const inside = { ...place, pathOf: (path: string) => path.replace("/opt/node/bin/", "/opt/chaya/0/") };
    const plan = planOf(["node", "--expose-gc", "func.js"]);
    const { environment, ...become } = assignmentOf({ spec, plan }, host, inside);
    expect(become).toMatchObject({ kind: "replace", program: "/opt/chaya/0/node" });
    expect(environment.PATH).toMatch(/^\/opt\/chaya\/0:/);
  });

  it("lets Python find its code and its packages before what the configuration names", () => {
    const plan = planOf(["python3", "func.py"]);
    const { environment } = assignmentOf({ spec: { ...spec, environment: { PYTHONPATH: "lib" } }, plan }, host, place);
    expect(environment).toMatchObject({ PYTHONPATH: "/code:/code/.chaya/python:lib", PYTHONUNBUFFERED: "1" });
  });
});
