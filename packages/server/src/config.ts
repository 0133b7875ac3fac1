import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join, resolve } from "node:path";
import { machineMemoryBytes } from "./kernel/machine-memory.ts";
import { parseYaml } from "./kernel/parse-yaml.ts";

/** What the server is told. The only place that reads process.env is the caller of `readConfig` in main.ts. */
export interface ServerConfig {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Absolute path of the data directory. */
  readonly dataDirectory: string;
  readonly store: StoreConfig;
  readonly runtime: "process";
  /** What stands between functions and the machine; auto: bubblewrap where it works. */
  readonly sandbox: "auto" | "bwrap" | "none";
  /** Processes that may wait for a function, all kinds together; undefined: as many as a share of the memory allows. */
  readonly preStartedMax: number | undefined;
  /** required: everyone who asks for more than what is open to all says who he is. */
  readonly auth: "none" | "required";
  /** Without a trailing slash; undefined: `http://localhost:PORT` of the port that is listened on. */
  readonly publicUrl: string | undefined;
  readonly domain: string;
  readonly allowedHosts: readonly string[];
  /** Addresses or CIDR ranges whose forwarded headers are believed. */
  readonly trustedProxies: readonly string[];
  readonly region: string;
  readonly logLevel: LogLevelName;
  /** Origins that may call functions from a browser page, `*` for any; empty: none (Fn's FN_API_CORS_ORIGINS). */
  readonly corsOrigins: readonly string[];
  /** Memory that all instances of this node may have together, in MiB. */
  readonly functionMemoryMiBMax: number;
}

export type StoreConfig = { readonly kind: "embedded" } | { readonly kind: "postgres"; readonly url: string };
export type LogLevelName = (typeof logLevels)[number];

const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

/** Every option: its flag is `--name`, its variable `CHAYA_NAME`, its key in DATA/server.yaml `name`. */
export const serverOptions = {
  host: "Address to listen on (127.0.0.1).",
  port: "Port to listen on; 0 takes a free one (8080).",
  data: "Data directory (.chaya).",
  store: "embedded, or postgres://USER@HOST/DATABASE (embedded).",
  runtime: "What runs functions: process.",
  "pre-started": "Processes that may wait for functions, so that these start soon; 0: none (by the machine's memory).",
  sandbox: "What functions run in: bwrap, none (trusted code only), or auto = bwrap where it works (auto).",
  auth: "none: without credentials only the user who started the server may use the APIs, from this machine; required: credentials, always (none).",
  "public-url": "The URL that clients use; the only source of the URLs in answers (http://localhost:PORT).",
  domain: "Domain below which gateways and sites get their names (localhost).",
  "allow-host": "Further Host names of the control API, separated by commas.",
  "trusted-proxies": "Addresses or CIDR ranges whose X-Forwarded-* headers are believed, separated by commas.",
  region: "Region name in OCIDs (us-ashburn-1).",
  "log-level": "debug, info, warn, error or silent (warn).",
  "cors-origins": "Origins whose pages may call functions, separated by commas; * for any.",
  "function-memory": "Memory in MiB that all functions of this node may use together (half of the machine's).",
} as const;

export type ServerOption = keyof typeof serverOptions;
/** Options as text, as flags give them; what is absent comes from the environment, server.yaml or the default. */
export type StartOptions = { readonly [Name in ServerOption]?: string | undefined };

/** Bad configuration: what, why, what to do. Shown as three lines, exit code 2. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly hint: string;

  constructor(sentence: string, hint: string) {
    super(sentence);
    this.hint = hint;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Flags over `CHAYA_*` over `DATA/server.yaml` over defaults. Variables it does not know are ignored. */
export function readConfig(flags: StartOptions, environment: Environment): ServerConfig {
  const fromEnvironment = environmentOptions(environment);
  const dataDirectory = resolve(flags.data ?? fromEnvironment.data ?? ".chaya");
  const options = { ...fileOptions(join(dataDirectory, "server.yaml")), ...fromEnvironment, ...defined(flags) };
  const config: ServerConfig = {
    host: options.host ?? "127.0.0.1",
    port: integer("port", options.port ?? "8080", { min: 0, max: 65_535 }),
    dataDirectory,
    store: readStore(options.store ?? "embedded"),
    runtime: oneOf("runtime", options.runtime ?? "process", ["process"]),
    preStartedMax:
      options["pre-started"] === undefined
        ? undefined
        : integer("pre-started", options["pre-started"], { min: 0, max: 256 }),
    sandbox: oneOf("sandbox", options.sandbox ?? "auto", ["auto", "bwrap", "none"]),
    auth: oneOf("auth", options.auth ?? "none", ["none", "required"]),
    publicUrl: readPublicUrl(options["public-url"]),
    domain: options.domain ?? "localhost",
    allowedHosts: list(options["allow-host"]),
    trustedProxies: list(options["trusted-proxies"]).map(readNetwork),
    region: options.region ?? "us-ashburn-1",
    logLevel: oneOf("log-level", options["log-level"] ?? "warn", logLevels),
    corsOrigins: list(options["cors-origins"]),
    functionMemoryMiBMax: readMemory(options["function-memory"]),
  };
  if (!isLoopback(config.host) && config.auth === "none")
    throw new ConfigError(
      `--host ${config.host} would be reachable from other machines, with no authentication (--auth none).`,
      "Add --auth required, or listen on 127.0.0.1.",
    );
  return config;
}

/**
 * Refuses to offer functions without isolation to other machines when nobody chose that: `auto` may find no sandbox.
 * Throws ConfigError.
 */
export function checkIsolation(config: Pick<ServerConfig, "host" | "sandbox">, isolation: string): void {
  if (isolation !== "none" || config.sandbox === "none" || isLoopback(config.host)) return;
  throw new ConfigError(
    `--host ${config.host} is reachable from other machines, and this machine offers no sandbox for functions.`,
    "Make bubblewrap work (chaya doctor), or say --sandbox none if everybody's code may do what this user may.",
  );
}

function environmentOptions(environment: Environment): StartOptions {
  const options: Record<string, string> = {};
  for (const name of Object.keys(serverOptions)) {
    const value = environment[`CHAYA_${name.toUpperCase().replaceAll("-", "_")}`];
    if (value !== undefined && value !== "") options[name] = value;
  }
  return options;
}

function fileOptions(path: string): StartOptions {
  if (!existsSync(path)) return {};
  const parsed = parseFile(path);
  const options: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (!(name in serverOptions) || name === "data")
      throw new ConfigError(`${path}: unknown key '${name}'.`, `Known keys: ${knownFileKeys().join(", ")}.`);
    options[name] = Array.isArray(value) ? value.join(",") : String(value);
  }
  return options;
}

function parseFile(path: string): object {
  let parsed: unknown;
  try {
    parsed = parseYaml(readFileSync(path, "utf8")) ?? {};
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : "unreadable";
    throw new ConfigError(`${path} is not valid YAML: ${reason}.`, "Write one 'key: value' pair a line.");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new ConfigError(`${path} must be a map of keys and values.`, `Known keys: ${knownFileKeys().join(", ")}.`);
  return parsed;
}

function knownFileKeys(): string[] {
  return Object.keys(serverOptions).filter((name) => name !== "data");
}

function defined(flags: StartOptions): StartOptions {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

function readStore(text: string): StoreConfig {
  if (text === "embedded") return { kind: "embedded" };
  if (/^postgres(ql)?:\/\//.test(text)) return { kind: "postgres", url: text };
  throw new ConfigError(
    "--store is neither 'embedded' nor a postgres:// URL.",
    "Example: postgres://chaya@127.0.0.1/chaya",
  );
}

function readPublicUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.search !== "" ||
    url.hash !== "" ||
    url.username !== ""
  )
    throw new ConfigError(`--public-url '${text}' is not an http(s) URL.`, "Example: https://functions.example.com");
  return url.href.replace(/\/+$/, "");
}

function readNetwork(text: string): string {
  const [address = "", bits, ...rest] = text.split("/");
  const family = isIP(address);
  const bitsMax = family === 4 ? 32 : 128;
  const hasBits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= bitsMax);
  if (family === 0 || !hasBits || rest.length > 0)
    throw new ConfigError(
      `--trusted-proxies: '${text}' is neither an address nor a CIDR range.`,
      "Example: 10.0.0.0/8",
    );
  return text;
}

/** What a fresh function of any language asks for. */
const functionMemoryMiBMin = 256;

/** Half of the machine: the other half is for the system, the store's cache and the platform itself. */
function readMemory(text: string | undefined): number {
  const machineMiB = Math.floor(machineMemoryBytes() / 1024 ** 2);
  if (text === undefined) return Math.max(functionMemoryMiBMin, Math.floor(machineMiB / 2));
  return integer("function-memory", text, { min: 16, max: machineMiB });
}

function integer(name: ServerOption, text: string, range: { min: number; max: number }): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new ConfigError(
    `--${name} '${text}' is not a whole number from ${range.min} to ${range.max}.`,
    serverOptions[name],
  );
}

function oneOf<const Value extends string>(name: ServerOption, text: string, values: readonly Value[]): Value {
  const value = values.find((candidate) => candidate === text);
  if (value !== undefined) return value;
  throw new ConfigError(`--${name} '${text}' is not known.`, `Known: ${values.join(", ")}.`);
}

function list(text: string | undefined): string[] {
  return (text ?? "").split(",").flatMap((part) => (part.trim() === "" ? [] : [part.trim()]));
}

/** Whether an address to listen on can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Whether a URL names this machine to whoever uses it; no URL names none. */
export function isLoopbackUrl(url: string): boolean {
  return URL.canParse(url) && isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ""));
}
