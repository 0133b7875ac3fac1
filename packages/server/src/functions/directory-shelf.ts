import type { Application, DirectoryChange, FunctionRecord, Trigger } from "./model.ts";

/**
 * The records in memory with the indexes that calls need. Putting replaces; removing says what went, contents first.
 * Nothing here is checked: records come from the store, in any order, and a child may be here before its parent.
 */
export class DirectoryShelf {
  readonly applications = new Map<string, Application>();
  readonly applicationsByName = new Map<string, Application>();
  readonly functions = new Map<string, FunctionRecord>();
  /** By the id of the application, then by name. */
  readonly functionsByName = new Map<string, Map<string, FunctionRecord>>();
  readonly triggers = new Map<string, Trigger>();
  /** By the id of the application, then by source. */
  readonly triggersBySource = new Map<string, Map<string, Trigger>>();

  putApplication(application: Application): void {
    this.applications.set(application.id, application);
    this.applicationsByName.set(application.name, application);
  }

  putFunction(record: FunctionRecord): void {
    this.functions.set(record.id, record);
    innerMap(this.functionsByName, record.applicationId).set(record.name, record);
  }

  putTrigger(trigger: Trigger): void {
    this.#forgetSource(trigger.id);
    this.triggers.set(trigger.id, trigger);
    innerMap(this.triggersBySource, trigger.applicationId).set(trigger.source, trigger);
  }

  findApplication(idOrName: string): Application | undefined {
    return this.applications.get(idOrName) ?? this.applicationsByName.get(idOrName);
  }

  /** By id, or by name when the application is told; a function of another application is not found. */
  findFunction(idOrName: string, applicationId: string | undefined): FunctionRecord | undefined {
    const byId = this.functions.get(idOrName);
    if (applicationId === undefined) return byId;
    return byId?.applicationId === applicationId ? byId : this.functionsByName.get(applicationId)?.get(idOrName);
  }

  removeApplication(id: string): readonly DirectoryChange[] {
    const removed = [...(this.functionsByName.get(id)?.values() ?? [])].flatMap((record) =>
      this.removeFunction(record.id),
    );
    this.functionsByName.delete(id);
    this.triggersBySource.delete(id);
    const application = this.applications.get(id);
    if (application === undefined) return removed;
    this.applications.delete(id);
    removeIfSame(this.applicationsByName, application.name, application);
    return [...removed, { kind: "application", id }];
  }

  removeFunction(id: string): readonly DirectoryChange[] {
    const record = this.functions.get(id);
    if (record === undefined) return [];
    const removed = [...(this.triggersBySource.get(record.applicationId)?.values() ?? [])]
      .filter((trigger) => trigger.functionId === id)
      .flatMap((trigger) => this.removeTrigger(trigger.id));
    this.functions.delete(id);
    removeIfSame(this.functionsByName.get(record.applicationId), record.name, record);
    return [...removed, { kind: "function", id }];
  }

  removeTrigger(id: string): readonly DirectoryChange[] {
    if (!this.triggers.has(id)) return [];
    this.#forgetSource(id);
    this.triggers.delete(id);
    return [{ kind: "trigger", id }];
  }

  #forgetSource(triggerId: string): void {
    const trigger = this.triggers.get(triggerId);
    if (trigger !== undefined) removeIfSame(this.triggersBySource.get(trigger.applicationId), trigger.source, trigger);
  }
}

/** Another record may have taken the key since: that one stays. */
function removeIfSame<T>(index: Map<string, T> | undefined, key: string, value: T): void {
  if (index?.get(key) === value) index.delete(key);
}

function innerMap<T>(outer: Map<string, Map<string, T>>, key: string): Map<string, T> {
  const known = outer.get(key);
  if (known !== undefined) return known;
  const made = new Map<string, T>();
  outer.set(key, made);
  return made;
}
