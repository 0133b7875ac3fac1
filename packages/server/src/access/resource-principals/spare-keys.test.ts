import { createPrivateKey, createPublicKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { limits } from "@chaya/contract";
import { afterEach, describe, expect, it } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { SpareKeys } from "./spare-keys.ts";

describe("spare key pairs", () => {
  let spares: SpareKeys;
  afterEach(() => spares[Symbol.asyncDispose]());

  it("are given to one taker each, in order, as soon as they are made", async () => {
    spares = new SpareKeys(new ManualClock());
    const order: number[] = [];
    const taken = await Promise.all(
      Array.from({ length: 2 * limits.spareKeyPairsMax }, async (_, index) => {
        const pair = await spares.take();
        order.push(index);
        return pair;
      }),
    );
    expect(order).toEqual(taken.map((_, index) => index));
    expect(new Set(taken.map(({ privateKey }) => privateKey)).size).toBe(taken.length);
    for (const { privateKey, publicKey } of taken) {
      const key = createPrivateKey(privateKey);
      expect(key.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048, publicExponent: 65537n });
      expect(createPublicKey(key).equals(createPublicKey(publicKey))).toBe(true);
    }
  });

  it("are there again after each that was taken, and one that was given back is not lost", async () => {
    spares = new SpareKeys(new ManualClock());
    await spares.full();
    const taken = await spares.take();
    await spares.full();
    const others = await Promise.all(Array.from({ length: limits.spareKeyPairsMax }, () => spares.take()));
    expect(others).not.toContain(taken);
    const waiting = Promise.all(Array.from({ length: 3 }, () => spares.take()));
    spares.giveBack(taken);
    expect(await waiting).toContain(taken);
  });

  it("are made at low priority", async () => {
    if (process.platform !== "linux") return;
    spares = new SpareKeys(new ManualClock());
    const filled = spares.full();
    // Tests beside this one have such a thread too.
    await expect.poll(() => nicenessOf("key-pairs")).toEqual(new Set(["10"]));
    await filled;
  });

  it("are made again after a while in which nobody wanted one, when the thread has ended", async () => {
    const clock = new ManualClock();
    spares = new SpareKeys(clock);
    await spares.full();
    await clock.advance(20_000);
    const taken = await Promise.all(Array.from({ length: 2 * limits.spareKeyPairsMax }, () => spares.take()));
    expect(new Set(taken).size).toBe(taken.length);
  });

  it("are refused to whoever still waits when they are closed, and to those who come later", async () => {
    spares = new SpareKeys(new ManualClock());
    const waiting = [spares.take(), spares.full()].map((refused) => expect(refused).rejects.toThrow("closing"));
    await spares[Symbol.asyncDispose]();
    await Promise.all(waiting);
    for (const refused of [spares.take(), spares.full()]) await expect(refused).rejects.toThrow("closing");
  });
});

/** Of the threads of this process that are called so. */
function nicenessOf(name: string): ReadonlySet<string | undefined> {
  const found = new Set<string | undefined>();
  for (const thread of readdirSync("/proc/self/task")) {
    try {
      const stat = readFileSync(`/proc/self/task/${thread}/stat`, "utf8");
      // proc_pid_stat(5): the name stands in parentheses, the niceness is the seventeenth field after it.
      const [, called, fields = ""] = /\((.*)\) (.*)/.exec(stat) ?? [];
      if (called === name) found.add(fields.split(" ")[16]);
    } catch {
      // It has ended.
    }
  }
  return found;
}
