import { isProblem } from "@chaya/contract";
import { ocidOf } from "@chaya/contract/oci";
import { describe, expect, it } from "vitest";
import { parsePolicy } from "./parse-statement.ts";
import { reachOf, requireReach } from "./reach.ts";
import { idFor, MemoryDirectory, noTags } from "./testing/memory-directory.ts";

const directory = new MemoryDirectory({
  compartments: { A: "root", B: "A", C: "B", other: "root", twin: "twins", twins: "root" },
});

const compartmentA = {
  ...{ name: "A", description: "", tags: noTags, etag: "", version: 1, createdAtMs: 0 },
  parentId: idFor("root"),
};

const names: ReadonlyMap<string, string> = new Map(
  ["root", "A", "B", "C", "other", "twins", "twin"].map((name) => [idFor(name), name]),
);

/** The name of what a location reaches from a policy in a compartment. */
function reach(compartment: string, location: string): string | undefined {
  const [statement] = parsePolicy([`Allow group A to use fn-app in ${location}`]);
  const id = statement && reachOf(directory, idFor(compartment), statement.location);
  return id && (names.get(id) ?? id);
}

describe("the reach of a statement", () => {
  // The first four are those of Oracle's "Policies and compartment hierarchies".
  it.each([
    ["C", "compartment C", "C"],
    ["B", "compartment C", "C"],
    ["A", "compartment B:C", "C"],
    ["root", "compartment A:B:C", "C"],
    ["root", "tenancy", "root"],
    ["root", `compartment id ${ocidOf("tenancy", idFor("root"), "")}`, "root"],
    ["root", `compartment id ${ocidOf("compartment", idFor("C"), "")}`, "C"],
    ["B", `compartment id ${ocidOf("compartment", idFor("B"), "")}`, "B"],
  ])("attached to %s: in %s is %s", (compartment, location, expected) => {
    expect(reach(compartment, location)).toBe(expected);
  });

  it.each([
    ["A", "tenancy"],
    ["A", `compartment id ${ocidOf("tenancy", idFor("root"), "")}`],
    ["A", `compartment id ${ocidOf("compartment", idFor("other"), "")}`],
    ["B", `compartment id ${ocidOf("compartment", idFor("A"), "")}`],
    ["B", "compartment A"],
    ["A", "compartment A:B"],
    ["root", "compartment C"],
    ["root", "compartment a"],
    ["root", "compartment \u0410"],
    ["root", "compartment A:C"],
    ["root", `compartment id ${idFor("gone")}`],
    ["gone", "compartment gone"],
  ])("attached to %s: in %s is nowhere", (compartment, location) => {
    expect(reach(compartment, location)).toBeUndefined();
  });

  it("is the child rather than the compartment itself where both have the name", () => {
    const inner = idFor("inner");
    const [outerRecord, innerRecord] = [idFor("A"), inner].map((id) => ({ ...compartmentA, id }));
    const nested = {
      rootId: directory.rootId,
      lineage: () => [inner, idFor("A"), directory.rootId],
      compartment: (id: string) => (id === inner ? innerRecord : outerRecord),
      compartmentNamed: (parentId: string) => (parentId === idFor("A") ? innerRecord : undefined),
    };
    const [statement] = parsePolicy(["Allow group A to use fn-app in compartment A"]);
    expect(statement && reachOf(nested, idFor("A"), statement.location)).toBe(inner);
  });
});

describe("a policy that is written now", () => {
  function refusal(compartment: string, ...locations: readonly string[]): string {
    const statements = parsePolicy(locations.map((location) => `Allow group A to use fn-app in ${location}`));
    try {
      requireReach(directory, { compartmentId: idFor(compartment), statements });
      return "accepted";
    } catch (error) {
      if (isProblem(error, "policy-invalid")) return error.message;
      throw error;
    }
  }

  it("is refused with the statement that reaches nothing", () => {
    expect(refusal("root", "tenancy", "compartment A:B")).toBe("accepted");
    expect(refusal("A", "compartment B", "tenancy")).toBe(
      "Statement 2: 'in tenancy' is more than the compartment that the policy is attached to.",
    );
    expect(refusal("root", "compartment A:X")).toBe(
      "Statement 1: there is no compartment 'A:X' in or below the one that the policy is attached to.",
    );
    expect(refusal("A", `compartment id ${idFor("other")}`)).toContain("there is no compartment in or below");
  });
});
