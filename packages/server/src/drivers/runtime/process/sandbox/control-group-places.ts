import { join, posix } from "node:path";

/** The controllers that an instance is limited by. */
export const controllers = ["memory", "pids", "cpu"] as const;
export type Controller = (typeof controllers)[number];

/** Where this process itself is. Version 1 has a tree for each controller, version 2 one for all. */
export type ControlGroupPlaces =
  | { readonly version: 1; readonly directories: ReadonlyMap<Controller, string> }
  | { readonly version: 2; readonly directory: string }
  | { readonly version: undefined };

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  /** Options of the tree: its controllers, in version 1. */
  readonly options: readonly string[];
}

/**
 * Finds them from `/proc/self/mountinfo` and `/proc/self/cgroup` (proc_pid_mountinfo(5), cgroups(7)). Where both versions
 * are mounted, the first has the controllers.
 */
export function findControlGroupPlaces(mountInfo: string, ownGroups: string): ControlGroupPlaces {
  const mounts = mountInfo.split("\n").flatMap(parseMount);
  const own = ownGroups.split("\n").flatMap(parseOwnGroup);
  const directories = new Map<Controller, string>();
  for (const controller of controllers) {
    const mount = mounts.find(({ type, options }) => type === "cgroup" && options.includes(controller));
    const path = own.find((group) => group.controllers.includes(controller))?.path;
    const directory = placeIn(mount, path);
    if (directory !== undefined) directories.set(controller, directory);
  }
  if (directories.size > 0) return { version: 1, directories };
  const mount = mounts.find(({ type }) => type === "cgroup2");
  const directory = placeIn(mount, own.find(({ id }) => id === "0")?.path);
  return directory === undefined ? { version: undefined } : { version: 2, directory };
}

/** undefined: it is not mounted, or lies above what is mounted here. */
function placeIn(mount: Mount | undefined, path: string | undefined): string | undefined {
  if (mount === undefined || path === undefined) return undefined;
  const below = posix.relative(mount.root, path);
  return below.startsWith("..") ? undefined : join(mount.point, below);
}

function parseMount(line: string): readonly Mount[] {
  const [left = "", right = ""] = line.split(" - ");
  const [, , , root, point] = left.split(" ");
  const [type, , options = ""] = right.split(" ");
  if (root === undefined || point === undefined || type === undefined) return [];
  return [{ root, point: unescaped(point), type, options: options.split(",") }];
}

/** Blanks and the like are written in octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function parseOwnGroup(
  line: string,
): readonly { readonly id: string; readonly controllers: readonly string[]; readonly path: string }[] {
  const [, id, names, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
  if (id === undefined || names === undefined || path === undefined) return [];
  return [{ id, controllers: names.split(","), path }];
}
