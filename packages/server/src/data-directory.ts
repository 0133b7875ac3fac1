import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ConfigError } from "./config.ts";

const formatVersion = 1;

/** The data directory, held by this process alone until disposed. */
export interface DataDirectory extends Disposable {
  readonly path: string;
  /** Made with the directory, never changed: which server this is. */
  readonly serverId: string;
  /** A path inside; its folder is made. */
  folder(name: string): string;
}

/**
 * Makes or opens a data directory and locks it: a second server on the same directory is refused. The lock is a file
 * lock of the operating system, so it ends with the process, however that ends. Throws ConfigError.
 */
export function openDataDirectory(path: string, newId: () => string): DataDirectory {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new ConfigError(
      `The data directory ${path} cannot be made: ${reasonOf(error)}.`,
      "Choose another with --data.",
    );
  }
  const lock = lockDirectory(path);
  try {
    const serverId = readFormat(join(path, "format.json"), newId);
    return {
      path,
      serverId,
      folder: (name) => {
        const folder = join(path, name);
        mkdirSync(folder, { recursive: true, mode: 0o700 });
        return folder;
      },
      [Symbol.dispose]: () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** SQLite holds its exclusive lock as a lock of the operating system on the file. */
function lockDirectory(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(path, "lock"), { timeout: 0 });
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock?.close();
    if (/locked/.test(reasonOf(error)))
      throw new ConfigError(
        `Another server uses the data directory ${path}.`,
        "Stop it first, or start this one with another --data.",
      );
    throw new ConfigError(
      `The data directory ${path} cannot be used: ${reasonOf(error)}.`,
      "Choose another with --data.",
    );
  }
}

interface Format {
  readonly formatVersion: number;
  readonly serverId: string;
}

function readFormat(path: string, newId: () => string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    const format: Format = { formatVersion, serverId: newId() };
    writeFileSync(path, `${JSON.stringify(format)}\n`, { mode: 0o600, flush: true });
    return format.serverId;
  }
  const format = parseFormat(path, text);
  if (format.formatVersion > formatVersion)
    throw new ConfigError(
      `${path} has format ${format.formatVersion}; this server knows formats up to ${formatVersion}.`,
      "Use the newer server that wrote it, or another --data.",
    );
  return format.serverId;
}

function parseFormat(path: string, text: string): Format {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "formatVersion" in parsed && "serverId" in parsed) {
      const { formatVersion, serverId } = parsed;
      if (typeof formatVersion === "number" && typeof serverId === "string") return { formatVersion, serverId };
    }
  } catch (error) {
    throw new ConfigError(`${path} is damaged: ${reasonOf(error)}.`, "Restore it from a copy, or use another --data.");
  }
  throw new ConfigError(`${path} is damaged.`, "Restore it from a copy, or use another --data.");
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
