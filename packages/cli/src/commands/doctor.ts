import { existsSync } from "node:fs";
import { type Client, ServerUnreachable } from "@chaya/client";
import { type ExitCode, exitCode } from "../cli-error.ts";
import { serverCommand } from "../command.ts";
import { refusedCredential } from "../credentials.ts";
import { bundledFdks, type Fdk } from "../deploy/bundled-fdks.ts";
import type { Terminal } from "../terminal.ts";
import { cliVersion } from "../version.ts";
import { visibleText } from "../visible-text.ts";
import { serverVersion } from "./version.ts";

interface Finding {
  readonly verdict: "ok" | "warning" | "wrong";
  readonly what: string;
  readonly hint?: string;
}

const nodeMajorMin = 26;
/** Signatures and tokens allow 5 minutes; a tenth of it is worth a word. */
const clockSkewMsMax = 30_000;

export const doctorCommands = [
  serverCommand({
    path: "doctor",
    summary: "Look at this machine and the server, and say what is not right.",
    run: async ({ client, print, terminal }): Promise<ExitCode> => {
      const findings = [
        nodeFinding(process.versions.node),
        ...fdkFindings(bundledFdks()),
        ...(await serverFindings(client, terminal)),
      ];
      print(findings, () => findings.map(findingText).join(""));
      if (findings.every((finding) => finding.verdict !== "wrong")) return exitCode.ok;
      return findings.some((finding) => finding.what.startsWith("No server")) ? exitCode.unreachable : exitCode.failed;
    },
  }),
];

function nodeFinding(version: string): Finding {
  const isNew = Number(version.split(".")[0]) >= nodeMajorMin;
  if (isNew) return { verdict: "ok", what: `Node ${version} runs this command line (${cliVersion()}).` };
  return {
    verdict: "wrong",
    what: `Node ${version} is older than ${nodeMajorMin}.`,
    hint: "Start with bin/chaya.mjs: it brings its own.",
  };
}

function fdkFindings(fdks: readonly Fdk[]): Finding[] {
  return fdks.map(({ name, directory }) =>
    directory !== undefined && existsSync(directory)
      ? { verdict: "ok", what: `${name} comes with the command line.` }
      : {
          verdict: "wrong",
          what: `${name} is missing from the command line.`,
          hint: "Install it again: npm install @chaya/cli",
        },
  );
}

async function serverFindings(client: Client, terminal: Terminal): Promise<Finding[]> {
  const version = await serverVersion(client);
  if (version === undefined) {
    return [{ verdict: "wrong", what: `No server answers at ${client.url}.`, hint: "Start one with: chaya start" }];
  }
  const isSame = version === cliVersion();
  const findings: Finding[] = [
    isSame
      ? { verdict: "ok", what: `The server at ${client.url} has the same version.` }
      : {
          verdict: "warning",
          what: `The server at ${client.url} has version ${version}, this command line ${cliVersion()}.`,
          hint: "Install the same version of both.",
        },
  ];
  return [...findings, ...(await clockFinding(client, terminal)), ...(await nodeFindings(client))];
}

async function clockFinding(client: Client, terminal: Terminal): Promise<Finding[]> {
  const response = await fetch(`${client.url}/healthz`);
  await response.body?.cancel();
  const serverMs = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(serverMs)) return [];
  const skewMs = Math.abs(terminal.nowMs() - serverMs);
  if (skewMs <= clockSkewMsMax) return [{ verdict: "ok", what: "The clocks of client and server agree." }];
  const what = `The clocks of client and server differ by ${Math.round(skewMs / 1000)} s.`;
  return [{ verdict: "warning", what, hint: "Signed requests fail from 300 s on: synchronise both." }];
}

/** What the node says of itself, where it is one of ours. */
async function nodeFindings(client: Client): Promise<Finding[]> {
  try {
    const node = await client.chaya.getNode();
    const kind = `${node.runtime} runtime, isolation ${node.isolation}, ${node.store} store, Node ${node.node}`;
    const facts: Finding = { verdict: "ok", what: `It has the ${kind}; ${node.instances} instances run.` };
    const isolation = node.isolationNotes.map(
      (what, index): Finding => ({ verdict: node.isolation === "none" && index === 0 ? "warning" : "ok", what }),
    );
    return [
      facts,
      authenticationFinding(node.authentication, client),
      ...isolation,
      ...node.warnings.map((what): Finding => ({ verdict: "warning", what })),
    ];
  } catch (error) {
    if (error instanceof ServerUnreachable) throw error;
    const refused = refusedCredential(error, { url: client.url, credential: undefined });
    if (refused !== undefined) return [refusedFinding(client, refused.complaint.hint)];
    const what = `It does not tell about itself: ${error instanceof Error ? error.message : error}`;
    return [{ verdict: "warning", what, hint: "Another Fn server? Calls, logs and deploy need Chaya." }];
  }
}

function authenticationFinding(mode: string, client: Client): Finding {
  const isShown = client.headers.authorization !== undefined;
  const own = isShown ? "yours are accepted" : "you are its administrator because you started it";
  const rule =
    mode === "required" ? "It asks for credentials" : "It takes the user who started it for its administrator";
  return { verdict: "ok", what: `${rule} (--auth ${mode}); ${own}.` };
}

function refusedFinding(client: Client, hint: string | undefined): Finding {
  const isShown = client.headers.authorization !== undefined;
  const what = isShown ? "It does not accept your credentials." : "It asks for credentials, and you have none.";
  return { verdict: "wrong", what, ...(hint !== undefined && { hint }) };
}

function findingText({ verdict, what, hint }: Finding): string {
  const mark = { ok: "ok     ", warning: "warning", wrong: "WRONG  " }[verdict];
  return `${mark}  ${visibleText(what)}\n${hint === undefined ? "" : `         ${hint}\n`}`;
}
