import { z } from "zod";
import { lazy } from "../route.ts";

/** Any JSON value an annotation may have. */
export type AnnotationValue = z.infer<ReturnType<typeof AnnotationValueSchema>>;
const AnnotationValueSchema = lazy(() => z.json());

const ConfigSchema = lazy(() => z.record(z.string(), z.string()));
const AnnotationsSchema = lazy(() => z.record(z.string(), AnnotationValueSchema()));
/** RFC 3339 with three decimals in UTC on output; 0 to 9 decimals on input. */
const TimestampSchema = lazy(() => z.iso.datetime({ offset: true }));
const CountSchema = lazy(() => z.int().nonnegative());

/** Null and absent mean the same in Fn's bodies. */
function optional<S extends z.ZodType>(schema: S) {
  return schema.nullish().transform((value) => value ?? undefined);
}

export const AppSpec = lazy(() =>
  z.object({
    id: optional(z.string()),
    name: optional(z.string()),
    config: optional(ConfigSchema()),
    annotations: optional(AnnotationsSchema()),
    syslog_url: optional(z.string()),
    shape: optional(z.string()),
    created_at: optional(TimestampSchema()),
    updated_at: optional(TimestampSchema()),
  }),
);

export const FnSpec = lazy(() =>
  z.object({
    id: optional(z.string()),
    name: optional(z.string()),
    app_id: optional(z.string()),
    image: optional(z.string()),
    memory: optional(CountSchema()),
    timeout: optional(z.int()),
    idle_timeout: optional(z.int()),
    config: optional(ConfigSchema()),
    annotations: optional(AnnotationsSchema()),
    shape: optional(z.string()),
    created_at: optional(TimestampSchema()),
    updated_at: optional(TimestampSchema()),
  }),
);

export const TriggerSpec = lazy(() =>
  z.object({
    id: optional(z.string()),
    name: optional(z.string()),
    app_id: optional(z.string()),
    fn_id: optional(z.string()),
    type: optional(z.string()),
    source: optional(z.string()),
    annotations: optional(AnnotationsSchema()),
    created_at: optional(TimestampSchema()),
    updated_at: optional(TimestampSchema()),
  }),
);

export const AppView = lazy(() =>
  z
    .object({
      id: z.string(),
      name: z.string(),
      config: ConfigSchema().optional(),
      annotations: AnnotationsSchema().optional(),
      syslog_url: z.string().optional(),
      shape: z.string().optional(),
      created_at: z.string(),
      updated_at: z.string(),
    })
    .meta({ id: "App" }),
);

export const FnView = lazy(() =>
  z
    .object({
      id: z.string(),
      name: z.string(),
      app_id: z.string(),
      image: z.string(),
      memory: z.int().optional(),
      timeout: z.int().optional(),
      idle_timeout: z.int().optional(),
      config: ConfigSchema(),
      annotations: AnnotationsSchema().optional(),
      created_at: z.string(),
      shape: z.string().optional(),
      updated_at: z.string(),
    })
    .meta({ id: "Fn" }),
);

export const TriggerView = lazy(() =>
  z
    .object({
      id: z.string(),
      name: z.string(),
      app_id: z.string(),
      fn_id: z.string(),
      created_at: z.string(),
      updated_at: z.string(),
      type: z.string(),
      source: z.string(),
      annotations: AnnotationsSchema().optional(),
    })
    .meta({ id: "Trigger" }),
);

function listOf<S extends z.ZodType>(item: S, id: string) {
  return z.object({ next_cursor: z.string().optional(), items: z.array(item) }).meta({ id });
}

export const AppList = lazy(() => listOf(AppView(), "AppList"));
export const FnList = lazy(() => listOf(FnView(), "FnList"));
export const TriggerList = lazy(() => listOf(TriggerView(), "TriggerList"));

/** Fn reads numbers in queries leniently: what is not a positive number counts as absent. */
const PageQuery = lazy(() => z.object({ cursor: z.string().optional(), per_page: z.string().optional() }));
export const AppListQuery = lazy(() => PageQuery().extend({ name: z.string().optional() }));
export const FnListQuery = lazy(() =>
  PageQuery().extend({ app_id: z.string().optional(), name: z.string().optional() }),
);
export const TriggerListQuery = lazy(() =>
  PageQuery().extend({ app_id: z.string().optional(), fn_id: z.string().optional(), name: z.string().optional() }),
);

export type AppSpec = z.output<ReturnType<typeof AppSpec>>;
export type FnSpec = z.output<ReturnType<typeof FnSpec>>;
export type TriggerSpec = z.output<ReturnType<typeof TriggerSpec>>;
export type AppView = z.output<ReturnType<typeof AppView>>;
export type FnView = z.output<ReturnType<typeof FnView>>;
export type TriggerView = z.output<ReturnType<typeof TriggerView>>;
