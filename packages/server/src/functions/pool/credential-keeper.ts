import type { Instance, InstanceCredentials } from "../../drivers/runtime/driver.ts";
import type { Clock, Timer } from "../../kernel/clock.ts";
import type { Logger } from "../../kernel/logger.ts";
import { Semaphore } from "../../kernel/semaphore.ts";
import type { CredentialSubject, IssueCredential, ResourcePrincipal } from "../../seams.ts";
import type { Directory } from "../model.ts";

export interface CredentialKeeperDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly directory: Pick<Directory, "application" | "function">;
  readonly issueCredential: IssueCredential;
}

export interface IssuedCredentials {
  readonly principal: Promise<ResourcePrincipal>;
  readonly forRuntime: InstanceCredentials;
  /** What all tokens of the platform begin with: the same header. Undefined as long as none has been issued. */
  readonly tokenBegin: () => Buffer | undefined;
}

interface Kept {
  readonly functionId: string;
  /** By the wall clock, which the token's end is judged by. */
  refreshAtMs: number;
}

/** Far less than lies between a token's time to be replaced and its end. */
const lookMs = 15_000;
const refreshesAtOnceMax = 4;
const [tokenFile, keyFile] = ["rpst", "private.pem"];

/** Issues the files with which instances ask as their function, and fresh tokens as long as they live. */
export class CredentialKeeper implements AsyncDisposable {
  readonly #deps: CredentialKeeperDeps;
  readonly #kept = new Map<Instance, Kept>();
  readonly #looking: Timer;
  #refreshing: Promise<void> | undefined;
  #tokenBegin: Buffer | undefined;

  constructor(deps: CredentialKeeperDeps) {
    this.#deps = deps;
    this.#looking = deps.clock.every(lookMs, () => {
      this.#refreshing ??= this.#refreshDue();
    });
  }

  issue(subject: CredentialSubject): IssuedCredentials {
    const principal = this.#deps.issueCredential(subject);
    const files = principal.then(({ token, privateKey }) => {
      this.#tokenBegin ??= Buffer.from(token.slice(0, token.indexOf(".") + 1));
      return { [tokenFile]: token, [keyFile]: privateKey };
    });
    // A start that ends before it needs them does not look at them.
    files.catch(() => {});
    const variables = {
      OCI_RESOURCE_PRINCIPAL_RPST: tokenFile,
      OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM: keyFile,
    };
    return { principal, forRuntime: { variables, files }, tokenBegin: () => this.#tokenBegin };
  }

  /** From now on until it ends the instance has a fresh token. */
  keepFresh(instance: Instance, functionId: string, { refreshAtMs }: ResourcePrincipal): void {
    this.#kept.set(instance, { functionId, refreshAtMs });
    void instance.ended.then(() => this.#kept.delete(instance));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#looking.cancel();
    await this.#refreshing;
  }

  async #refreshDue(): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    const due = [...this.#kept].filter(([, { refreshAtMs }]) => refreshAtMs <= nowMs);
    const places = new Semaphore(refreshesAtOnceMax);
    await Promise.all(due.map(([instance, kept]) => places.run(() => this.#refresh(instance, kept))));
    this.#refreshing = undefined;
  }

  /** Its key stays the same. An instance of a deleted function finishes its calls with what it has. */
  async #refresh(instance: Instance, kept: Kept): Promise<void> {
    const { directory, issueCredential, logger } = this.#deps;
    const { functionId } = kept;
    const application = directory.application(directory.function(functionId)?.applicationId ?? "");
    if (application === undefined) return void this.#kept.delete(instance);
    try {
      const { compartmentId } = application;
      const { token, refreshAtMs } = await issueCredential({ functionId, compartmentId });
      await instance.replaceCredentials({ [tokenFile]: token });
      kept.refreshAtMs = refreshAtMs;
    } catch (error) {
      logger.warn("an instance got no fresh token; the next round tries again", {
        instanceId: instance.id,
        functionId,
        error,
      });
    }
  }
}
