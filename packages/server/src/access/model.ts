import type { KeyObject } from "node:crypto";
import type { Policy } from "./policies/policy.ts";

/** What all resources of identity have. Ids are record ids; their OCIDs are computed at the border. */
export interface IdentityRecord {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly tags: Tags;
  readonly etag: string;
  readonly version: number;
  readonly createdAtMs: number;
}

export interface Tags {
  readonly freeform: Readonly<Record<string, string>>;
  readonly defined: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The root compartment is the tenancy: it has no parent. */
export interface Compartment extends IdentityRecord {
  readonly parentId: string | undefined;
}

export interface User extends IdentityRecord {
  readonly email: string;
  /** None of the credentials is accepted. */
  readonly isBlocked: boolean;
}

export interface Group extends IdentityRecord {}

export interface DynamicGroup extends IdentityRecord {
  readonly matchingRule: string;
  /** Parsed; what cannot be read any more matches nothing. */
  readonly matches: (resource: ResourceFacts) => boolean;
}

/** A resource that asks as a principal, as the rules of dynamic groups see it. */
export interface ResourceFacts {
  /** OCI's word, as in `resource.type`: `fnfunc`. */
  readonly type: "fnfunc";
  readonly id: string;
  readonly compartmentId: string;
  readonly tags: Tags;
}

export interface ApiKey {
  readonly userId: string;
  /** MD5 of the DER SubjectPublicKeyInfo, hexadecimal, colons between the bytes. */
  readonly fingerprint: string;
  readonly publicKey: KeyObject;
}

/** auth: an OCI auth token · session: of a login · login: exchanged for a session once · admin: DATA/keys/admin.token */
export type TokenKind = "auth" | "session" | "login" | "admin";

export interface Token {
  readonly id: string;
  /** SHA-256 of what is sent, hexadecimal. */
  readonly hash: string;
  readonly kind: TokenKind;
  readonly userId: string;
  readonly expiresAtMs: number | undefined;
}

/**
 * Everything that authentication and authorization ask about, in memory, kept up with the store by the changes feed.
 * Lookups never wait.
 */
export interface AccessDirectory {
  /** The id of the root compartment; the tenancy has the same. */
  readonly rootId: string;
  compartment(id: string): Compartment | undefined;
  /** The child of this name. */
  compartmentNamed(parentId: string, name: string): Compartment | undefined;
  /** From the compartment up to the root, both included; empty when there is no such compartment. */
  lineage(compartmentId: string): readonly string[];
  user(id: string): User | undefined;
  apiKey(userId: string, fingerprint: string): ApiKey | undefined;
  /** By the SHA-256 of what was sent. */
  token(hash: string): Token | undefined;
  group(id: string): Group | undefined;
  groupNamed(name: string): Group | undefined;
  /** Ids of the groups that the user is in. */
  groupsOf(userId: string): ReadonlySet<string>;
  dynamicGroupNamed(name: string): DynamicGroup | undefined;
  dynamicGroup(id: string): DynamicGroup | undefined;
  policies(): Iterable<Policy>;
  /** Called after the directory shows a change: whatever was derived from it must be derived anew. */
  onChange(listener: () => void): Disposable;
}
