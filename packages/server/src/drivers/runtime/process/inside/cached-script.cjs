// @ts-check
"use strict";
// Makes a CommonJS file the main script, as Node does, but from code that was compiled when it was deployed.
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const vm = require("node:vm");

const sourceMapMark = "\n//# sourceMappingURL=";
/** Node reads a map as soon as it knows of it: a megabyte takes it ten milliseconds, which a first call need not pay. */
const mapCharactersAtOnceMax = 128 * 1024;
const mapDelayMs = 100;
const importModuleDynamically = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
let isPrepared = false;

/**
 * What runs the file, in the next turns; undefined: Node must do it itself. V8 refuses data of another version or
 * source, and compiles then.
 * @param {string} file absolute
 * @param {string} cacheFile V8's cached data of `new vm.Script(Module.wrap(source))`
 * @returns {(() => void) | undefined}
 */
exports.cachedScript = function cachedScript(file, cacheFile) {
  const source = file.endsWith(".cjs") ? readText(file) : undefined;
  const cachedData = readBytes(cacheFile);
  // A first line for a shell stands outside of the language.
  if (source === undefined || cachedData === undefined || source.startsWith("#!")) return undefined;
  const filename = fs.realpathSync(file);
  const directory = path.dirname(filename);
  const internal = /** @type {any} */ (Module);
  const main = new internal(filename, null);
  Object.assign(main, { id: ".", filename, paths: internal._nodeModulePaths(directory) });
  process.mainModule = main;
  require.cache[filename] = main;
  const run = compile(filename, source, cachedData);
  // Bound, so that no line of this file stands in the function's stack traces.
  const bound = run.bind(main.exports, main.exports, Module.createRequire(filename), main, filename, directory);
  return () => {
    process.nextTick(process.sourceMapsEnabled ? withSourceMap(bound, main, source) : bound);
    // Ticks come before promises: whatever the script waits for finds it loaded.
    process.nextTick(() => Object.assign(main, { loaded: true }));
  };
};

/** Needed once, before the first script. Node warns at the first `import()` that goes this way: it is ours. */
function prepare() {
  isPrepared = true;
  const { emitWarning } = process;
  process.emitWarning = () => {};
  new vm.Script('import("node:vm")', { importModuleDynamically }).runInThisContext();
  process.emitWarning = emitWarning;
}

/** @param {string} filename @param {string} source @param {Buffer} cachedData */
function compile(filename, source, cachedData) {
  if (!isPrepared) prepare();
  const columnOffset = -(/** @type {any} */ (Module).wrapper[0].length);
  const options = { filename, columnOffset, cachedData, importModuleDynamically };
  return new vm.Script(Module.wrap(source), options).runInThisContext();
}

/**
 * The same, so that stacks name the lines of the source: from the beginning where the map is small, else a moment later
 * or as soon as the script fails.
 * @param {() => void} run
 * @param {import("node:module")} main
 * @param {string} source
 */
function withSourceMap(run, main, source) {
  const at = source.lastIndexOf(sourceMapMark);
  if (at === -1) return run;
  const [comment = ""] = source.slice(at + 1).split("\n", 1);
  if (comment.length <= mapCharactersAtOnceMax) {
    noteSourceMap(main, source, { at, comment });
    return run;
  }
  return () => {
    const timer = setTimeout(() => noteSourceMap(main, source, { at, comment }), mapDelayMs).unref();
    let isDone = false;
    try {
      run();
      isDone = true;
    } finally {
      // Its stack is written when it is first read, which is later.
      if (!isDone) noteSourceMap(main, source, { at, comment });
      if (!isDone) clearTimeout(timer);
    }
  };
}

/**
 * Node looks for source maps only where it compiles modules itself: it gets a module of this name that has nothing but
 * the map, at the line where the map stands.
 * @param {import("node:module")} main
 * @param {string} source
 * @param {{ at: number, comment: string }} found
 */
function noteSourceMap(main, source, { at, comment }) {
  const lines = source.slice(0, at + 1).split("\n").length - 1;
  /** @type {any} */ (main)._compile("\n".repeat(lines) + comment, main.filename);
}

/** @param {string} file */
function readText(file) {
  return readBytes(file)?.toString();
}

/** @param {string} file Whatever cannot be read is told by whoever reads it next. */
function readBytes(file) {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}
