import type { Boilerplate } from "./boilerplate.ts";

const source = `require "json"

# Runs once per call: standard input is the body, standard output the answer; a failure ends with a code but 0.
body = $stdin.read
name = body.empty? ? "World" : JSON.parse(body).fetch("name", "World")
warn "Greeting #{name}"
print JSON.generate(message: "Hello #{name}")
`;

const gemfile = `source "https://rubygems.org"

# Gems are installed when the function is deployed. With Fn's FDK: gem "fdk", and no 'format: stdio' in func.yaml.
`;

export const ruby: Boilerplate = {
  functionFile: ["runtime: ruby", "format: stdio", "entrypoint: ruby func.rb"],
  files: () => ({ "func.rb": source, Gemfile: gemfile }),
};
