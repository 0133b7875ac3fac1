/** What the server is told: flags over `CHAYA_*` over `DATA/server.yaml` over defaults. The only reader of process.env. */
export interface ServerConfig {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Absolute path of the data directory. */
  readonly dataDirectory: string;
  readonly store: { readonly kind: "embedded" } | { readonly kind: "postgres"; readonly url: string };
  readonly runtime: "process";
  readonly auth: "none";
  /** Without a trailing slash; undefined: `http://localhost:PORT` of the port that is listened on. */
  readonly publicUrl: string | undefined;
  readonly domain: string;
  readonly allowedHosts: readonly string[];
  /** Addresses or CIDR ranges whose forwarded headers are believed. */
  readonly trustedProxies: readonly string[];
  readonly region: string;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  /** Memory that all instances of this node may have together, in MiB. */
  readonly functionMemoryMiBMax: number;
}
