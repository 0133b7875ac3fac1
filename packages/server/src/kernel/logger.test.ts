import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";

it("writes errors with message, stack and causes, whatever they are filed under", () => {
  const program = `
    import { createLogger } from ${JSON.stringify(new URL("./logger.ts", import.meta.url).href)};
    const error = new TypeError("outer", { cause: new Error("inner") });
    createLogger("info").error("it failed", { error });
    createLogger("info").error("it failed", { err: error });
    createLogger("info").error("it failed", { error: "said in words" });
  `;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  const lines = stderr
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const whole = { type: "TypeError", message: "outer", stack: expect.any(String), cause: { message: "inner" } };
  expect(lines).toMatchObject([{ error: whole }, { err: whole }, { error: "said in words" }]);
});
