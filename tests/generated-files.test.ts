import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { generatedFiles } from "../scripts/generated-files.ts";

const root = join(import.meta.dirname, "..");

it.each([...generatedFiles()])("%s is what the contract says today", (path, text) => {
  expect(readFileSync(join(root, path), "utf8")).toBe(text);
});

it("keeps zod out of what clients import", () => {
  for (const [path, text] of generatedFiles()) if (path.endsWith(".ts")) expect(text).not.toMatch(/^import /m);
});
