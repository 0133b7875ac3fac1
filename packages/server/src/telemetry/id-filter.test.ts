import { expect, it } from "vitest";
import { createIds } from "../kernel/ids.ts";
import { seededRandom } from "../kernel/random.ts";
import { IdFilter } from "./id-filter.ts";

it("knows every id that was added, and hardly ever another", () => {
  let nowMs = 1_700_000_000_000;
  const newId = createIds({ nowMs: () => nowMs }, seededRandom(3));
  const filter = new IdFilter();
  const ids = Array.from({ length: 20_000 }, (_, index) => {
    if (index % 15 === 0) nowMs++;
    return newId();
  });
  expect(ids.filter((id) => !filter.add(id)).length).toBeLessThan(3);
  expect(ids.every((id) => filter.has(id) && !filter.add(id))).toBe(true);
  expect(Array.from({ length: 20_000 }, newId).filter((id) => filter.has(id)).length).toBeLessThan(3);
});
