// Imported once before the function is known: modules, and the builtins that FDKs import, are read and linked faster
// from then on.
import { AsyncLocalStorage } from "node:async_hooks";
import { chmodSync, rmSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { basename, dirname, isAbsolute, join } from "node:path";
import { Readable } from "node:stream";

export const imported = [
  ...[AsyncLocalStorage, chmodSync, rmSync, symlinkSync, createServer, createRequire(import.meta.url)],
  ...[basename, dirname, isAbsolute, join, Readable],
];
