import { describe, expect, it } from "vitest";
import { CallChains } from "./call-chain.ts";

const chains = new CallChains(Buffer.alloc(32, 1));
const callId = "01TEST00000000000000000001";

describe("the call context", () => {
  it("tells the next call its depth and its cause, whatever the case of its name", () => {
    const chain = chains.sign(callId, 4);
    for (const name of ["Chaya-Chain", "chaya-chain"])
      expect(chains.read(["X-A", "b", name, chain])).toEqual({ depth: 5, parentCallId: callId });
  });

  it.each([
    ["no header", []],
    ["another key", ["Chaya-Chain", new CallChains(Buffer.alloc(32, 2)).sign(callId, 4)]],
    ["a smaller depth", ["Chaya-Chain", chains.sign(callId, 4).replace("4.", "3.")]],
    ["another call", ["Chaya-Chain", chains.sign(callId, 4).replace("0001", "0002")]],
    ["a cut signature", ["Chaya-Chain", chains.sign(callId, 4).slice(0, -1)]],
    ["something appended", ["Chaya-Chain", `${chains.sign(callId, 4)}x`]],
    ["words", ["Chaya-Chain", "please"]],
  ])("counts for nothing with %s", (_name, headers) => {
    expect(chains.read(headers)).toEqual({ depth: 0, parentCallId: undefined });
  });
});
