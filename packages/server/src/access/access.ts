import type { Store } from "../drivers/store/driver.ts";
import type { MainTables } from "../drivers/store/tables.ts";
import type { Audit } from "../http/audit.ts";
import type { Authenticate } from "../http/authenticate.ts";
import type { Authorize } from "../http/authorize.ts";
import type { ControlRoute } from "../http/control-route.ts";
import type { Clock } from "../kernel/clock.ts";
import type { NewId } from "../kernel/ids.ts";
import { Lifetime } from "../kernel/lifetime.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Random } from "../kernel/random.ts";
import type { HasCompartment, IssueCredential, ResolveFunctions, SealedBytes } from "../seams.ts";
import type { ChangesFeed } from "../work/changes.ts";
import { ensureAdminToken } from "./admin-token.ts";
import { AuditEvents } from "./audit/audit-events.ts";
import { auditRoutes } from "./audit/handlers.ts";
import { createAuthenticate } from "./authenticate.ts";
import { createIdentity } from "./identity.ts";
import type { ResourceFacts } from "./model.ts";
import { createAuthorize } from "./policies/create-authorize.ts";
import { createResourcePrincipals } from "./resource-principals/index.ts";
import { createSessions } from "./sessions/index.ts";

export interface AccessDeps {
  readonly store: Store<MainTables>;
  readonly changes: ChangesFeed;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: NewId;
  readonly logger: Logger;
  /** The root compartment; the tenancy has the same id. */
  readonly compartmentId: string;
  readonly region: string;
  readonly publicUrl: () => string;
  /** Of a function that asks as a principal, from memory. */
  readonly resourceFacts: (functionId: string) => ResourceFacts | undefined;
}

/** Who may do what, and what they did. */
export interface Access extends AsyncDisposable {
  readonly routes: readonly ControlRoute[];
  readonly authorize: Authorize;
  readonly audit: Audit;
  readonly hasCompartment: HasCompartment;
  /** Who somebody is: needs what is opened after this. Once. */
  openCredentials(deps: CredentialDeps): Promise<Credentials>;
}

export interface CredentialDeps {
  readonly sealed: SealedBytes;
  readonly resolve: ResolveFunctions;
}

export interface Credentials extends AsyncDisposable {
  readonly authenticate: Authenticate;
  readonly issueCredential: IssueCredential;
  /** Makes DATA/keys/admin.token where it is missing; its path. */
  readonly ensureAdminToken: (data: { readonly path: string; readonly serverId: string }) => Promise<string>;
}

/** The changes feed must have been started. */
export async function createAccess(deps: AccessDeps): Promise<Access> {
  const lifetime = new Lifetime();
  const rooted = { ...deps, rootId: deps.compartmentId };
  const identity = lifetime.own(await createIdentity(rooted));
  const { directory } = identity;
  const authorize = createAuthorize({ ...deps, directory });
  lifetime.onClose(() => authorize[Symbol.dispose]());
  const events = lifetime.own(new AuditEvents(deps));
  const sessions = lifetime.own(createSessions({ ...rooted, directory }));
  const root = { compartmentId: deps.compartmentId };
  return {
    routes: [...identity.routes, ...sessions.routes, ...auditRoutes({ events, root })],
    authorize,
    audit: events,
    hasCompartment: (id) => directory.compartment(id) !== undefined,
    openCredentials: async (needed) => {
      const principals = await createResourcePrincipals({ ...deps, ...needed });
      const { issueCredential, verifyResourceToken } = principals;
      return {
        authenticate: createAuthenticate({ ...deps, directory, verifyResourceToken }),
        issueCredential,
        ensureAdminToken: (data) =>
          ensureAdminToken({ ...rooted, data, ensureAdministrator: identity.ensureAdministrator }),
        [Symbol.asyncDispose]: () => principals[Symbol.asyncDispose](),
      };
    },
    [Symbol.asyncDispose]: () => lifetime[Symbol.asyncDispose](),
  };
}
