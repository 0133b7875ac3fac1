import { createPublicKey, type KeyObject } from "node:crypto";
import { limits } from "@chaya/contract";
import { idTimeMs } from "../kernel/ids.ts";
import type { ApiKey, Compartment, DynamicGroup, Group, Token } from "./model.ts";
import type { Policy } from "./policies/policy.ts";
import type { PublicKey } from "./public-key.ts";
import type { ApiKeyRecord } from "./records/api-keys.ts";
import type { CompartmentRecord } from "./records/compartments.ts";
import type { Membership } from "./records/memberships.ts";
import { noTags } from "./records/resource-columns.ts";
import type { UserRecord } from "./records/users.ts";

/** The records of identity in memory, by what they are looked up by. */
export class AccessShelf {
  readonly compartments = new Map<string, Compartment>();
  readonly users = new Map<string, UserRecord>();
  readonly groups = new NamedShelf<Group>();
  readonly dynamicGroups = new NamedShelf<DynamicGroup>();
  readonly policies = new Map<string, Policy>();
  readonly memberships = new Map<string, Membership>();
  readonly groupsByUser = new Map<string, Set<string>>();
  readonly keysByUser = new Map<string, readonly PublicKey[]>();
  readonly tokens = new Map<string, Token>();
  readonly tokensByHash = new Map<string, Token>();
  /** In the order of their last use: the first one goes when there are too many. */
  readonly #readyKeys = new Map<string, KeyObject>();
  readonly #lineages = new Map<string, readonly string[]>();

  constructor(rootId: string) {
    const description = "The root compartment: the tenancy.";
    const fixed = { tags: noTags, etag: rootId, version: 1, parentId: undefined };
    this.compartments.set(rootId, { id: rootId, name: "chaya", description, createdAtMs: idTimeMs(rootId), ...fixed });
  }

  putCompartment(id: string, compartment: CompartmentRecord | undefined): void {
    if (compartment === undefined) this.compartments.delete(id);
    else this.compartments.set(id, compartment);
    this.#lineages.clear();
  }

  /** What was a user's goes with the user. */
  putUser(id: string, user: UserRecord | undefined): void {
    if (user !== undefined) {
      this.users.set(id, user);
      return;
    }
    this.users.delete(id);
    this.putKeys(id, []);
    for (const token of this.tokens.values()) if (token.userId === id) this.putToken(token.id, undefined);
  }

  putMembership(id: string, membership: Membership | undefined): void {
    const known = membership ?? this.memberships.get(id);
    if (known === undefined) return;
    const groups = this.groupsByUser.get(known.userId) ?? new Set();
    if (membership === undefined) {
      this.memberships.delete(id);
      groups.delete(known.groupId);
    } else {
      this.memberships.set(id, membership);
      groups.add(known.groupId);
    }
    if (groups.size === 0) this.groupsByUser.delete(known.userId);
    else this.groupsByUser.set(known.userId, groups);
  }

  putKeys(userId: string, keys: readonly ApiKeyRecord[]): void {
    for (const { fingerprint } of this.keysByUser.get(userId) ?? []) this.#readyKeys.delete(`${userId}/${fingerprint}`);
    if (keys.length === 0) this.keysByUser.delete(userId);
    else
      this.keysByUser.set(
        userId,
        keys.map(({ fingerprint, pem }) => ({ fingerprint, pem })),
      );
  }

  putToken(id: string, token: Token | undefined): void {
    const known = this.tokens.get(id);
    if (known !== undefined) this.tokensByHash.delete(known.hash);
    if (token === undefined) {
      this.tokens.delete(id);
      return;
    }
    this.tokens.set(id, token);
    this.tokensByHash.set(token.hash, token);
  }

  apiKey(userId: string, fingerprint: string): ApiKey | undefined {
    if (this.users.get(userId)?.canUseApiKeys !== true) return undefined;
    const found = this.keysByUser.get(userId)?.find((key) => key.fingerprint === fingerprint);
    return found && { userId, fingerprint, publicKey: this.#ready(`${userId}/${fingerprint}`, found.pem) };
  }

  token(hash: string): Token | undefined {
    const token = this.tokensByHash.get(hash);
    if (token?.kind !== "auth") return token;
    return this.users.get(token.userId)?.canUseAuthTokens === true ? token : undefined;
  }

  lineage(compartmentId: string): readonly string[] {
    const known = this.#lineages.get(compartmentId);
    if (known !== undefined) return known;
    const lineage: string[] = [];
    for (let at = this.compartments.get(compartmentId); at !== undefined; ) {
      lineage.push(at.id);
      at = at.parentId === undefined ? undefined : this.compartments.get(at.parentId);
    }
    // What is no compartment is not kept: there could be any number of them.
    if (lineage.length > 0) this.#lineages.set(compartmentId, lineage);
    return lineage;
  }

  /** Reading a key's text takes longer than a verification with it. */
  #ready(id: string, pem: string): KeyObject {
    const key = this.#readyKeys.get(id) ?? createPublicKey(pem);
    this.#readyKeys.delete(id);
    this.#readyKeys.set(id, key);
    if (this.#readyKeys.size > limits.apiKeysReadyMax) {
      const [oldest = ""] = this.#readyKeys.keys();
      this.#readyKeys.delete(oldest);
    }
    return key;
  }
}

/** Records by id and by a name that never changes. */
class NamedShelf<T extends { readonly id: string; readonly name: string }> {
  readonly byId = new Map<string, T>();
  readonly byName = new Map<string, T>();

  put(id: string, record: T | undefined): void {
    const known = this.byId.get(id);
    if (known !== undefined) this.byName.delete(known.name);
    if (record === undefined) {
      this.byId.delete(id);
      return;
    }
    this.byId.set(id, record);
    this.byName.set(record.name, record);
  }
}
