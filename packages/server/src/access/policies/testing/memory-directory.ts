import type { AccessDirectory, IdentityRecord, ResourceFacts, Tags } from "../../model.ts";
import { parseMatchingRule } from "../matching-rule.ts";
import { parsePolicy } from "../parse-statement.ts";
import type { Policy } from "../policy.ts";

/** What a directory of a test holds; ids by a short name, see `idFor`. */
export interface Holdings {
  /** Child → parent; the root is `root`. */
  readonly compartments?: Readonly<Record<string, string>>;
  /** User → groups. */
  readonly users?: Readonly<Record<string, readonly string[]>>;
  readonly blocked?: readonly string[];
  readonly groups?: readonly string[];
  /** Name → matching rule. */
  readonly dynamicGroups?: Readonly<Record<string, string>>;
  /** Compartment → statements of the policy that is attached to it. */
  readonly policies?: Readonly<Record<string, readonly string[]>>;
}

export const noTags: Tags = { freeform: {}, defined: {} };

/** The record id of what a test calls by this name: 26 characters of Crockford's alphabet. */
export function idFor(name: string): string {
  const digits = [...name].map((letter) => (letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, "0"));
  return `0${digits.join("")}`.padEnd(26, "0").slice(0, 26);
}

/** An access directory in memory that a test fills and replaces. */
export class MemoryDirectory implements AccessDirectory {
  readonly rootId = idFor("root");
  #holdings: Holdings;
  #policies: readonly Policy[] = [];
  #dynamicGroups: ReadonlyMap<string, (resource: ResourceFacts) => boolean> = new Map();
  readonly #listeners = new Set<() => void>();

  constructor(holdings: Holdings) {
    this.#holdings = holdings;
    this.replace(holdings);
  }

  replace(holdings: Holdings): void {
    this.#holdings = holdings;
    this.#policies = Object.entries(holdings.policies ?? {}).map(([compartment, texts]) => ({
      id: idFor(`p${compartment}`),
      name: compartment,
      compartmentId: idFor(compartment),
      statements: parsePolicy(texts),
    }));
    this.#dynamicGroups = new Map(
      Object.entries(holdings.dynamicGroups ?? {}).map(([name, rule]) => [name, parseMatchingRule(rule)]),
    );
    for (const listener of this.#listeners) listener();
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  compartment(id: string) {
    if (id === this.rootId) return { ...record("root"), parentId: undefined };
    const entry = Object.entries(this.#holdings.compartments ?? {}).find(([name]) => idFor(name) === id);
    return entry && { ...record(entry[0]), parentId: idFor(entry[1]) };
  }

  compartmentNamed(parentId: string, name: string) {
    const parent = this.#holdings.compartments?.[name];
    return parent !== undefined && idFor(parent) === parentId ? this.compartment(idFor(name)) : undefined;
  }

  lineage(id: string): readonly string[] {
    const found = this.compartment(id);
    if (found === undefined) return [];
    return found.parentId === undefined ? [id] : [id, ...this.lineage(found.parentId)];
  }

  user(id: string) {
    const name = Object.keys(this.#holdings.users ?? {}).find((name) => idFor(name) === id);
    if (name === undefined) return undefined;
    return { ...record(name), email: "", isBlocked: this.#holdings.blocked?.includes(name) === true };
  }

  groupsOf(userId: string): ReadonlySet<string> {
    const name = this.user(userId)?.name ?? "";
    return new Set(this.#holdings.users?.[name]?.map(idFor));
  }

  groupNamed(name: string) {
    const known = new Set([...(this.#holdings.groups ?? []), ...Object.values(this.#holdings.users ?? {}).flat()]);
    return known.has(name) ? record(name) : undefined;
  }

  dynamicGroupNamed(name: string) {
    const matches = this.#dynamicGroups.get(name);
    return matches && { ...record(name), matches, matchingRule: this.#holdings.dynamicGroups?.[name] ?? "" };
  }

  dynamicGroup(id: string) {
    const name = [...this.#dynamicGroups.keys()].find((name) => idFor(name) === id);
    return name === undefined ? undefined : this.dynamicGroupNamed(name);
  }

  policies(): readonly Policy[] {
    return this.#policies;
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  group(): undefined {}
  apiKey(): undefined {}
  token(): undefined {}
}

function record(name: string): IdentityRecord {
  return { id: idFor(name), name, description: "", tags: noTags, etag: "", version: 1, createdAtMs: 0 };
}
