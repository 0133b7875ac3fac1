// How soon a saved file answers: `chaya deploy --watch` against a `chaya deploy` for each save, in the same run; from
// the moment the file is written to the first answer of the new code.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { percentile, verdict } from "./lib/load.ts";
import { pause, repository, startChaya, temporaryDirectory } from "./lib/tools.ts";

const watchedSaves = 50;
const plainSaves = 15;
const settleMs = 300;
const askEveryMs = 4;

interface Language {
  readonly name: string;
  readonly file: string;
  readonly code: (version: number) => string;
}

const languages: readonly Language[] = [
  {
    name: "JavaScript",
    file: "func.js",
    code: (version) => `const fdk = require("@fnproject/fdk");\nfdk.handle(() => ${version});\n`,
  },
  {
    name: "TypeScript",
    file: "func.ts",
    code: (version) =>
      `import { handle } from "@chaya/fdk";\nconst version: number = ${version};\nhandle(() => version);\n`,
  },
];

const server = await startChaya();
const cli = [join(repository, "packages/cli/bin/chaya.mjs"), "deploy", "--app", "reload", "--url", server.url];
try {
  for (const language of languages) await compare(language);
} finally {
  await server.stop();
}

async function compare({ name, file, code }: Language): Promise<void> {
  const folder = temporaryDirectory(name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "func.yaml"), `schema_version: 20180708\nname: ${name.toLowerCase()}\nruntime: node\n`);
  let version = 0;
  const save = () => writeFileSync(join(folder, file), code(++version));
  save();
  const deploy = () => spawn(process.execPath, [...cli, folder], { stdio: ["ignore", "ignore", "inherit"] });
  await ended(deploy());
  const url = await invokeUrl(name.toLowerCase());
  const plain: number[] = [];
  for (let round = 0; round < plainSaves; round++) {
    save();
    const savedMs = performance.now();
    await ended(deploy());
    await firstAnswer(url, version);
    plain.push(performance.now() - savedMs);
  }
  const watch = spawn(process.execPath, [...cli, "--watch", folder], { stdio: ["ignore", "pipe", "inherit"] });
  await once(watch.stdout, "data");
  await pause(1_000);
  const watched: number[] = [];
  for (let round = 0; round < watchedSaves; round++) {
    save();
    const savedMs = performance.now();
    await firstAnswer(url, version);
    watched.push(performance.now() - savedMs);
    await pause(settleMs);
  }
  watch.kill("SIGINT");
  const [code_] = await once(watch, "exit");
  if (code_ !== 0) throw new Error(`the watch ended with ${code_}`);
  console.log(`${name}: chaya deploy per save  ${figures(plain)}`);
  console.log(`${name}: chaya deploy --watch   ${figures(watched)}`);
  const ratio = percentile(plain, 0.5) / percentile(watched, 0.5);
  console.log(`${name}: a watched save answers ${ratio.toFixed(1)} × sooner`);
  const p95 = percentile(watched, 0.95);
  verdict(`${name}: save to first answer of ${watchedSaves}, p95`, `${p95.toFixed(0)} ms`, "< 300 ms", p95 < 300);
}

async function firstAnswer(url: string, version: number): Promise<void> {
  for (;;) {
    const answer = await fetch(url, { method: "POST" });
    if ((await answer.text()) === String(version)) return;
    await pause(askEveryMs);
  }
}

async function invokeUrl(name: string): Promise<string> {
  const find = async (path: string): Promise<string> => {
    const { items } = (await (await fetch(`${server.url}${path}`)).json()) as { items: { id: string }[] };
    return items[0]?.id ?? "";
  };
  const appId = await find("/v2/apps?name=reload");
  return `${server.url}/invoke/${await find(`/v2/fns?app_id=${appId}&name=${name}`)}`;
}

async function ended(child: ChildProcess): Promise<void> {
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`chaya deploy ended with ${code}`);
}

function figures(ms: readonly number[]): string {
  return [0.5, 0.95, 0.99].map((share) => `p${share * 100} ${percentile(ms, share).toFixed(0)} ms`).join("  ");
}
