import type { Boilerplate } from "./boilerplate.ts";

const nodeSource = `const fdk = require('@fnproject/fdk')

// The input is the parsed JSON body of the call; what this returns is the answer.
fdk.handle(function (input) {
  const name = (input && input.name) || 'World'
  console.log('Greeting', name)
  return { message: 'Hello ' + name }
})
`;

const typescriptSource = `import { handle } from "@chaya/fdk";

interface Greeting {
  name?: string;
}

// The input is the parsed JSON body of the call; what this returns is the answer.
handle(async (input: Greeting | undefined, context) => {
  const name = input?.name ?? "World";
  context.logger.info("greeting", { name });
  return { message: \`Hello \${name}\` };
});
`;

export const node: Boilerplate = {
  functionFile: ["runtime: node", "entrypoint: node func.js"],
  files: (name) => ({
    "func.js": nodeSource,
    "package.json": packageJson(name, { main: "func.js", dependencies: { "@fnproject/fdk": ">=0.0.76" } }),
  }),
};

export const typescript: Boilerplate = {
  functionFile: ["runtime: node", "entrypoint: node func.ts"],
  files: (name) => ({
    "func.ts": typescriptSource,
    "package.json": packageJson(name, { type: "module", dependencies: { "@chaya/fdk": ">=0.1.0" } }),
  }),
};

function packageJson(name: string, more: object): string {
  const text = { name, version: "1.0.0", private: true, description: "A function", ...more };
  return `${JSON.stringify(text, null, 2)}\n`;
}
