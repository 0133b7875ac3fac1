import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliError } from "../../cli-error.ts";
import { withProgress } from "../../progress.ts";
import { folderFiles } from "../folder-files.ts";
import type { FunctionFile } from "../function-file.ts";
import { runProgram } from "../run-program.ts";
import type { TarFile } from "../tar.ts";
import { type BuildLanguage, commandOf, type LanguageSource } from "./language.ts";

/** Where classes and jars lie in the bundle, as in Fn's images. */
const classesDirectory = "app";
const everything = { isIgnored: () => false, mayLeave: false } as const;

/** Classes compiled by the JDK alone, or what Maven makes of a pom.xml that asks for more. */
export const java: BuildLanguage = async (source) => {
  const entrypoint = startCommand(source.functionFile);
  const pom = await readPom(source.folder);
  const needsMaven = pom !== undefined && /<(dependencies|build|parent|modules|profiles)>/.test(pom);
  const files = needsMaven ? await mavenFiles(source) : await compiledFiles(source, pom);
  return { files, entrypoint, ignored: ["/src/", "/target/", "pom.xml", "*.java", "*.class"] };
};

/** `cmd` names the class whose `main` is the program. */
function startCommand(functionFile: FunctionFile): readonly string[] {
  const { fileName, entrypoint, cmd, memory } = functionFile;
  if (entrypoint !== undefined || cmd?.[0] === "java") return commandOf(functionFile, []);
  const [mainClass, ...rest] = cmd ?? [];
  if (mainClass === undefined) {
    const hint = "Name the class with its package, as in: cmd: com.example.fn.HelloFunction";
    throw new CliError({ what: `${fileName} does not say which class to start.`, hint });
  }
  if (mainClass.includes("::")) {
    throw new CliError({
      what: `The method '${mainClass}' needs Fn's FDK for Java, which cannot be deployed as code.`,
      why: "It loads a native library that exists in Fn's images only.",
      hint: `Give the class a main method that reads standard input; in ${fileName}: format: stdio and cmd: ${mainClass.split("::")[0]}`,
    });
  }
  // Starts fast and stays small; without a limit the machine sizes its heap by the whole computer.
  const heap = memory === undefined ? [] : [`-XX:MaxRAM=${memory}m`, "-XX:MaxRAMPercentage=50"];
  const flags = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", ...heap];
  return ["java", ...flags, "-cp", `${classesDirectory}:${classesDirectory}/*`, mainClass, ...rest];
}

async function readPom(folder: string): Promise<string | undefined> {
  const path = join(folder, "pom.xml");
  return existsSync(path) ? (await readFile(path, "utf8")).replaceAll(/<!--[\s\S]*?-->/g, "") : undefined;
}

async function compiledFiles({ folder, terminal }: LanguageSource, pom: string | undefined): Promise<TarFile[]> {
  const root = existsSync(join(folder, "src/main/java")) ? "src/main/java" : ".";
  const sources = (await folderFiles(join(folder, root), { ...everything, prefix: `${root}/` })).files
    .map((file) => file.path)
    .filter((path) => path.endsWith(".java") && (root !== "." || !path.startsWith("./src/test/")));
  if (sources.length === 0) {
    throw new CliError({ what: `There is no .java file below ${join(folder, root)}.`, hint: "Put the class there." });
  }
  const release = /<maven\.compiler\.release>\s*(\d+)\s*</.exec(pom ?? "")?.[1];
  const flags = ["-encoding", "UTF-8", ...(release === undefined ? [] : ["--release", release])];
  const place = await mkdtemp(join(tmpdir(), "chaya-java-"));
  try {
    const compiling = runProgram(["javac", ...flags, "-d", place, ...sources], {
      folder,
      what: "javac",
      hint: "Correct the source and deploy again.",
      environment: terminal.environment,
    });
    await withProgress(terminal, "Compiling with javac", compiling);
    const resources = join(folder, "src/main/resources");
    const folders = [place, ...(existsSync(resources) ? [resources] : [])];
    const found = await Promise.all(folders.map((one) => folderFiles(one, intoClasses)));
    return found.flatMap(({ files }) => files);
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

const intoClasses = { ...everything, prefix: `${classesDirectory}/` } as const;

/** The jars of the project and of everything it needs to run. */
async function mavenFiles({ folder, terminal }: LanguageSource): Promise<TarFile[]> {
  const goals = ["package", "dependency:copy-dependencies"];
  const settings = [
    "-DskipTests=true",
    "-DincludeScope=runtime",
    "-DoutputDirectory=target/chaya-dependencies",
    // The same sources give the same jar.
    "-Dproject.build.outputTimestamp=2000-01-01T00:00:00Z",
  ];
  const building = runProgram(["mvn", "--batch-mode", "--quiet", ...goals, ...settings], {
    folder,
    what: "mvn package",
    hint: "Maven takes plugins and dependencies from the network once, then from ~/.m2.",
    environment: terminal.environment,
  });
  await withProgress(terminal, "Building with Maven", building);
  const isOfUse = (name: string) => name.endsWith(".jar") && !/(^original-|-(sources|javadoc|tests)\.jar$)/.test(name);
  const jars: TarFile[] = [];
  for (const place of ["target", "target/chaya-dependencies"]) {
    const names = existsSync(join(folder, place)) ? await readdir(join(folder, place)) : [];
    for (const name of names.filter(isOfUse)) {
      const bytes = await readFile(join(folder, place, name));
      jars.push({ path: `${classesDirectory}/${name}`, bytes, isExecutable: false });
    }
  }
  return jars;
}
