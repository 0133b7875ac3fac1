import { describe, expect, it } from "vitest";
import { findControlGroupPlaces } from "./control-group-places.ts";

const v1Mounts = [
  "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755",
  "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct",
  "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
  "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids",
  "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw",
].join("\n");

describe("where the control groups of this process are", () => {
  it("is one place for each controller in version 1, also beside a version 2 without controllers", () => {
    const own = "8:pids:/\n4:memory:/system.slice/chaya.service\n1:cpu,cpuacct:/one\n0::/unified";
    expect(findControlGroupPlaces(v1Mounts, own)).toEqual({
      version: 1,
      directories: new Map([
        ["memory", "/sys/fs/cgroup/memory/system.slice/chaya.service"],
        ["pids", "/sys/fs/cgroup/pids"],
        ["cpu", "/sys/fs/cgroup/cpu,cpuacct/one"],
      ]),
    });
  });

  it("is one place for all in version 2", () => {
    const mounts = "30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec - cgroup2 cgroup2 rw,nsdelegate";
    expect(findControlGroupPlaces(mounts, "0::/user.slice/user-1000.slice/run-r1.scope\n")).toEqual({
      version: 2,
      directory: "/sys/fs/cgroup/user.slice/user-1000.slice/run-r1.scope",
    });
  });

  it("follows a mount that shows a part of the tree, as in containers", () => {
    const mounts = "35 31 0:32 /docker/abc /sys/fs/cg\\040roup ro - cgroup cgroup rw,memory";
    expect(findControlGroupPlaces(mounts, "4:memory:/docker/abc/inner")).toEqual({
      version: 1,
      directories: new Map([["memory", "/sys/fs/cg roup/inner"]]),
    });
    expect(findControlGroupPlaces(mounts, "4:memory:/docker/other")).toEqual({ version: undefined });
  });

  it("is nowhere when nothing is mounted or the texts are not what they should be", () => {
    expect(findControlGroupPlaces("", "")).toEqual({ version: undefined });
    expect(findControlGroupPlaces("garbage\n - - \n", "x\n1:2\n:::")).toEqual({ version: undefined });
  });
});
