export const runtimes = ["node", "typescript"] as const;

export interface BoilerplateOptions {
  readonly name: string;
  readonly runtime: (typeof runtimes)[number];
  readonly hasTrigger: boolean;
}

/** The files of a fresh function: name → text. The same names and keys as `fn init` makes, so its tools read them. */
export function boilerplate(options: BoilerplateOptions): Readonly<Record<string, string>> {
  const source = { node: nodeSource, typescript: typescriptSource }[options.runtime];
  const packageJson = { name: options.name, version: "1.0.0", private: true, ...source.packageJson };
  return {
    "func.yaml": functionFile(options, source.file),
    [source.file]: source.text,
    "package.json": `${JSON.stringify(packageJson, null, 2)}\n`,
  };
}

function functionFile({ name, hasTrigger }: BoilerplateOptions, file: string): string {
  const lines = [
    "schema_version: 20180708",
    `name: ${yamlText(name)}`,
    "version: 0.0.1",
    "runtime: node",
    `entrypoint: node ${file}`,
    ...(hasTrigger ? ["triggers:", `- name: ${yamlText(name)}`, "  type: http", `  source: /${name}`] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** Names such as `123`, `null` or `1e3` would not be read back as text. */
function yamlText(name: string): string {
  return /^[a-z][a-z0-9_-]*$/.test(name) && !/^(true|false|null|yes|no|on|off|y|n)$/.test(name) ? name : `"${name}"`;
}

const nodeSource = {
  file: "func.js",
  packageJson: { description: "A function", main: "func.js", dependencies: { "@fnproject/fdk": ">=0.0.76" } },
  text: `const fdk = require('@fnproject/fdk')

// The input is the parsed JSON body of the call; what this returns is the answer.
fdk.handle(function (input) {
  const name = (input && input.name) || 'World'
  console.log('Greeting', name)
  return { message: 'Hello ' + name }
})
`,
} as const;

const typescriptSource = {
  file: "func.ts",
  packageJson: { description: "A function", type: "module", dependencies: { "@chaya/fdk": ">=0.1.0" } },
  text: `import { handle } from "@chaya/fdk";

interface Greeting {
  name?: string;
}

// The input is the parsed JSON body of the call; what this returns is the answer.
handle(async (input: Greeting | undefined, context) => {
  const name = input?.name ?? "World";
  context.logger.info("greeting", { name });
  return { message: \`Hello \${name}\` };
});
`,
} as const;
