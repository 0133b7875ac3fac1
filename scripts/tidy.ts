// House rules that no linter knows. Each finding says what to do instead.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const fileLinesMax = 400;
const functionLinesMax = 60;
const readmeLinesMax = 40;
const positionalParametersMax = 3;

interface Finding {
  readonly where: string;
  readonly what: string;
}

const findings: Finding[] = [];
const report = (where: string, what: string): void => {
  findings.push({ where, what });
};

const sources = filesBelow("packages", (path) => /\/src\/.*\.ts$/.test(path) && !path.endsWith(".generated.ts"));
const documents = [...filesBelow(".", (path) => path.endsWith(".md"))];

for (const path of sources) checkSource(path);
for (const path of documents) checkDocument(path);
checkDrivers();
checkReadmes();
checkGuarantees();

for (const { where, what } of findings) console.error(`${where}: ${what}`);
console.error(findings.length === 0 ? `tidy: ${sources.length} files in order` : `tidy: ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;

function checkSource(path: string): void {
  const text = readFileSync(join(root, path), "utf8");
  const isTest = /\.test\.ts$|\/(testing|fixtures)\/|conformance\.ts$/.test(path);
  const lines = text.split("\n").length - 1;
  if (lines > fileLinesMax && !isTest)
    report(path, `has ${lines} lines; at most ${fileLinesMax}: split it along what it knows`);
  if (/\/(utils?|helpers?|common|types|interfaces|constants)\.ts$/.test(path))
    report(path, "has a name that says nothing: name it after its main export");
  const todo = /\b(TODO|FIXME|XXX)\b(?!\s*\(#\d+\))/.exec(text);
  if (todo !== null) report(path, `has a ${todo[1]} without an issue: write TODO (#12) or do it`);
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  walk(tree, (node) => {
    checkFunction(path, tree, node, isTest);
    if (!isTest) checkWorld(path, tree, node);
    if (!isTest) checkHttpImport(path, tree, node);
  });
}

function checkFunction(path: string, tree: ts.SourceFile, node: ts.Node, isTest: boolean): void {
  if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
  const at = lineOf(tree, node);
  const lines = lineOf(tree, node, "end") - at + 1;
  if (lines > functionLinesMax && !isTest)
    report(`${path}:${at}`, `a function of ${lines} lines; at most ${functionLinesMax}: compute in pure leaves`);
  if (node.parameters.length > positionalParametersMax && !isTest)
    report(
      `${path}:${at}`,
      `${node.parameters.length} positional parameters; at most ${positionalParametersMax}: take an options object`,
    );
}

/** The world outside (time, chance, environment, terminal) is reached through kernel, config and main only. */
function checkWorld(path: string, tree: ts.SourceFile, node: ts.Node): void {
  if (!path.startsWith("packages/server/src/")) return;
  if (/^packages\/server\/src\/(kernel\/|config\.ts|main\.ts)/.test(path)) return;
  const forbidden = forbiddenUse(node);
  if (forbidden !== undefined)
    report(`${path}:${lineOf(tree, node)}`, `uses ${forbidden}: take clock, random, ids, logger or config in deps`);
}

/** What an import of all of `node:http` costs: packages/server/src/http/node-http.ts. */
function checkHttpImport(path: string, tree: ts.SourceFile, node: ts.Node): void {
  if (!path.startsWith("packages/server/src/") || path.includes("/conformance")) return;
  if (!ts.isImportDeclaration(node)) return;
  if (!ts.isStringLiteral(node.moduleSpecifier) || !/^(node:)?http$/.test(node.moduleSpecifier.text)) return;
  if (node.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword)
    report(`${path}:${lineOf(tree, node)}`, "imports node:http, which loads a whole client: use http/node-http.ts");
}

function forbiddenUse(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const name = `${node.expression.text}.${node.name.text}`;
    if (
      [
        "Date.now",
        "Math.random",
        "process.env",
        "performance.now",
        "crypto.randomUUID",
        "AbortSignal.timeout",
      ].includes(name)
    )
      return name;
    if (node.expression.text === "console") return name;
  }
  if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
    // setImmediate orders work within a turn; it measures no time.
    if (["setTimeout", "setInterval"].includes(node.expression.text)) return node.expression.text;
    if (node.expression.text === "randomUUID") return "randomUUID";
  }
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "Date")
    if (node.arguments === undefined || node.arguments.length === 0) return "new Date()";
  return undefined;
}

function checkDocument(path: string): void {
  const text = readFileSync(join(root, path), "utf8");
  for (const match of text.matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)]*)?\)/g)) {
    const target = match[1];
    if (target !== undefined && !existsSync(resolve(root, dirname(path), decodeURIComponent(target))))
      report(path, `links to ${target}, which does not exist`);
  }
}

/** A declared driver is a tested driver: its test calls the suite of its extension point. */
function checkDrivers(): void {
  const drivers = "packages/server/src/drivers";
  for (const point of folders(drivers)) {
    const suite = `${point}Conformance`;
    for (const implementation of folders(join(drivers, point))) {
      if (implementation === "migrations") continue;
      const folder = join(drivers, point, implementation);
      const tests = filesBelow(folder, (path) => path.endsWith(".test.ts"));
      if (!tests.some((path) => readFileSync(join(root, path), "utf8").includes(`${suite}(`)))
        report(
          folder,
          `no test calls ${suite}(…): an implementation's test is one call of its suite plus what is peculiar`,
        );
    }
  }
}

function checkReadmes(): void {
  const server = "packages/server/src";
  const services = folders(server).filter((name) => !["kernel", "testing", "drivers"].includes(name));
  for (const service of services) {
    const readme = join(server, service, "README.md");
    if (!existsSync(join(root, readme)))
      report(join(server, service), "has no README.md: terms, states, invariants, what a crash does");
  }
  for (const path of documents.filter((path) => path.startsWith(`${server}/`))) {
    const lines = readFileSync(join(root, path), "utf8").trimEnd().split("\n").length;
    if (lines > readmeLinesMax) report(path, `has ${lines} lines; at most ${readmeLinesMax}`);
  }
}

/** README.md says how many guarantees stand; the table in docs/guarantees.md says which. */
function checkSummary(table: string): void {
  const states = [...table.matchAll(/^\| G\d+ \|.*\| (proven|partly|not yet)[^|]*\|$/gm)].map(([, state]) => state);
  const count = (wanted: string) => states.filter((state) => state === wanted).length;
  const summary = `${count("proven")} proven, ${count("partly")} partly, ${count("not yet")} not yet`;
  if (!readFileSync(join(root, "README.md"), "utf8").includes(summary))
    report("README.md", `does not say '${summary}', which is what docs/guarantees.md comes to`);
}

/** docs/guarantees.md names tests as `path › title`: each must exist. */
function checkGuarantees(): void {
  const path = "docs/guarantees.md";
  if (!existsSync(join(root, path))) {
    report(path, "is missing: one row per guarantee and attack");
    return;
  }
  const table = readFileSync(join(root, path), "utf8");
  checkSummary(table);
  for (const match of table.matchAll(/`([^`]+\.ts)(?: › ([^`]+))?`/g)) {
    const [, file, title] = match;
    if (file === undefined) continue;
    const full = join(root, file);
    if (!existsSync(full)) report(path, `names ${file}, which does not exist`);
    else if (title !== undefined && !readFileSync(full, "utf8").includes(title))
      report(path, `names the test '${title}', which ${file} does not have`);
  }
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

function lineOf(tree: ts.SourceFile, node: ts.Node, edge: "start" | "end" = "start"): number {
  const position = edge === "start" ? node.getStart(tree) : node.getEnd();
  return tree.getLineAndCharacterOfPosition(position).line + 1;
}

function folders(path: string): string[] {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  return readdirSync(full, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

function filesBelow(path: string, matches: (path: string) => boolean): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(join(root, path), { withFileTypes: true, recursive: true })) {
    const name = relative(root, join(entry.parentPath, entry.name));
    if (/(^|\/)(node_modules|dist|\.git|\.chaya|\.test-services)(\/|$)/.test(name)) continue;
    if (entry.isFile() && matches(name)) found.push(name);
  }
  return found.sort();
}
