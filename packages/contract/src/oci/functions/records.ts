import { z } from "zod";
import { limits } from "../../limits.ts";
import { lazy } from "../../route.ts";
import { DefinedTags, FreeformTags } from "../tags.ts";

/** Members that the schemas do not name are kept as they came and shown again. */

export const ociShapes = ["GENERIC_X86", "GENERIC_ARM", "GENERIC_X86_ARM"] as const;
/** Of a function, in MiB. Source: OCI documentation, "Changing Default Memory and Timeout Settings". */
export const ociMemorySizes = [128, 256, 512, 1024, 2048, 3072] as const;
const lifecycleStates = ["CREATING", "ACTIVE", "INACTIVE", "UPDATING", "DELETING", "DELETED", "FAILED"] as const;

const DisplayName = lazy(() =>
  z.string().regex(/^[A-Za-z0-9_-]{1,255}$/, "it must be 1 to 255 letters, digits, '_' and '-'"),
);

const configBytes = (config: Readonly<Record<string, string>>) => {
  const encoder = new TextEncoder();
  return Object.entries(config).reduce((sum, texts) => sum + encoder.encode(texts.join("")).length, 0);
};

const Config = lazy(() =>
  z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "its keys must be letters, digits and '_', no digit first"),
      z.string(),
    )
    .refine((config) => configBytes(config) <= limits.ociConfigBytesMax, {
      error: `keys and values may have at most ${limits.ociConfigBytesMax} bytes together`,
    }),
);

const TraceConfig = lazy(() => z.looseObject({ isEnabled: z.boolean().optional() }));

const Destination = lazy(() =>
  z.discriminatedUnion("kind", [
    z.looseObject({ kind: z.literal("NONE") }),
    z.looseObject({ kind: z.literal("STREAM"), streamId: z.string() }),
    z.looseObject({ kind: z.literal("QUEUE"), queueId: z.string(), channelId: z.string().optional() }),
    z.looseObject({ kind: z.literal("NOTIFICATION"), topicId: z.string() }),
  ]),
);

const ProvisionedConcurrency = lazy(() =>
  z.discriminatedUnion("strategy", [
    z.looseObject({ strategy: z.literal("NONE") }),
    z.looseObject({ strategy: z.literal("CONSTANT"), count: z.int().min(1).max(limits.instancesPerFunctionMax) }),
  ]),
);

const tags = () => ({ freeformTags: FreeformTags().optional(), definedTags: DefinedTags().optional() });

/** What may be changed later as well. */
const applicationMembers = () => ({
  config: Config().optional(),
  networkSecurityGroupIds: z.array(z.string()).optional(),
  syslogUrl: z.string().optional(),
  traceConfig: TraceConfig().optional(),
  logging: z.looseObject({ lineFormat: z.enum(["JSON", "PLAIN_TEXT"]).optional() }).optional(),
  imagePolicyConfig: z
    .looseObject({
      isPolicyEnabled: z.boolean(),
      keyDetails: z.array(z.looseObject({ kmsKeyId: z.string() })).optional(),
    })
    .optional(),
  securityAttributes: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  ...tags(),
});

export const CreateApplicationDetails = lazy(() =>
  z.looseObject({
    compartmentId: z.string(),
    displayName: DisplayName(),
    // OCI's own model demands one; nothing here runs in a subnet, so scripts for Chaya alone may leave it out.
    subnetIds: z.array(z.string()).max(3).default([]),
    shape: z.enum(ociShapes).optional(),
    ...applicationMembers(),
  }),
);

/** Name, subnets and shape never change: what is said of them is ignored. */
export const UpdateApplicationDetails = lazy(() => z.looseObject(applicationMembers()));

export const ChangeApplicationCompartmentDetails = lazy(() => z.looseObject({ compartmentId: z.string() }));

const functionMembers = () => ({
  image: z.string().min(1).optional(),
  imageDigest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, "it must be sha256: and 64 hexadecimal digits")
    .optional(),
  memoryInMBs: z.literal(ociMemorySizes).optional(),
  config: Config().optional(),
  timeoutInSeconds: z.int().min(1).max(limits.functionTimeoutSMax).optional(),
  provisionedConcurrencyConfig: ProvisionedConcurrency().optional(),
  detachedModeTimeoutInSeconds: z.int().min(limits.ociDetachedTimeoutSMin).max(limits.detachedTimeoutSMax).optional(),
  failureDestination: Destination().optional(),
  successDestination: Destination().optional(),
  traceConfig: TraceConfig().optional(),
  ...tags(),
});

export const CreateFunctionDetails = lazy(() =>
  z.looseObject({
    displayName: DisplayName(),
    applicationId: z.string(),
    ...functionMembers(),
    memoryInMBs: z.literal(ociMemorySizes),
    sourceDetails: z.looseObject({ sourceType: z.literal("PRE_BUILT_FUNCTIONS"), pbfListingId: z.string() }).optional(),
  }),
);

export const UpdateFunctionDetails = lazy(() => z.looseObject(functionMembers()));

/** Whatever else was kept is shown beside these. */
const shown = () => ({
  id: z.string(),
  displayName: z.string(),
  compartmentId: z.string(),
  lifecycleState: z.enum(lifecycleStates),
  freeformTags: FreeformTags(),
  definedTags: DefinedTags(),
  timeCreated: z.string().meta({ format: "date-time" }),
  timeUpdated: z.string().meta({ format: "date-time" }),
});

export const ApplicationSummary = lazy(() =>
  z
    .looseObject({
      ...shown(),
      subnetIds: z.array(z.string()),
      shape: z.string(),
      networkSecurityGroupIds: z.array(z.string()),
      traceConfig: TraceConfig(),
    })
    .meta({ id: "OciApplicationSummary" }),
);

export const OciApplication = lazy(() =>
  z
    .looseObject({
      ...ApplicationSummary().shape,
      config: z.record(z.string(), z.string()),
      syslogUrl: z.string().optional(),
    })
    .meta({ id: "OciApplication" }),
);

export const FunctionSummary = lazy(() =>
  z
    .looseObject({
      ...shown(),
      applicationId: z.string(),
      image: z.string(),
      imageDigest: z.string().optional(),
      shape: z.string(),
      memoryInMBs: z.int(),
      timeoutInSeconds: z.int(),
      detachedModeTimeoutInSeconds: z.int(),
      provisionedConcurrencyConfig: ProvisionedConcurrency(),
      failureDestination: Destination(),
      successDestination: Destination(),
      traceConfig: TraceConfig(),
      invokeEndpoint: z.string(),
    })
    .meta({ id: "OciFunctionSummary" }),
);

export const OciFunction = lazy(() =>
  z.looseObject({ ...FunctionSummary().shape, config: z.record(z.string(), z.string()) }).meta({ id: "OciFunction" }),
);

export const ApplicationSummaries = lazy(() => z.array(ApplicationSummary()));
export const FunctionSummaries = lazy(() => z.array(FunctionSummary()));
/** There are no pre-built functions here. */
export const EmptyCollection = lazy(() => z.object({ items: z.array(z.never()) }).meta({ id: "OciEmptyCollection" }));

const pageQuery = () => ({
  limit: z.coerce.number().int().min(1).max(limits.ociPageItemsMax).default(limits.ociPageItemsDefault),
  page: z.string().optional(),
  // Which one is none of OCI's is left to whoever compares: a state that nothing is in finds nothing.
  lifecycleState: z.string().optional(),
  displayName: z.string().optional(),
  id: z.string().optional(),
  sortBy: z.enum(["timeCreated", "id", "displayName"]).default("displayName"),
  sortOrder: z.enum(["ASC", "DESC"]).default("ASC"),
});
export const ApplicationListQuery = lazy(() => z.object({ compartmentId: z.string(), ...pageQuery() }));
export const FunctionListQuery = lazy(() => z.object({ applicationId: z.string(), ...pageQuery() }));

export type CreateApplicationDetails = z.output<ReturnType<typeof CreateApplicationDetails>>;
export type UpdateApplicationDetails = z.output<ReturnType<typeof UpdateApplicationDetails>>;
export type CreateFunctionDetails = z.output<ReturnType<typeof CreateFunctionDetails>>;
export type UpdateFunctionDetails = z.output<ReturnType<typeof UpdateFunctionDetails>>;
export type ApplicationSummary = z.output<ReturnType<typeof ApplicationSummary>>;
export type OciApplication = z.output<ReturnType<typeof OciApplication>>;
export type FunctionSummary = z.output<ReturnType<typeof FunctionSummary>>;
export type OciFunction = z.output<ReturnType<typeof OciFunction>>;
