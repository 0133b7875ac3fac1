import { createHash } from "node:crypto";
import { openFilesystemPayloads } from "../drivers/payload/filesystem/index.ts";
import { systemClock } from "../kernel/clock.ts";
import { createIds } from "../kernel/ids.ts";
import { silentLogger } from "../kernel/logger.ts";
import { seededRandom, systemRandom } from "../kernel/random.ts";

/** A program that is killed: writes payloads into the directory of its first argument, four at a time, and prints
 *  `id bytes sha256` of each once it is acknowledged. The second argument is the seed of sizes and contents. */
const [directory = "", seed = "1"] = process.argv.slice(2);
const clock = systemClock();
const ids = createIds(clock, systemRandom());
const random = seededRandom(Number(seed));
const payloads = await openFilesystemPayloads({ clock, ids, logger: silentLogger() }, { directory });

async function* chunks(bytes: number, fill: number): AsyncGenerator<Uint8Array> {
  for (let left = bytes; left > 0; left -= 65_536) yield Buffer.alloc(Math.min(left, 65_536), fill);
}

async function writeForever(): Promise<never> {
  for (;;) {
    const bytes = Math.floor(random.number() ** 4 * 2_500_000);
    const fill = Math.floor(random.number() * 256);
    const payload = await payloads.write(chunks(bytes, fill), { bytesMax: bytes });
    const sha256 = createHash("sha256").update(Buffer.alloc(bytes, fill)).digest("hex");
    process.stdout.write(`${payload.id} ${bytes} ${sha256}\n`);
  }
}

await Promise.all(Array.from({ length: 4 }, writeForever));
