import type { FunctionSettings } from "@chaya/contract/annotations";
import type { AnnotationValue } from "@chaya/contract/fn";

export interface Application {
  readonly id: string;
  /** Its functions lie there too. */
  readonly compartmentId: string;
  readonly name: string;
  readonly config: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, AnnotationValue>>;
  readonly syslogUrl: string;
  readonly shape: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly version: number;
}

export interface FunctionRecord {
  readonly id: string;
  readonly applicationId: string;
  readonly name: string;
  readonly image: string;
  readonly memoryMiB: number;
  readonly timeoutS: number;
  readonly idleTimeoutS: number;
  readonly config: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, AnnotationValue>>;
  /** The annotations `chaya/…`, parsed; what is absent has its default. */
  readonly settings: FunctionSettings;
  readonly tags: Tags;
  readonly shape: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly version: number;
}

/** What only the OCI API shows of a record: read from the store when it asks, never kept in memory. */
export interface OciSide {
  readonly compartmentId: string;
  readonly etag: string;
  readonly tags: Tags;
  /** Members that nothing but the OCI API knows, as they came. */
  readonly ociMembers: OciMembers;
}

/** What a caller of the OCI API decides of it. */
export type OciFields = Omit<OciSide, "etag">;

export interface Tags {
  readonly freeform: Readonly<Record<string, string>>;
  readonly defined: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export type OciMembers = Readonly<Record<string, unknown>>;

export type StoredApplication = Application & OciSide;
export type StoredFunction = FunctionRecord & OciSide;

export interface Trigger {
  readonly id: string;
  readonly applicationId: string;
  readonly functionId: string;
  readonly name: string;
  readonly type: "http";
  /** Starts with `/`; compared byte for byte with the decoded path. */
  readonly source: string;
  readonly annotations: Readonly<Record<string, AnnotationValue>>;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  readonly version: number;
}

/** Applications, functions and triggers in memory, kept up with the store by the changes feed. Lookups never wait. */
export interface Directory {
  application(id: string): Application | undefined;
  applicationNamed(name: string): Application | undefined;
  function(id: string): FunctionRecord | undefined;
  functionNamed(applicationId: string, name: string): FunctionRecord | undefined;
  triggerAt(applicationId: string, source: string): Trigger | undefined;
  functions(): Iterable<FunctionRecord>;
  /** Called after the directory shows the change. `version` of a secret or record changed ⇒ new instances are needed. */
  onChange(listener: (change: DirectoryChange) => void): Disposable;
}

export interface DirectoryChange {
  readonly kind: "application" | "function" | "trigger" | "secret";
  /** The id of the record; for a secret the id of its application. */
  readonly id: string;
}
