import type { AppView, FnView, TriggerView } from "@chaya/contract/fn";
import { type Annotations, httpEndpointKey, invokeEndpointKey } from "./annotations.ts";
import type { Application, FunctionRecord, Trigger } from "./model.ts";

/** Records as Fn prints them: members in Fn's order, empty ones left out. */
export function viewApplication(application: Application): AppView {
  const { id, name, config, annotations, syslogUrl, shape } = application;
  return {
    id,
    name,
    ...(isEmpty(config) ? {} : { config }),
    ...(isEmpty(annotations) ? {} : { annotations }),
    ...(syslogUrl === "" ? {} : { syslog_url: syslogUrl }),
    ...(shape === "" ? {} : { shape }),
    created_at: timestamp(application.createdAtMs),
    updated_at: timestamp(application.updatedAtMs),
  };
}

/** With `invokeUrl` as endpoint annotation; the answer to a PUT has none. */
export function viewFunction(record: FunctionRecord, invokeUrl?: string): FnView {
  const annotations = withEndpoint(record.annotations, invokeEndpointKey, invokeUrl);
  return {
    id: record.id,
    name: record.name,
    app_id: record.applicationId,
    image: record.image,
    memory: record.memoryMiB,
    timeout: record.timeoutS,
    idle_timeout: record.idleTimeoutS,
    config: record.config,
    ...(isEmpty(annotations) ? {} : { annotations }),
    created_at: timestamp(record.createdAtMs),
    ...(record.shape === "" ? {} : { shape: record.shape }),
    updated_at: timestamp(record.updatedAtMs),
  };
}

/** With `callUrl` as endpoint annotation; the answer to a PUT has none. */
export function viewTrigger(trigger: Trigger, callUrl?: string): TriggerView {
  const annotations = withEndpoint(trigger.annotations, httpEndpointKey, callUrl);
  return {
    id: trigger.id,
    name: trigger.name,
    app_id: trigger.applicationId,
    fn_id: trigger.functionId,
    created_at: timestamp(trigger.createdAtMs),
    updated_at: timestamp(trigger.updatedAtMs),
    type: trigger.type,
    source: trigger.source,
    ...(isEmpty(annotations) ? {} : { annotations }),
  };
}

export function invokeUrl(publicUrl: string, functionId: string): string {
  return `${publicUrl}/invoke/${functionId}`;
}

export function triggerUrl(publicUrl: string, applicationName: string, source: string): string {
  return `${publicUrl}/t/${applicationName}${source}`;
}

function withEndpoint(annotations: Annotations, key: string, url: string | undefined): Annotations {
  if (url === undefined) return annotations;
  const entries = Object.entries({ ...annotations, [key]: url });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** RFC 3339 with exactly three decimals. */
function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}

function isEmpty(members: object): boolean {
  return Object.keys(members).length === 0;
}
