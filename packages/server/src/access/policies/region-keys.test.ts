import { Region } from "oci-common";
import { expect, it } from "vitest";
import { namesOfRegion } from "./region-keys.ts";

it("knows the key of each public region that Oracle's SDK knows", () => {
  const regions = Region.values().filter(({ realm }) => realm.realmId === "oc1");
  expect(regions.length).toBeGreaterThan(40);
  for (const { regionId, regionCode } of regions) expect(namesOfRegion(regionId)).toEqual([regionId, regionCode]);
});

it("has nothing but the region itself where Oracle has none of that name", () => {
  expect(namesOfRegion("home-1")).toEqual(["home-1"]);
  expect(namesOfRegion("constructor")).toEqual(["constructor"]);
});
