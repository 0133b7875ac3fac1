import { limits, Problem, secretNameProblem } from "@chaya/contract";
import { chayaRoutes, type SecretView } from "@chaya/contract/chaya";
import { type ControlRoute, control } from "../http/control-route.ts";
import type { Random } from "../kernel/random.ts";
import type { Places, ResolveFunctions } from "../seams.ts";
import { listSecrets, putSecret, type RecordDeps, removeSecret } from "./records/secrets.ts";
import { nonceBytes, sealValue } from "./sealed-value.ts";
import type { Secret, SecretPlace } from "./secret.ts";
import type { SecretKey } from "./secret-key.ts";

export interface SecretHandlerDeps extends RecordDeps {
  readonly resolve: ResolveFunctions;
  readonly places: Places;
  readonly random: Random;
  readonly key: SecretKey;
}

export function secretRoutes(deps: SecretHandlerDeps): readonly ControlRoute[] {
  return [
    control(
      chayaRoutes.listSecrets,
      ({ params, query }) => deps.places.filter({ app: params.appId, fn: query.fn }),
      async ({ params, query }) => {
        const scope = findScope(deps.resolve, params.appId, query.fn);
        const functionId = query.fn === undefined ? undefined : scope.functionId;
        const secrets = await listSecrets(deps.store, { ...scope, functionId });
        return { result: { items: secrets.map((secret) => viewSecret(deps.resolve, secret)) } };
      },
    ),
    control(
      chayaRoutes.setSecret,
      ({ params, query }) => deps.places.filter({ app: params.appId, fn: query.fn }),
      async ({ params, query, body, principal }) => {
        const place = findPlace(deps.resolve, params, query.fn);
        checkValue(body.value);
        const { secret, seq } = await setSecret(deps, { place, value: body.value, createdBy: principal.id });
        return { result: viewSecret(deps.resolve, secret), seq };
      },
    ),
    control(
      chayaRoutes.unsetSecret,
      ({ params, query }) => deps.places.filter({ app: params.appId, fn: query.fn }),
      async ({ params, query }) => {
        const seq = await removeSecret(deps, findPlace(deps.resolve, params, query.fn));
        if (seq === undefined) throw new Problem("secret-not-found", { secret: params.name });
        return { seq };
      },
    ),
  ];
}

async function setSecret(
  deps: SecretHandlerDeps,
  asked: { readonly place: SecretPlace; readonly value: string; readonly createdBy: string },
) {
  const { key, fingerprint } = await deps.key.forSealing();
  const { place, value, createdBy } = asked;
  const countMax = limits.secretsPerApplicationMax;
  // Each sealing has a nonce of its own: the transaction may be tried again, with another id.
  const seal = (id: string) => sealValue(key, { ...place, id, value }, deps.random.bytes(nonceBytes));
  const put = await putSecret(deps, { place, createdBy, keyFingerprint: fingerprint, seal, countMax });
  switch (put.kind) {
    case "put":
      return put;
    case "other-key":
      throw deps.key.otherKey();
    case "too-many": {
      const application = deps.resolve.application(place.applicationId)?.name ?? place.applicationId;
      throw new Problem("secrets-exhausted", { application, secretsMax: countMax });
    }
    default:
      return put satisfies never;
  }
}

/** Applications and functions by id or name. */
function findScope(
  resolve: ResolveFunctions,
  app: string,
  fn: string | undefined,
): Pick<SecretPlace, "applicationId" | "functionId"> {
  const application = resolve.application(app);
  if (application === undefined) throw new Problem("application-not-found", { application: app });
  if (fn === undefined) return { applicationId: application.id, functionId: "" };
  const found = resolve.function(fn, application.id);
  if (found === undefined) throw new Problem("function-not-found", { function: fn });
  return { applicationId: application.id, functionId: found.id };
}

function findPlace(
  resolve: ResolveFunctions,
  params: { readonly appId: string; readonly name: string },
  fn: string | undefined,
): SecretPlace {
  const reason = secretNameProblem(params.name);
  if (reason !== undefined) throw new Problem("request-invalid", { where: "path name", reason });
  return { ...findScope(resolve, params.appId, fn), name: params.name };
}

function checkValue(value: string): void {
  const { secretValueBytesMax } = limits;
  const invalid = (reason: string) => new Problem("request-invalid", { where: "body value", reason });
  if (Buffer.byteLength(value) > secretValueBytesMax)
    throw invalid(`a secret's value has at most ${secretValueBytesMax} bytes`);
  if (value.includes("\0")) throw invalid("it has a NUL, which no environment variable can hold");
}

function viewSecret(resolve: ResolveFunctions, secret: Secret): SecretView {
  const { name, functionId } = secret;
  return {
    name,
    ...(functionId !== "" && { function: resolve.function(functionId, undefined)?.name ?? functionId }),
    createdAt: new Date(secret.createdAtMs).toISOString(),
    updatedAt: new Date(secret.updatedAtMs).toISOString(),
  };
}
