import { type AnyRoute, limits, ociKinds, problemStatus, problems, type RouteAuth } from "@chaya/contract";
import { allowedSetting, describedSetting, settingNames, settingsPrefix } from "@chaya/contract/annotations";
import { chayaRoutes } from "@chaya/contract/chaya";
import { fnRoutes } from "@chaya/contract/fn";
import { ociFunctionsRoutes } from "@chaya/contract/oci/functions";
import { ociIdentityRoutes } from "@chaya/contract/oci/identity";
import { allRoutes, memberNames } from "@chaya/contract/openapi";
import { accessPoliciesReference } from "./access-policies-reference.ts";

/** Everything that derives from the contract and is kept in the repository: path → text. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["packages/contract/src/fn/routes.generated.ts", clientRoutes("fnRoutes", fnRoutes)],
    ["packages/contract/src/chaya/routes.generated.ts", clientRoutes("chayaRoutes", chayaRoutes)],
    ["packages/contract/src/oci/functions/routes.generated.ts", clientRoutes("ociFunctionsRoutes", ociFunctionsRoutes)],
    ["packages/contract/src/oci/identity/routes.generated.ts", clientRoutes("ociIdentityRoutes", ociIdentityRoutes)],
    ["docs/reference/api.md", apiReference()],
    ["docs/reference/annotations.md", annotationsReference()],
    ["docs/reference/problems.md", problemsReference()],
    ["docs/reference/limits.md", limitsReference()],
    ["docs/reference/access-policies.md", `${accessPoliciesReference(generatedNote)}\n`],
  ]);
}

/** What a client needs to know of each route, without its schemas: they would bring zod into browsers. */
function clientRoutes(constant: string, routes: Readonly<Record<string, AnyRoute>>): string {
  const entries = Object.entries(routes).map(([name, route]) => {
    const facts = {
      method: route.method,
      path: route.path,
      dialect: route.dialect,
      query: memberNames(route.query, "input"),
      hasBody: route.body !== undefined,
      isStream: route.stream === true,
      status: route.status ?? 200,
    };
    const members = Object.entries(facts).map(([key, value]) => `    ${key}: ${literal(value)},\n`);
    return `  ${name}: {\n${members.join("")}  },\n`;
  });
  return [
    "// Generated from routes.ts by `npm run generate`. Do not edit.\n\n",
    "/** Method, path and parameters of each route, for clients. The types are those of `routes.ts`. */\n",
    `export const ${constant} = {\n${entries.join("")}} as const;\n`,
  ].join("");
}

function literal(value: unknown): string {
  return JSON.stringify(value).replaceAll(",", ", ");
}

const generatedNote = "<!-- Generated from packages/contract by `npm run generate`. Do not edit. -->";

function apiReference(): string {
  const sections = Object.entries(allRoutes).map(([name, route]) => routeSection(name, route));
  return [
    "# API",
    generatedNote,
    "The same as OpenAPI 3.1 stands at `/openapi.json` of a running server. Problems: [problems.md](problems.md).",
    ...sections,
    "",
  ].join("\n\n");
}

function routeSection(name: string, route: AnyRoute): string {
  const lines = [`## \`${route.method} ${route.path}\``, "", route.summary, "", `- name: \`${name}\``];
  if (route.door === "function") lines.push("- at the function door (`OCI_LOCAL_ENDPOINT`) only");
  if (route.auth !== undefined) lines.push(`- needs: ${needed(route.auth)}`);
  const query = memberNames(route.query, "input");
  if (query.length > 0) lines.push(`- query: ${inCode(query)}`);
  if (route.body !== undefined) lines.push(`- body: ${inCode(memberNames(route.body, "input"))}`);
  if (route.upgrade !== undefined) lines.push(`- answers 101: the connection speaks \`${route.upgrade}\``);
  else if (route.stream === true) lines.push("- bodies stream");
  if (route.result !== undefined)
    lines.push(`- answers ${route.status ?? 200}: ${inCode(memberNames(route.result, "output"))}`);
  else if (route.status !== undefined) lines.push(`- answers ${route.status}`);
  if (route.problems.length > 0)
    lines.push(`- problems: ${route.problems.map((code) => `[${code}](problems.md#${code})`).join(", ")}`);
  return lines.join("\n");
}

function needed({ action, resource, also }: RouteAuth): string {
  return `${action} ${resource}${also === undefined ? "" : ` and ${also.action} ${also.resource}`}`;
}

function inCode(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(", ");
}

function annotationsReference(): string {
  const rows = settingNames().map((name) => {
    const { text = "", byDefault } = describedSetting(name) ?? {};
    return `| \`${settingsPrefix}${name}\` | ${allowedSetting(name)} | ${byDefault ?? "–"} | ${text} |`;
  });
  return [
    "# Annotations",
    generatedNote,
    "Our settings on Fn's function records: annotations of this name, or the map `chaya:` of func.yaml without the prefix.",
    ["| annotation | value | default | what it sets |", "|---|---|---|---|", ...rows].join("\n"),
    "",
  ].join("\n\n");
}

function problemsReference(): string {
  const sections = Object.entries(problems).map(([code, entry]) => {
    // Each entry takes the fields of its own code; the placeholders stand for any of them.
    const { kind, sentence, hint, fn, oci } = entry as (typeof problems)["internal"];
    const lines = [
      `## ${code}`,
      "",
      `${problemStatus[kind]} ${kind}. ${withPlaceholders(sentence)}`,
      "",
      withPlaceholders(hint),
    ];
    if (fn !== undefined) lines.push("", `Fn's clients read: \`${withPlaceholders(fn)}\``);
    const inOci = { ...ociKinds[kind], ...oci };
    lines.push("", `OCI's clients read: ${inOci.status} \`${inOci.code}\``);
    return lines.join("\n");
  });
  return ["# Problems", generatedNote, "Code, status, what is wrong, what to do.", ...sections, ""].join("\n\n");
}

/** The sentence with `{field}` wherever it shows a field, also where it first divides one by 1000. */
function withPlaceholders(sentence: (fields: { requestId: string }) => string): string {
  const names: string[] = [];
  const numberBase = 770_000_000;
  const fields = new Proxy(
    { requestId: "" },
    {
      get: (_, name) => {
        const position = names.push(String(name)) - 1;
        return {
          [Symbol.toPrimitive]: (hint: string) =>
            hint === "string" ? `{${String(name)}}` : (numberBase + position) * 1000,
        };
      },
    },
  );
  return `${sentence(fields)}`.replaceAll(/77\d{7}(?:000)?/g, (digits) => {
    const name = names[Number(digits.slice(0, 9)) - numberBase] ?? "";
    return `{${digits.length === 9 ? name.replace(/Ms(Max)?$/, "S$1") : name}}`;
  });
}

function limitsReference(): string {
  const rows = Object.entries(limits).map(([name, value]) => `| \`${name}\` | ${shown(name, value)} |`);
  return ["# Limits", generatedNote, ["| limit | value |", "|---|---|", ...rows].join("\n"), ""].join("\n\n");
}

function shown(name: string, value: number): string {
  if (/Bytes/.test(name)) return withUnit(value, [1024 ** 3, "GiB"], [1024 ** 2, "MiB"], [1024, "KiB"], [1, "bytes"]);
  if (/Ms/.test(name)) return withUnit(value, [86_400_000, "days"], [3_600_000, "h"], [1000, "s"], [1, "ms"]);
  return String(value);
}

/** In the largest unit that leaves a whole number. */
function withUnit(value: number, ...units: readonly (readonly [size: number, name: string])[]): string {
  const [size, name] = units.find(([size]) => value >= size && value % size === 0) ?? [1, ""];
  return `${value / size} ${name}`.trim();
}
