import { describe, expect, it } from "vitest";
import { chayaRoutes as chayaClientRoutes } from "./chaya/routes.generated.ts";
import { fnRoutes as fnClientRoutes } from "./fn/routes.generated.ts";
import { ociFunctionsRoutes as ociFunctionsClientRoutes } from "./oci/functions/routes.generated.ts";
import { ociIdentityRoutes as ociIdentityClientRoutes } from "./oci/identity/routes.generated.ts";
import { allRoutes, openApiDocument } from "./openapi.ts";
import { publicRoutes } from "./public-routes.ts";
import { anyMethods } from "./route.ts";

const document = openApiDocument("1.2.3");
const text = JSON.stringify(document);

describe("the OpenAPI document", () => {
  it("describes every declared route once, under its own name", () => {
    const ids = [...text.matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const expected = Object.entries(allRoutes).flatMap(([name, { method }]) =>
      method === "ANY" ? anyMethods.map((one) => `${name}${one.charAt(0)}${one.slice(1).toLowerCase()}`) : [name],
    );
    expect(ids.toSorted()).toEqual(expected.toSorted());
  });

  it("names only schemas that it has", () => {
    const schemas = (document.components as { schemas: object }).schemas;
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference = ""]) => reference);
    expect(references.length).toBeGreaterThan(50);
    for (const reference of references)
      expect(Object.keys(schemas)).toContain(reference.replace("#/components/schemas/", ""));
    expect(text).not.toMatch(/\$defs|__schema|"\$schema"/);
  });

  it("declares every parameter of a path, and nothing that OpenAPI could not parse", () => {
    for (const [path, operations] of Object.entries(document.paths as Record<string, Record<string, unknown>>)) {
      const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
      for (const operation of Object.values(operations)) {
        const { parameters } = operation as { parameters: { in: string; name: string }[] };
        expect(parameters.filter((one) => one.in === "path").map((one) => one.name)).toEqual(names);
      }
      expect(path).not.toContain("...");
    }
  });
});

it("gives clients the same routes without their schemas", () => {
  const names = [
    publicRoutes,
    fnClientRoutes,
    chayaClientRoutes,
    ociFunctionsClientRoutes,
    ociIdentityClientRoutes,
  ].flatMap((routes) => Object.keys(routes));
  expect(names).toEqual(Object.keys(allRoutes));
  for (const [name, { method, path }] of Object.entries({
    ...fnClientRoutes,
    ...chayaClientRoutes,
    ...ociFunctionsClientRoutes,
    ...ociIdentityClientRoutes,
  }))
    expect(allRoutes[name]).toMatchObject({ method, path });
});
