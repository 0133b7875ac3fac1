import type { Boilerplate } from "./boilerplate.ts";

const bashSource = `#!/usr/bin/env bash
# Runs once per call: standard input is the body, standard output the answer; a failure ends with a code but 0.
# The call is in the environment: FN_CALL_ID, FN_CONTENT_TYPE, for HTTP triggers FN_HTTP_METHOD and FN_HTTP_REQUEST_URL.
set -euo pipefail

name=$(cat)
echo "Greeting \${name:-world}" >&2
echo "Hello, \${name:-world}!"
`;

const programSource = `#!/bin/sh
# Any program will do: this file may be a script with its interpreter in the first line, or what a compiler made.
# It runs once per call: standard input is the body, standard output the answer; a failure ends with a code but 0.
set -eu

name=$(cat)
echo "Greeting \${name:-world}" >&2
echo "Hello, \${name:-world}!"
`;

export const bash: Boilerplate = {
  functionFile: ["runtime: bash", "format: stdio", "entrypoint: bash func.sh"],
  files: () => ({ "func.sh": bashSource }),
};

export const program: Boilerplate = {
  functionFile: [
    "runtime: any",
    "format: stdio",
    "cmd: ./func",
    "# What has to be done before it is packed, as in: build: [cc -O2 -o func func.c]",
  ],
  files: () => ({ func: programSource }),
  programs: ["func"],
};
