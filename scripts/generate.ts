// Writes what derives from the contract; with --check it only says what is out of date.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { generatedFiles } from "./generated-files.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const isCheck = process.argv.includes("--check");
const stale: string[] = [];

for (const [path, text] of generatedFiles()) {
  const full = join(root, path);
  if (existsSync(full) && readFileSync(full, "utf8") === text) continue;
  stale.push(path);
  if (isCheck) continue;
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text);
}

for (const path of stale) console.error(isCheck ? `${path} is out of date: npm run generate` : `wrote ${path}`);
if (isCheck && stale.length > 0) process.exitCode = 1;
