import { storeDrivers } from "../drivers/drivers.ts";
import { systemClock } from "../kernel/clock.ts";
import { systemRandom } from "../kernel/random.ts";

// A process that writes until it is killed: each batch puts the same value under two keys, and a line with the number
// of the batch is printed once it was acknowledged. Arguments: kind, location, number of the first batch.

const [kind, location = "", first = "0"] = process.argv.slice(2);
const deps = { clock: systemClock(), random: systemRandom() };
const { main } =
  kind === "postgres"
    ? await storeDrivers.postgres.open({ url: location }, deps)
    : await storeDrivers.embedded.open({ directory: location }, deps);

let next = Number(first);
await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));

async function write(writer: number): Promise<void> {
  for (;;) {
    const number = next++;
    const rows = ["left", "right"].map((side) => ({ key: `${number}-${side}`, value: `${number}` }));
    if (writer === 0) await main.transaction((tx) => tx.insertInto("facts").values(rows).execute());
    else await main.apply(rows.map((row) => ({ query: main.db.insertInto("facts").values(row), expect: 1 })));
    process.stdout.write(`${number}\n`);
  }
}
