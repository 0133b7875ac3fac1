import { Problem } from "@chaya/contract";
import { idOf } from "@chaya/contract/oci";
import { ociIdentityRoutes as routes } from "@chaya/contract/oci/identity";
import { type ControlRoute, control } from "../../http/control-route.ts";
import { readPublicKey } from "../public-key.ts";
import { deleteApiKey, insertApiKey, readApiKeys } from "../records/api-keys.ts";
import { deleteAuthToken, describeAuthToken, etagOf, insertAuthToken, readAuthTokens } from "../records/auth-tokens.ts";
import { mintToken } from "../tokens/token-text.ts";
import type { IdentityHandlerDeps } from "./handler-deps.ts";
import { creationOf, etagCheck } from "./identity-request.ts";
import { viewApiKey, viewAuthToken } from "./identity-views.ts";

/** The API keys and auth tokens of a user, who may see and change them without a policy. */
export function credentialRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  return [...apiKeyRoutes(deps), ...authTokenRoutes(deps)];
}

type OfUser = { readonly params: { readonly userId: string } };

function apiKeyRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const own = ({ params }: OfUser) => deps.places.ownUser(params.userId);
  return [
    control(routes.listApiKeys, own, async ({ params }) => {
      const keys = await readApiKeys(deps.store.db, knownUser(deps, params.userId));
      return { result: keys.map((key) => viewApiKey(key, deps.rootId)) };
    }),
    control(routes.uploadApiKey, own, async (request) => {
      const userId = knownUser(deps, request.params.userId);
      const key = readPublicKey(request.body.key);
      const { record, seq } = await insertApiKey(deps, creationOf(request, routes.uploadApiKey), { userId, key });
      return { result: viewApiKey(record, deps.rootId), etag: record.fingerprint, seq };
    }),
    control(routes.deleteApiKey, own, async (request) => {
      const { fingerprint } = request.params;
      if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){15}$/.test(fingerprint)) throw new Problem("not-authorized");
      const userId = knownUser(deps, request.params.userId);
      const { seq } = await deleteApiKey(deps, { userId, fingerprint, checkEtag: etagCheck(request) });
      return { seq };
    }),
  ];
}

function authTokenRoutes(deps: IdentityHandlerDeps): readonly ControlRoute[] {
  const own = ({ params }: OfUser) => deps.places.ownUser(params.userId);
  return [
    control(routes.listAuthTokens, own, async ({ params }) => {
      const tokens = await readAuthTokens(deps, knownUser(deps, params.userId));
      return { result: tokens.map(viewAuthToken) };
    }),
    control(routes.createAuthToken, own, async (request) => {
      const userId = knownUser(deps, request.params.userId);
      const { text, hash } = mintToken(deps.random);
      const made = { userId, description: request.body.description, hash };
      const { record, seq } = await insertAuthToken(deps, creationOf(request, routes.createAuthToken), made);
      return { result: { token: text, ...viewAuthToken(record) }, etag: etagOf(record), seq };
    }),
    control(routes.updateAuthToken, own, async (request) => {
      const { record, seq } = await describeAuthToken(deps, heldBy(deps, request), request.body.description);
      return { result: viewAuthToken(record), etag: etagOf(record), seq };
    }),
    control(routes.deleteAuthToken, own, async (request) => {
      const { seq } = await deleteAuthToken(deps, heldBy(deps, request));
      return { seq };
    }),
  ];
}

/** Throws `not-authorized`. */
function knownUser({ directory }: IdentityHandlerDeps, text: string): string {
  const id = idOf("user", text) ?? "";
  if (directory.user(id) === undefined) throw new Problem("not-authorized");
  return id;
}

function heldBy(
  deps: IdentityHandlerDeps,
  request: { readonly params: { readonly userId: string; readonly authTokenId: string } } & Parameters<
    typeof etagCheck
  >[0],
) {
  const { userId, authTokenId } = request.params;
  const id = idOf("credential", authTokenId) ?? "";
  return { id, userId: knownUser(deps, userId), checkEtag: etagCheck(request) };
}
