// The platform with failpoints: a server of its own process that stops before or after the n-th durable operation and
// waits to be killed.  usage: crash-server.ts DATA STORE POINT   (POINT: "none", "before:N", "after:N", "broken")
import { readConfig } from "../packages/server/src/config.ts";
import type { Stores } from "../packages/server/src/drivers/drivers.ts";
import type { PayloadDriver } from "../packages/server/src/drivers/payload/driver.ts";
import type { Applied, Store } from "../packages/server/src/drivers/store/driver.ts";
import { startPlatform } from "../packages/server/src/platform.ts";
import { delegating } from "./delegating.ts";

const [data = "", store = "", point = "none"] = process.argv.slice(2);
const [when, at] = point.split(":");
const stopAt = Number(at ?? Number.POSITIVE_INFINITY);
let isCounting = false;
let operations = 0;

const platform = await startPlatform(
  readConfig({ data, store, port: "0", "log-level": "error", sandbox: "none" }, {}),
  {
    workLeaseMs: 2_000,
    wrapStores: ({ main, telemetry }: Stores): Stores => ({ main: withFailpoints(main), telemetry }),
    wrapPayloads: (payloads: PayloadDriver): PayloadDriver =>
      delegating(payloads, {
        write: (source, options) => durable(() => payloads.write(source, options)),
        remove: (id) => durable(() => payloads.remove(id)),
      }),
  },
);
// The parent deploys first; only what follows is counted.
process.on("SIGUSR2", () => {
  isCounting = true;
  process.stdout.write("counting\n");
});
process.on("SIGTERM", () => {
  process.stdout.write(`operations ${operations}\n`, () => void platform.stop().then(() => process.exit(0)));
});
process.stdout.write(`ready ${platform.address}\n`);
setInterval(() => {}, 1_000);

function withFailpoints<Tables>(opened: Store<Tables>): Store<Tables> {
  return delegating(opened, {
    apply: (statements) =>
      when === "broken" ? acknowledgeEarly(opened, statements) : durable(() => opened.apply(statements)),
    transaction: (work) => durable(() => opened.transaction(work)),
  });
}

/** What must never be: the answer is given before the commit. The loop has to find it. */
async function acknowledgeEarly<Tables>(
  opened: Store<Tables>,
  statements: Parameters<Store<Tables>["apply"]>[0],
): Promise<Applied> {
  if (!isCounting) return opened.apply(statements);
  setTimeout(() => void opened.apply(statements), 500);
  return { kind: "applied", results: statements.map(() => ({ affected: 1, rows: [] })) };
}

async function durable<T>(operation: () => Promise<T>): Promise<T> {
  if (!isCounting) return operation();
  const number = operations++;
  if (when === "before" && number === stopAt) await untilKilled();
  const result = await operation();
  if (when === "after" && number === stopAt) await untilKilled();
  return result;
}

function untilKilled(): Promise<never> {
  process.stdout.write("stopped\n");
  return new Promise(() => {});
}
