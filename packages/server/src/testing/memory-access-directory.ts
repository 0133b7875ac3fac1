import { createHash, type KeyObject } from "node:crypto";
import type {
  AccessDirectory,
  ApiKey,
  Compartment,
  DynamicGroup,
  Group,
  IdentityRecord,
  Token,
  User,
} from "../access/model.ts";
import type { Policy } from "../access/policies/policy.ts";

/** An access directory that a test fills by hand; every change is told to the listeners as the real one does. */
export class MemoryAccessDirectory implements AccessDirectory {
  readonly rootId = "01KAR00T000000000000000000";
  readonly #compartments = new Map<string, Compartment>();
  readonly #users = new Map<string, User>();
  readonly #apiKeys = new Map<string, ApiKey>();
  readonly #tokens = new Map<string, Token>();
  readonly #groups = new Map<string, Group>();
  readonly #groupsOf = new Map<string, ReadonlySet<string>>();
  readonly #dynamicGroups = new Map<string, DynamicGroup>();
  readonly #policies = new Map<string, Policy>();
  readonly #listeners = new Set<() => void>();
  #ids = 0;

  constructor() {
    this.#compartments.set(this.rootId, { ...this.#record("root"), id: this.rootId, parentId: undefined });
  }

  compartment(id: string): Compartment | undefined {
    return this.#compartments.get(id);
  }

  compartmentNamed(parentId: string, name: string): Compartment | undefined {
    return [...this.#compartments.values()].find((each) => each.parentId === parentId && each.name === name);
  }

  lineage(compartmentId: string): readonly string[] {
    const ids: string[] = [];
    for (let at = this.#compartments.get(compartmentId); at !== undefined; at = this.#parentOf(at)) ids.push(at.id);
    return ids;
  }

  user(id: string): User | undefined {
    return this.#users.get(id);
  }

  apiKey(userId: string, fingerprint: string): ApiKey | undefined {
    return this.#apiKeys.get(`${userId}/${fingerprint}`);
  }

  token(hash: string): Token | undefined {
    return this.#tokens.get(hash);
  }

  group(id: string): Group | undefined {
    return this.#groups.get(id);
  }

  groupNamed(name: string): Group | undefined {
    return [...this.#groups.values()].find((group) => group.name === name);
  }

  groupsOf(userId: string): ReadonlySet<string> {
    return this.#groupsOf.get(userId) ?? new Set();
  }

  dynamicGroup(id: string): DynamicGroup | undefined {
    return this.#dynamicGroups.get(id);
  }

  dynamicGroupNamed(name: string): DynamicGroup | undefined {
    return [...this.#dynamicGroups.values()].find((group) => group.name === name);
  }

  policies(): Iterable<Policy> {
    return this.#policies.values();
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  addCompartment(name: string, parentId = this.rootId): Compartment {
    return this.#keep(this.#compartments, { ...this.#record(name), parentId });
  }

  addUser(name: string, given: Partial<User> = {}): User {
    return this.#keep(this.#users, { ...this.#record(name), email: "", isBlocked: false, ...given });
  }

  changeUser(id: string, change: Partial<User>): void {
    const before = this.#users.get(id);
    if (before === undefined) throw new Error("no such user");
    this.#keep(this.#users, { ...before, ...change });
  }

  removeUser(id: string): void {
    this.#users.delete(id);
    this.#tell();
  }

  addApiKey(userId: string, publicKey: KeyObject): ApiKey {
    const key: ApiKey = { userId, fingerprint: fingerprintOf(publicKey), publicKey };
    this.#apiKeys.set(`${userId}/${key.fingerprint}`, key);
    this.#tell();
    return key;
  }

  removeApiKey({ userId, fingerprint }: ApiKey): void {
    this.#apiKeys.delete(`${userId}/${fingerprint}`);
    this.#tell();
  }

  addToken(given: Pick<Token, "hash" | "kind" | "userId"> & Partial<Token>): Token {
    const token: Token = { id: this.#newId(), expiresAtMs: undefined, ...given };
    this.#tokens.set(token.hash, token);
    this.#tell();
    return token;
  }

  removeToken({ hash }: Token): void {
    this.#tokens.delete(hash);
    this.#tell();
  }

  addGroup(name: string, userIds: readonly string[] = []): Group {
    const group = this.#keep(this.#groups, this.#record(name));
    for (const userId of userIds) this.#groupsOf.set(userId, new Set([...this.groupsOf(userId), group.id]));
    this.#tell();
    return group;
  }

  addDynamicGroup(name: string, matches: DynamicGroup["matches"], matchingRule = "ANY {}"): DynamicGroup {
    return this.#keep(this.#dynamicGroups, { ...this.#record(name), matchingRule, matches });
  }

  addPolicy(policy: Omit<Policy, "id">): Policy {
    return this.#keep(this.#policies, { ...policy, id: this.#newId() });
  }

  removePolicy(id: string): void {
    this.#policies.delete(id);
    this.#tell();
  }

  #parentOf({ parentId }: Compartment): Compartment | undefined {
    return parentId === undefined ? undefined : this.#compartments.get(parentId);
  }

  #keep<T extends { readonly id: string }>(records: Map<string, T>, record: T): T {
    records.set(record.id, record);
    this.#tell();
    return record;
  }

  #record(name: string): IdentityRecord {
    const tags = { freeform: {}, defined: {} };
    return { id: this.#newId(), name, description: "", tags, etag: "1", version: 1, createdAtMs: 0 };
  }

  #newId(): string {
    return `01ACCESS${String(++this.#ids).padStart(18, "0")}`;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** As OCI names a key: MD5 of the DER SubjectPublicKeyInfo, hexadecimal, colons between the bytes. */
function fingerprintOf(publicKey: KeyObject): string {
  const digest = createHash("md5")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");
  return digest.match(/../g)?.join(":") ?? "";
}
