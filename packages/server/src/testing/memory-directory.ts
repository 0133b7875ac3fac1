import { FunctionSettings } from "@chaya/contract/annotations";
import type { Application, Directory, DirectoryChange, FunctionRecord, Trigger } from "../functions/model.ts";

type Settings = Partial<FunctionSettings>;

/** A directory that a test fills by hand; every change is told to the listeners as the real one does. */
export class MemoryDirectory implements Directory {
  readonly #applications = new Map<string, Application>();
  readonly #functions = new Map<string, FunctionRecord>();
  readonly #triggers = new Map<string, Trigger>();
  readonly #listeners = new Set<(change: DirectoryChange) => void>();
  #ids = 0;

  application(id: string): Application | undefined {
    return this.#applications.get(id);
  }

  applicationNamed(name: string): Application | undefined {
    return [...this.#applications.values()].find((application) => application.name === name);
  }

  function(id: string): FunctionRecord | undefined {
    return this.#functions.get(id);
  }

  functionNamed(applicationId: string, name: string): FunctionRecord | undefined {
    return [...this.#functions.values()].find((fn) => fn.applicationId === applicationId && fn.name === name);
  }

  triggerAt(applicationId: string, source: string): Trigger | undefined {
    return [...this.#triggers.values()].find((each) => each.applicationId === applicationId && each.source === source);
  }

  functions(): Iterable<FunctionRecord> {
    return this.#functions.values();
  }

  onChange(listener: (change: DirectoryChange) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  addApplication(name: string, given: Partial<Application> = {}): Application {
    const plain = { compartmentId: rootCompartmentId, config: {}, syslogUrl: "", shape: "" };
    const application: Application = { ...this.#record(name), ...plain, ...given };
    this.#applications.set(application.id, application);
    this.#tell({ kind: "application", id: application.id });
    return application;
  }

  addFunction(
    applicationId: string,
    name: string,
    given: Partial<Omit<FunctionRecord, "settings">> & { readonly settings?: Settings } = {},
  ): FunctionRecord {
    const record: FunctionRecord = {
      ...this.#record(name),
      applicationId,
      image: `bundle/app/${name}:1`,
      memoryMiB: 128,
      tags: { freeform: {}, defined: {} },
      timeoutS: 30,
      idleTimeoutS: 30,
      config: {},
      shape: "",
      ...given,
      settings: { ...FunctionSettings().parse({}), ...given.settings },
    };
    this.#functions.set(record.id, record);
    this.#tell({ kind: "function", id: record.id });
    return record;
  }

  addTrigger(fn: FunctionRecord, source: string): Trigger {
    const { applicationId, id: functionId } = fn;
    const trigger: Trigger = { ...this.#record(source), applicationId, functionId, type: "http", source };
    this.#triggers.set(trigger.id, trigger);
    this.#tell({ kind: "trigger", id: trigger.id });
    return trigger;
  }

  changeFunction(
    id: string,
    change: Partial<Omit<FunctionRecord, "settings">> & { readonly settings?: Settings },
  ): void {
    const before = this.#functions.get(id);
    if (before === undefined) throw new Error("no such function");
    const settings = { ...before.settings, ...change.settings };
    this.#functions.set(id, { ...before, ...change, settings, version: before.version + 1 });
    this.#tell({ kind: "function", id });
  }

  removeFunction(id: string): void {
    this.#functions.delete(id);
    this.#tell({ kind: "function", id });
  }

  changeSecret(applicationId: string): void {
    this.#tell({ kind: "secret", id: applicationId });
  }

  #record(name: string) {
    const id = `01TEST${String(++this.#ids).padStart(20, "0")}`;
    return { id, name, annotations: {}, createdAtMs: 0, updatedAtMs: 0, version: 1 };
  }

  #tell(change: DirectoryChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

const rootCompartmentId = "01KAR00T000000000000000000";
