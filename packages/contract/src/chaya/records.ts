import { z } from "zod";
import { limits } from "../limits.ts";
import { lazy } from "../route.ts";

/** How a call ended; `queued` and `running` only while it has not. */
export const callStatuses = ["queued", "running", "succeeded", "failed", "timed-out", "refused", "cancelled"] as const;
/** What started a call. */
export const callSources = [
  "direct",
  "http",
  "gateway",
  "rule",
  "schedule",
  "stream",
  "topic",
  "flow",
  "detached",
] as const;

const timestamp = () => z.string().meta({ format: "date-time" });
const pageSize = () => z.coerce.number().int().min(1).max(limits.pageItemsMax).default(limits.pageItemsDefault);

export const ProblemView = lazy(() =>
  z
    .object({
      code: z.string(),
      sentence: z.string(),
      hint: z.string(),
    })
    .meta({ id: "CallProblem" }),
);

export const CallView = lazy(() =>
  z
    .object({
      id: z.string(),
      applicationId: z.string(),
      application: z.string(),
      functionId: z.string(),
      function: z.string(),
      image: z.string(),
      source: z.enum(callSources),
      status: z.enum(callStatuses),
      /** 1 for the first attempt. */
      attempt: z.int(),
      /** The status the caller got; absent while the call runs or when nobody was answered. */
      httpStatus: z.int().optional(),
      acceptedAt: timestamp(),
      startedAt: timestamp().optional(),
      finishedAt: timestamp().optional(),
      /** From acceptance until an instance took the call. */
      waitMs: z.number(),
      /** From dispatch until the last byte of the answer. */
      runMs: z.number(),
      isColdStart: z.boolean(),
      requestBytes: z.int(),
      responseBytes: z.int(),
      memoryMiB: z.int(),
      problem: ProblemView().optional(),
      causeId: z.string().optional(),
      traceId: z.string().optional(),
    })
    .meta({ id: "Call" }),
);

export const CallList = lazy(() =>
  z.object({ items: z.array(CallView()), nextCursor: z.string().optional() }).meta({ id: "CallList" }),
);

export const CallListQuery = lazy(() =>
  z.strictObject({
    /** Name or id. */
    app: z.string().optional(),
    /** Name (with app) or id. */
    fn: z.string().optional(),
    status: z.enum(callStatuses).optional(),
    source: z.enum(callSources).optional(),
    /** RFC 3339; calls accepted at or after it. */
    since: z.iso.datetime({ offset: true }).optional(),
    /** RFC 3339; calls accepted before it. */
    until: z.iso.datetime({ offset: true }).optional(),
    cursor: z.string().optional(),
    limit: pageSize(),
  }),
);

export const LogLineView = lazy(() =>
  z
    .object({
      at: timestamp(),
      application: z.string(),
      function: z.string(),
      callId: z.string().optional(),
      stream: z.enum(["stdout", "stderr", "platform"]),
      text: z.string(),
    })
    .meta({ id: "LogLine" }),
);

export const CallLog = lazy(() =>
  z.object({ items: z.array(LogLineView()), isTruncated: z.boolean() }).meta({ id: "CallLog" }),
);

export const LogQuery = lazy(() =>
  z.strictObject({
    app: z.string().optional(),
    fn: z.string().optional(),
    call: z.string().optional(),
    since: z.iso.datetime({ offset: true }).optional(),
    /** The newest lines before following, or at most so many. */
    limit: z.coerce.number().int().min(0).max(1000).default(100),
    /** true: keep the answer open and send new lines as server-sent events. */
    follow: z.enum(["true", "false"]).default("false"),
  }),
);

export const LogList = lazy(() => z.object({ items: z.array(LogLineView()) }).meta({ id: "LogList" }));

export const AuditEventView = lazy(() =>
  z
    .object({
      id: z.string(),
      at: timestamp(),
      principal: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
      operation: z.string(),
      method: z.string(),
      path: z.string(),
      resourceId: z.string().optional(),
      resourceName: z.string().optional(),
      compartmentId: z.string().optional(),
      requestId: z.string(),
      peer: z.string(),
      userAgent: z.string(),
      /** Absent while it is under way, and for good when the server ended meanwhile. */
      status: z.int().optional(),
      problem: z.string().optional(),
      finishedAt: timestamp().optional(),
    })
    .meta({ id: "AuditEvent" }),
);

export const AuditEventList = lazy(() =>
  z.object({ items: z.array(AuditEventView()), nextCursor: z.string().optional() }).meta({ id: "AuditEventList" }),
);

export const AuditEventQuery = lazy(() =>
  z.strictObject({
    /** Id of the principal. */
    principal: z.string().optional(),
    /** As policies know it, as in `CreateApplication`. */
    operation: z.string().optional(),
    /** Id of what was changed. */
    resource: z.string().optional(),
    /** Id of the compartment; those below it are not looked at. */
    compartment: z.string().optional(),
    /** done: it was carried out · refused: it was answered with a problem · unknown: there was no end. */
    outcome: z.enum(["done", "refused", "unknown"]).optional(),
    since: z.iso.datetime({ offset: true }).optional(),
    until: z.iso.datetime({ offset: true }).optional(),
    cursor: z.string().optional(),
    limit: pageSize(),
  }),
);

export const ImageView = lazy(() =>
  z
    .object({
      image: z.string(),
      digest: z.string().optional(),
      bytes: z.int().optional(),
      createdAt: timestamp(),
      isCurrent: z.boolean(),
    })
    .meta({ id: "Image" }),
);
export const ImageList = lazy(() => z.object({ items: z.array(ImageView()) }).meta({ id: "ImageList" }));

export const RollbackBody = lazy(() =>
  z.strictObject({
    /** One of the last images; the one before the current when absent. */
    image: z.string().optional(),
  }),
);

export const BundleQuery = lazy(() =>
  z.strictObject({
    /** Name of the application the bundle is for. */
    app: z.string().min(1),
    /** Name of the function the bundle is for. */
    fn: z.string().min(1),
  }),
);
export const BundleView = lazy(() =>
  z
    .object({
      /** `bundle/<app>/<function>:sha256-<digest>`: the image to put on the function. */
      image: z.string(),
      digest: z.string(),
      bytes: z.int(),
      /** false when the same bytes were stored already. */
      isNew: z.boolean(),
    })
    .meta({ id: "Bundle" }),
);

export const DeadLetterView = lazy(() =>
  z
    .object({
      /** The call id; redriving keeps it. */
      id: z.string(),
      kind: z.string(),
      application: z.string().optional(),
      function: z.string().optional(),
      attempts: z.int(),
      acceptedAt: timestamp(),
      diedAt: timestamp(),
      problem: ProblemView(),
      bodyBytes: z.int(),
    })
    .meta({ id: "DeadLetter" }),
);
export const DeadLetterList = lazy(() =>
  z.object({ items: z.array(DeadLetterView()), nextCursor: z.string().optional() }).meta({ id: "DeadLetterList" }),
);
export const DeadLetterQuery = lazy(() =>
  z.strictObject({
    app: z.string().optional(),
    fn: z.string().optional(),
    cursor: z.string().optional(),
    limit: pageSize(),
  }),
);

export const SecretView = lazy(() =>
  z
    .object({
      name: z.string(),
      /** The function it is for; the whole application when absent. */
      function: z.string().optional(),
      createdAt: timestamp(),
      updatedAt: timestamp(),
    })
    .meta({ id: "Secret" }),
);
export const SecretList = lazy(() => z.object({ items: z.array(SecretView()) }).meta({ id: "SecretList" }));
export const SecretBody = lazy(() =>
  z.strictObject({
    value: z.string().max(limits.secretValueBytesMax),
  }),
);
export const SecretQuery = lazy(() =>
  z.strictObject({
    /** Name or id of one function; the whole application when absent. */
    fn: z.string().optional(),
  }),
);

export const NodeView = lazy(() =>
  z
    .object({
      version: z.string(),
      node: z.string(),
      publicUrl: z.string(),
      dataDirectory: z.string(),
      store: z.string(),
      runtime: z.string(),
      isolation: z.enum(["none", "sandbox", "container"]),
      /** Sentences: what stands between functions and the machine, and what does not and why. */
      isolationNotes: z.array(z.string()),
      authentication: z.string(),
      startedAt: timestamp(),
      /** OCID of the tenancy, which is the root compartment. */
      tenancy: z.string(),
      region: z.string(),
      functionMemoryMiB: z.int(),
      instances: z.int(),
      warnings: z.array(z.string()),
    })
    .meta({ id: "Node" }),
);

/** What an instance may know of itself: nothing in it is secret. */
export const InstanceView = lazy(() =>
  z
    .object({
      id: z.string(),
      functionId: z.string(),
      function: z.string(),
      applicationId: z.string(),
      application: z.string(),
      image: z.string(),
      memoryMiB: z.int(),
      region: z.string(),
      /** When its start began. */
      startedAt: timestamp(),
      /** The call it is busy with, when that is exactly one. */
      callId: z.string().optional(),
    })
    .meta({ id: "Instance" }),
);

/** A call that will run with Node's inspector open. */
export const InspectionView = lazy(() =>
  z
    .object({
      id: z.string(),
      functionId: z.string(),
      /** Its call must begin before. */
      expiresAt: timestamp(),
    })
    .meta({ id: "Inspection" }),
);

export type CallView = z.output<ReturnType<typeof CallView>>;
export type AuditEventView = z.output<ReturnType<typeof AuditEventView>>;
export type CallListQuery = z.output<ReturnType<typeof CallListQuery>>;
export type LogLineView = z.output<ReturnType<typeof LogLineView>>;
export type LogQuery = z.output<ReturnType<typeof LogQuery>>;
export type ImageView = z.output<ReturnType<typeof ImageView>>;
export type BundleView = z.output<ReturnType<typeof BundleView>>;
export type DeadLetterView = z.output<ReturnType<typeof DeadLetterView>>;
export type SecretView = z.output<ReturnType<typeof SecretView>>;
export type InstanceView = z.output<ReturnType<typeof InstanceView>>;
export type NodeView = z.output<ReturnType<typeof NodeView>>;
