import { describe, expect, it } from "vitest";
import { planLaunch } from "./launch-plan.ts";

const spec = {
  instanceId: "I",
  image: "bundle/demo/hello:sha256-0",
  functionId: "F",
  functionName: "hello",
  applicationId: "A",
  applicationName: "demo",
  memoryMiB: 256,
  environment: { COLOUR: "blue", FN_MEMORY: "9999", HOME: "/mine" },
  startTimeoutMs: 1,
  network: "outbound",
  onLine: () => {},
} as const;
const where = { codeDirectory: "/code", socketDirectory: "/i/s", temporaryDirectory: "/i/tmp" };
const host = { nodePath: "/opt/node/bin/node", setprivPath: "/usr/bin/setpriv", hostName: "box" };

describe("the plan of a launch", () => {
  it("runs the pinned Node, bound to the life of the server, with a heap below the memory limit", () => {
    const plan = planLaunch(spec, host, { ...where, command: ["node", "--flag", "func.js"] });
    expect([plan.program, ...plan.arguments]).toEqual([
      ...["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"],
      ...["/opt/node/bin/node", "--max-old-space-size=192", "--flag", "func.js"],
    ]);
    expect(plan).toMatchObject({ directory: "/code", isNode: true });
  });

  it("runs other programs as they are, and without setpriv where there is none", () => {
    const plan = planLaunch(spec, { ...host, setprivPath: undefined }, { ...where, command: ["-v", ";rm"] });
    expect([plan.program, ...plan.arguments]).toEqual(["-v", ";rm"]);
    expect(plan.isNode).toBe(false);
  });

  it("lays the contract's variables over the configuration and that over what every instance has", () => {
    expect(planLaunch(spec, host, { ...where, command: ["node"] }).environment).toEqual({
      PATH: "/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/mine",
      TMPDIR: "/i/tmp",
      HOSTNAME: "box",
      COLOUR: "blue",
      FN_LISTENER: "unix:/i/s/lsnr.sock",
      FN_FORMAT: "http-stream",
      FN_MEMORY: "256",
      FN_TYPE: "sync",
      FN_FN_ID: "F",
      FN_APP_ID: "A",
      FN_FN_NAME: "hello",
      FN_APP_NAME: "demo",
    });
  });
});
