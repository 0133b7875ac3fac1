import { mkdir, mkdtemp, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { removeTree } from "../../../kernel/archive/index.ts";
import { readBootId, readProcess } from "./process-table.ts";

/** What an instance has on disk, from before its process starts until after it is gone. */
export interface InstanceDirectory {
  readonly path: string;
  readonly socketDirectory: string;
  readonly temporaryDirectory: string;
}

/** Who the process of an instance is: kept so that the next server can end what this one could not. */
export interface ProcessRecord {
  readonly pid: number;
  readonly startTicks: number;
  readonly bootId: string;
}

// unix(7): 108 bytes with the final NUL on Linux, 104 elsewhere; the longest name an FDK makes is phonylsnr.sock.
const socketDirectoryBytesMax = 103 - "/phonylsnr.sock".length;

/** Makes the directory of an instance. A socket directory with too long a path lies below `shortDirectory` instead. */
export async function makeInstanceDirectory(options: {
  readonly instancesDirectory: string;
  readonly instanceId: string;
  readonly shortDirectory: string;
}): Promise<InstanceDirectory> {
  const path = join(options.instancesDirectory, options.instanceId);
  const temporaryDirectory = join(path, "tmp");
  await mkdir(path, { mode: 0o700 });
  await mkdir(temporaryDirectory, { mode: 0o700 });
  let socketDirectory = join(path, "s");
  if (Buffer.byteLength(socketDirectory) <= socketDirectoryBytesMax) {
    await mkdir(socketDirectory, { mode: 0o700 });
  } else {
    const link = socketDirectory;
    socketDirectory = await mkdtemp(join(options.shortDirectory, "chaya-"));
    await symlink(socketDirectory, link);
  }
  return { path, socketDirectory, temporaryDirectory };
}

/** The directory an earlier server left, and who was in it; undefined where it had not come so far. */
export async function readInstanceDirectory(
  path: string,
): Promise<{ readonly directory: InstanceDirectory; readonly record: ProcessRecord | undefined }> {
  const socketDirectory = await readlink(join(path, "s")).catch(() => join(path, "s"));
  const text = await readFile(join(path, "process"), "utf8").catch(() => "");
  const [, pid, startTicks, bootId] = /^(\d+) (\d+) (\S+)\n$/.exec(text) ?? [];
  const record = bootId === undefined ? undefined : { pid: Number(pid), startTicks: Number(startTicks), bootId };
  return { directory: { path, socketDirectory, temporaryDirectory: join(path, "tmp") }, record };
}

export async function recordProcess(directory: InstanceDirectory, pid: number): Promise<void> {
  const [row, bootId] = [readProcess(pid), readBootId()];
  if (row !== undefined && bootId !== undefined)
    await writeFile(join(directory.path, "process"), `${pid} ${row.startTicks} ${bootId}\n`, { mode: 0o600 });
}

export async function removeInstanceDirectory(directory: InstanceDirectory): Promise<void> {
  await removeTree(directory.socketDirectory);
  await removeTree(directory.path);
}
