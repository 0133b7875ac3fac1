import type { CreateApplicationDetails, UpdateApplicationDetails } from "@chaya/contract/oci/functions";
import type { ApplicationFields } from "../app-spec.ts";
import type { OciFields, StoredApplication } from "../model.ts";
import { newConfig } from "../record-config.ts";
import { checkSyslogUrl } from "../syslog-url.ts";
import { changedTags, keptMembers } from "./kept-members.ts";

const noTags = { freeform: {}, defined: {} };

/** The application that OCI's `CreateApplicationDetails` ask for. Throws `fn-record-invalid`, `request-invalid`. */
export function applicationFrom(
  details: CreateApplicationDetails,
  compartmentId: string,
): ApplicationFields & OciFields {
  const { displayName, config = {}, syslogUrl = "", shape = "GENERIC_X86" } = details;
  if (syslogUrl !== "") checkSyslogUrl(syslogUrl);
  return {
    name: displayName,
    ...{ config: newConfig(config), annotations: {}, syslogUrl, shape, compartmentId },
    tags: changedTags(noTags, details),
    ociMembers: keptMembers({}, details),
  };
}

/** What is not given stays; a configuration is replaced as a whole. Throws `fn-record-invalid`, `request-invalid`. */
export function changedApplication(before: StoredApplication, details: UpdateApplicationDetails): StoredApplication {
  const { config, syslogUrl = before.syslogUrl } = details;
  if (syslogUrl !== "") checkSyslogUrl(syslogUrl);
  // OCI's clients send these with what they read; they never change.
  const { subnetIds: _never, ...changeable } = details;
  return {
    ...before,
    config: config === undefined ? before.config : newConfig(config),
    syslogUrl,
    tags: changedTags(before.tags, details),
    ociMembers: keptMembers(before.ociMembers, changeable),
  };
}
