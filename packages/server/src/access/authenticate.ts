// Hot path: ARCHITECTURE, hot-path rules.
import type { IncomingMessage } from "node:http";
import { isProblem, Problem } from "@chaya/contract";
import type { Authenticate, Presented } from "../http/authenticate.ts";
import type { Admitted } from "../http/principal.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../kernel/logger.ts";
import type { Random } from "../kernel/random.ts";
import { FailedAuthentications } from "./failed-authentications.ts";
import type { AccessDirectory } from "./model.ts";
import { readSignedRequest } from "./signatures/signed-request.ts";
import { decoyKey, findSigner, type VerifyResourceToken } from "./signatures/signers.ts";
import { isSignedBy } from "./signatures/verify-signature.ts";
import { findBearer } from "./tokens/find-bearer.ts";

export interface AuthenticateDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly directory: Pick<AccessDirectory, "rootId" | "user" | "apiKey" | "token">;
  readonly verifyResourceToken: VerifyResourceToken;
}

/** Judges signatures and bearer tokens; anything else in Authorization is refused. */
export function createAuthenticate(deps: AuthenticateDeps): Authenticate {
  const failures = new FailedAuthentications(deps);
  const judge = createJudge(deps);
  return (request, presented) => {
    const authorization = request.headers.authorization;
    if (authorization === undefined) return undefined;
    const { scheme, rest } = schemeOf(authorization);
    try {
      if (isRepeated(request.rawHeaders)) throw new Problem("credentials-invalid");
      return judge({ scheme, rest }, request, presented);
    } catch (error) {
      if (isProblem(error)) failures.report({ peer: presented.peer, kind: scheme, problem: error.code });
      throw error;
    }
  };
}

type Scheme = "signature" | "bearer" | "other";

interface Credentials {
  readonly scheme: Scheme;
  readonly rest: string;
}

function createJudge(deps: AuthenticateDeps) {
  const { clock, directory } = deps;
  const decoy = decoyKey(deps.random);
  return ({ scheme, rest }: Credentials, request: IncomingMessage, { route }: Presented): Admitted => {
    const nowMs = clock.nowMs();
    switch (scheme) {
      case "signature": {
        const signed = readSignedRequest(request, rest, { nowMs, isBodyOptional: route.signedBody === "optional" });
        const signer = findSigner(deps, signed.keyId);
        const isRight = isSignedBy(signer?.publicKey ?? decoy, signed);
        if (signer === undefined || !isRight) throw new Problem("credentials-invalid");
        return { principal: signer.principal, bodySha256: signed.bodySha256 };
      }
      case "bearer": {
        const bearer = findBearer(directory, rest, nowMs);
        if (bearer === undefined) throw new Problem("credentials-invalid");
        return { principal: bearer.principal };
      }
      case "other":
        throw new Problem("credentials-invalid");
      default:
        return scheme satisfies never;
    }
  };
}

/** RFC 9110 §11.1: the scheme in any case, then spaces. */
function schemeOf(authorization: string): Credentials {
  const match = /^(signature|bearer) +(.*)$/is.exec(authorization);
  if (match === null) return { scheme: "other", rest: "" };
  const [, name = "", rest = ""] = match;
  return { scheme: name.toLowerCase() === "bearer" ? "bearer" : "signature", rest };
}

/** Node keeps the first of several and drops the others; two would be two principals. */
function isRepeated(rawHeaders: readonly string[]): boolean {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.length === 13 && rawHeaders[index]?.toLowerCase() === "authorization") count++;
  return count > 1;
}
