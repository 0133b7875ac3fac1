// What warm calls feel of the platform's other work: a deploy, a scrape of the metrics of 10,000 functions, and a list of
// 100,000 calls, all at once.
import { applicationId, deployFunction, fdkFolder } from "./lib/deploy.ts";
import { type LoadResult, load, median, verdict } from "./lib/load.ts";
import { seedData } from "./lib/seed.ts";
import { buildGo, pause, startChaya, temporaryDirectory } from "./lib/tools.ts";

const rounds = 3;
let deploys = 0;
const folder = temporaryDirectory("stub-code");
buildGo("stub.go", folder);
const seeded = await seedData({ functions: 10_000, calls: 100_000 });
const chaya = await startChaya({ data: seeded.data });
try {
  const id = await deployFunction(chaya.url, {
    app: "bench",
    name: "stub",
    folder,
    entrypoint: ["./stub"],
    annotations: { "chaya/concurrency": 100, "chaya/capture": "off" },
  });
  const calls = () => load(chaya, { connections: 8, seconds: 5, path: `/invoke/${id}` });
  await calls();
  const quiet: LoadResult[] = [];
  const busy: LoadResult[] = [];
  for (let round = 0; round < rounds; round++) {
    quiet.push(await calls());
    busy.push(await beside(calls));
  }
  const p99 = (results: readonly LoadResult[]) => median(results.map((result) => result.p99Ms));
  console.log(`p99 quiet ${p99(quiet).toFixed(2)} ms, busy ${p99(busy).toFixed(2)} ms`);
  const ratio = p99(busy) / p99(quiet);
  verdict("p99 beside a deploy, a scrape and a long list", `${ratio.toFixed(1)} ×`, "≤ 3 ×", ratio <= 3);
} finally {
  await chaya.stop();
}

/** Runs `measured` while the other work goes on; each kind of it starts again when it is done, after a second. */
async function beside(measured: () => Promise<LoadResult>): Promise<LoadResult> {
  let isOver = false;
  const repeat = async (work: () => Promise<unknown>) => {
    while (!isOver) {
      await work();
      await pause(1_000);
    }
  };
  const others = [repeat(deploy), repeat(scrape), repeat(listCalls)];
  const result = await measured();
  isOver = true;
  await Promise.all(others);
  return result;
}

async function deploy(): Promise<void> {
  await applicationId(chaya.url, "deploys");
  const code = `require("@fnproject/fdk").handle(() => ${++deploys});`;
  await deployFunction(chaya.url, {
    app: "deploys",
    name: `deployed-${deploys}`,
    folder: fdkFolder(code),
    entrypoint: ["node", "func.js"],
  });
}

async function scrape(): Promise<void> {
  await (await fetch(`${chaya.url}/metrics`)).arrayBuffer();
}

async function listCalls(): Promise<void> {
  let cursor: string | undefined;
  for (let page = 0; page < 20; page++) {
    const query = new URLSearchParams({ limit: "100", ...(cursor === undefined ? {} : { cursor }) });
    const answer = await fetch(`${chaya.url}/chaya/v1/calls?${query}`);
    // The contract's CallList.
    cursor = ((await answer.json()) as { nextCursor?: string }).nextCursor;
    if (cursor === undefined) return;
  }
}
