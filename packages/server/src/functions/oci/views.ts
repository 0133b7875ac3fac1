import type { ApplicationSummary, FunctionSummary, OciApplication, OciFunction } from "@chaya/contract/oci/functions";
import type { OciMembers, OciSide, StoredApplication, StoredFunction } from "../model.ts";
import { applicationOcid, compartmentOcid, functionOcid, type OciDeps } from "./border.ts";
import { shownDigest } from "./image-digest.ts";

/** Records as OCI shows them, with the members that were kept for it. Lists leave out the configuration. */
export function viewOciApplication(deps: OciDeps, application: StoredApplication): OciApplication {
  const { config, syslogUrl } = application;
  return { ...summarizeApplication(deps, application), config, ...(syslogUrl === "" ? {} : { syslogUrl }) };
}

export function summarizeApplication(deps: OciDeps, application: StoredApplication): ApplicationSummary {
  const { id, ociMembers } = application;
  return {
    ...{ subnetIds: [], networkSecurityGroupIds: [], traceConfig: { isEnabled: false } },
    ...ociMembers,
    id: applicationOcid(deps, id),
    shape: shapeOf(application),
    ...shared(deps, application),
  };
}

export function viewOciFunction(deps: OciDeps, record: StoredFunction): OciFunction {
  return { ...summarizeFunction(deps, record), config: record.config };
}

export function summarizeFunction(deps: OciDeps, record: StoredFunction): FunctionSummary {
  const { id, applicationId, image, memoryMiB, timeoutS, settings } = record;
  const count = settings["min-instances"];
  const imageDigest = shownDigest(record);
  const { imageDigest: _kept, ...members }: OciMembers = record.ociMembers;
  return {
    ...{ failureDestination: none, successDestination: none, traceConfig: { isEnabled: false } },
    ...members,
    id: functionOcid(deps, id),
    applicationId: applicationOcid(deps, applicationId),
    image,
    ...(imageDigest === undefined ? {} : { imageDigest }),
    shape: shapeOf(record),
    memoryInMBs: memoryMiB,
    timeoutInSeconds: timeoutS,
    detachedModeTimeoutInSeconds: settings["detached-timeout"] ?? timeoutS,
    provisionedConcurrencyConfig: count === 0 ? { strategy: "NONE" } : { strategy: "CONSTANT", count },
    invokeEndpoint: new URL(deps.publicUrl()).origin,
    ...shared(deps, record),
  };
}

const none = { kind: "NONE" } as const;

/** What the Fn API makes may have no shape. */
function shapeOf({ shape }: { readonly shape: string }): string {
  return shape === "" ? "GENERIC_X86" : shape;
}

interface Shown extends OciSide {
  readonly name: string;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

function shared(deps: OciDeps, { name, compartmentId, tags, createdAtMs, updatedAtMs }: Shown) {
  return {
    displayName: name,
    compartmentId: compartmentOcid(deps, compartmentId),
    lifecycleState: "ACTIVE",
    freeformTags: tags.freeform,
    // Parsed of JSON: the schema's word for its values is narrower than the model's.
    definedTags: tags.defined,
    timeCreated: new Date(createdAtMs).toISOString(),
    timeUpdated: new Date(updatedAtMs).toISOString(),
  } as const;
}
