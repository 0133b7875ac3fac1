// Everything a machine can judge without running the product: formatting, types, layers, dead code, house rules.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

interface Check {
  readonly name: string;
  readonly command: readonly string[];
}

const checks: readonly Check[] = [
  { name: "biome", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "types", command: ["tsc", "--noEmit"] },
  {
    name: "layers",
    command: ["depcruise", "packages", "--config", ".dependency-cruiser.cjs", "--output-type", "err-long"],
  },
  { name: "dead code", command: ["knip"] },
  { name: "tidy", command: ["node", "scripts/tidy.ts"] },
  { name: "generated", command: ["node", "scripts/generate.ts", "--check"] },
];

const results = await runAll(checks, 2);
for (const { name, code, seconds, output } of results) {
  console.log(`${code === 0 ? "✓" : "✗"} ${name} (${seconds.toFixed(1)} s)`);
  if (code !== 0) console.log(output.trimEnd());
}
process.exitCode = results.every(({ code }) => code === 0) ? 0 : 1;

interface Result {
  readonly name: string;
  readonly code: number;
  readonly seconds: number;
  readonly output: string;
}

async function runAll(pending: readonly Check[], countMax: number): Promise<Result[]> {
  const queue = [...pending];
  const results: Result[] = [];
  const worker = async () => {
    for (let check = queue.shift(); check !== undefined; check = queue.shift()) results.push(await run(check));
  };
  await Promise.all(Array.from({ length: countMax }, worker));
  return results;
}

function run({ name, command }: Check): Promise<Result> {
  const startedMs = performance.now();
  const [program = "", ...rest] = command;
  const bin = join(root, "node_modules/.bin");
  return new Promise((resolve, reject) => {
    const child = spawn(join(bin, program), rest, {
      cwd: root,
      env: { ...process.env, PATH: `${bin}:${process.env.PATH ?? ""}` },
    });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ name, code: code ?? 1, seconds: (performance.now() - startedMs) / 1000, output }),
    );
  });
}
