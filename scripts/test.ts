// Runs every suite, prints its time and closes with one line: N passed, N failed.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startPostgres } from "./postgres.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const suites = ["unit", "conformance", "acceptance"] as const;
/** `npm test -- FILTER…` runs the test files whose path contains a filter. */
const filters = process.argv.slice(2);

const directory = mkdtempSync(join(tmpdir(), "chaya-test-"));
const postgres = await startPostgres();
let passed = 0;
let failed = 0;
try {
  for (const suite of suites) {
    const startedMs = performance.now();
    const report = join(directory, `${suite}.json`);
    const code = await vitest(suite, report);
    const counts = readCounts(report);
    passed += counts.passed;
    // A suite that could not even be loaded counts as one failure.
    failed += counts.failed + (code !== 0 && counts.failed === 0 ? 1 : 0);
    console.log(`suite ${suite}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  }
} finally {
  await postgres.stop();
  rmSync(directory, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function vitest(suite: string, report: string): Promise<number> {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const child = spawn(
    join(root, "node_modules/.bin/vitest"),
    ["run", "--project", suite, "--passWithNoTests", ...reporters, ...filters],
    { cwd: root, stdio: "inherit", env: { ...process.env, CHAYA_TEST_POSTGRES: postgres.url } },
  );
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

function readCounts(report: string): { passed: number; failed: number } {
  try {
    // The shape of vitest's JSON reporter.
    const json = JSON.parse(readFileSync(report, "utf8")) as { numPassedTests: number; numFailedTests: number };
    return { passed: json.numPassedTests, failed: json.numFailedTests };
  } catch {
    return { passed: 0, failed: 1 };
  }
}
