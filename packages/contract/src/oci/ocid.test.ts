import { describe, expect, it } from "vitest";
import { idOf, ocidOf, parseOcid } from "./ocid.ts";

const id = "01KB0000000000000000000001";

describe("an OCID", () => {
  it("carries the record's id and reads back as it", () => {
    const ocid = ocidOf("fnfunc", id, "us-ashburn-1");
    expect(ocid).toBe("ocid1.fnfunc.oc1.us-ashburn-1.aaaaaaaa01kb0000000000000000000001aaaaaaaaaaaaaaaaaaaaaaaaaa");
    expect(ocid.split(".").at(-1)).toHaveLength(60);
    expect(parseOcid(ocid)).toEqual({ type: "fnfunc", region: "us-ashburn-1", id });
  });

  it("of identity has no region", () => {
    expect(ocidOf("user", id, "us-ashburn-1")).toMatch(/^ocid1\.user\.oc1\.\.aaaaaaaa01kb/);
    expect(parseOcid(ocidOf("user", id, "x"))?.region).toBe("");
  });

  it.each([
    ["of a type nobody knows", "ocid1.vault.oc1.us-ashburn-1."],
    ["of another realm", "ocid1.fnfunc.oc2.us-ashburn-1."],
    ["of a function without region", "ocid1.fnfunc.oc1.."],
    ["of a user with a region", "ocid1.user.oc1.us-ashburn-1."],
  ])("%s is none of ours", (_, prefix) => {
    const unique = ocidOf("user", id, "").split(".").at(-1);
    expect(parseOcid(prefix + unique)).toBeUndefined();
  });

  it.each(["", "ocid1.fnfunc", ocidOf("fnfunc", id, "r").slice(0, -1), `${ocidOf("fnfunc", id, "r")}a`])(
    "%j is none",
    (text) => expect(parseOcid(text)).toBeUndefined(),
  );

  it("stands wherever an id does, if it is of the right type", () => {
    expect(idOf("fnapp", ocidOf("fnapp", id, "r"))).toBe(id);
    expect(idOf("fnapp", id)).toBe(id);
    expect(idOf("fnapp", ocidOf("fnfunc", id, "r"))).toBeUndefined();
  });
});
