import { isProblem, limits, Problem } from "@chaya/contract";
import { chayaRoutes } from "@chaya/contract/chaya";
import { idOf } from "@chaya/contract/oci";
import { type ControlRequest, type ControlRoute, control } from "../../http/control-route.ts";
import type { Random } from "../../kernel/random.ts";
import type { OpenAccessDirectory } from "../directory.ts";
import { createIdentityPlaces } from "../handlers/identity-places.ts";
import type { AccessRecordDeps } from "../records/commit.ts";
import { deleteSession, exchangeLoginToken, insertLoginToken, isLoginToken } from "../records/session-tokens.ts";
import { bearerText, findBearer } from "../tokens/find-bearer.ts";
import { mintToken, tokenHash } from "../tokens/token-text.ts";
import { FailedLogins } from "./failed-logins.ts";

export interface SessionHandlerDeps extends AccessRecordDeps {
  readonly random: Random;
  readonly directory: OpenAccessDirectory;
  /** Without a trailing slash; known once the server listens. */
  readonly publicUrl: () => string;
}

export function sessionRoutes(deps: SessionHandlerDeps): readonly ControlRoute[] {
  const { root, user } = createIdentityPlaces(deps.directory);
  const failures = new FailedLogins(deps.clock);
  return [
    control(
      chayaRoutes.createLoginLink,
      ({ body }) => user(body.user),
      (request) => createLoginLink(deps, request),
    ),
    control(
      chayaRoutes.createSession,
      // Before anything is written: whoever guesses does not even fill the audit.
      async ({ body }) => {
        const hash = tokenHash(body.loginToken);
        if (hash === undefined || !(await isLoginToken(deps, hash))) throw failures.refuse();
        return root;
      },
      (request) => createSession(deps, failures, request),
    ),
    control(
      chayaRoutes.deleteSession,
      ({ principal }) => {
        if (principal.kind !== "user") throw new Problem("session-missing");
        return root;
      },
      (request) => endSession(deps, request),
    ),
  ];
}

async function createLoginLink(deps: SessionHandlerDeps, { body }: ControlRequest<typeof chayaRoutes.createLoginLink>) {
  const user = deps.directory.user(idOf("user", body.user) ?? "");
  if (user === undefined) throw new Problem("not-authorized");
  if (user.isBlocked) throw new Problem("request-invalid", { where: "body user", reason: "the user is blocked" });
  const { text, hash } = mintToken(deps.random);
  const expiresAtMs = deps.clock.nowMs() + limits.loginLinkAgeMsMax;
  const { seq } = await insertLoginToken(deps, user.id, { hash, expiresAtMs });
  const url = `${deps.publicUrl()}/console/#login=${text}`;
  return { result: { url, expiresAt: new Date(expiresAtMs).toISOString() }, seq };
}

async function createSession(
  deps: SessionHandlerDeps,
  failures: FailedLogins,
  { body }: ControlRequest<typeof chayaRoutes.createSession>,
) {
  const loginHash = tokenHash(body.loginToken) ?? "";
  const { text: token, hash } = mintToken(deps.random);
  const expiresAtMs = deps.clock.nowMs() + limits.sessionAgeMsMax;
  try {
    const { record: user, seq } = await exchangeLoginToken(deps, loginHash, { hash, expiresAtMs });
    const expiresAt = new Date(expiresAtMs).toISOString();
    return { result: { token, expiresAt, user: { id: user.id, name: user.name } }, seq };
  } catch (error) {
    throw isProblem(error, "login-token-invalid") ? failures.refuse() : error;
  }
}

async function endSession(deps: SessionHandlerDeps, { headers }: ControlRequest<typeof chayaRoutes.deleteSession>) {
  const bearer = findBearer(deps.directory, bearerText(headers.authorization) ?? "", deps.clock.nowMs());
  if (bearer?.token.kind !== "session") throw new Problem("session-missing");
  const { seq } = await deleteSession(deps, bearer.token.id);
  return { seq };
}
