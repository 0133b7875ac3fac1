// @ts-check
"use strict";
// Loaded before the main script of a function that is inspected, once a debugger is attached.
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const { fileURLToPath } = require("node:url");

/** `--inspect-brk`, `--require` and this file. */
const flagsOfOurs = 3;
const mapComment = /\n\/\/# sourceMappingURL=(?!data:)(\S+)\s*$/;

// What the function forks would wait for a debugger that never comes.
if (process.execArgv[0]?.startsWith("--inspect-brk=")) process.execArgv.splice(0, flagsOfOurs);
delete require.cache[__filename];
giveMainItsMap();

/**
 * A debugger is outside, where there are no such files: the main script brings its map along, and the map the sources
 * that travelled with the function.
 */
function giveMainItsMap() {
  // Absent before Node 22.15: the debugger learns the name of the file only.
  const hooks = /** @type {any} */ (Module).registerHooks?.({ load });
  /** @param {string} url @param {object} context @param {(url: string, context: object) => any} next */
  function load(url, context, next) {
    hooks.deregister();
    const loaded = next(url, context);
    const source = Buffer.from(loaded.source ?? "").toString();
    const found = mapComment.exec(source);
    const map = found === null ? undefined : wholeMap(fileURLToPath(new URL(found[1] ?? "", url)));
    if (found === null || map === undefined) return loaded;
    const comment = `\n//# sourceMappingURL=data:application/json;base64,${Buffer.from(map).toString("base64")}\n`;
    return { ...loaded, source: source.slice(0, found.index) + comment };
  }
}

/**
 * undefined: it is none that could be read; the debugger does without.
 * @param {string} file
 */
function wholeMap(file) {
  try {
    const map = JSON.parse(fs.readFileSync(file, "utf8"));
    const contents = map.sources.map((/** @type {string} */ name) => readText(path.resolve(path.dirname(file), name)));
    return JSON.stringify({ ...map, sourcesContent: map.sourcesContent ?? contents });
  } catch {
    return undefined;
  }
}

/** @param {string} file */
function readText(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    // Of a package: it became part of the script and did not travel by itself.
    return null;
  }
}
