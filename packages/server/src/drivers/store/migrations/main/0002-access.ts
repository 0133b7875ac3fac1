import type { Migration } from "../../driver.ts";
import { type ColumnTypes, columnTypes } from "../columns.ts";
import { resourceColumns } from "../resource-columns.ts";

export const access: Migration = {
  name: "0002-access",
  statements: (dialect) => {
    const types = columnTypes(dialect);
    return [...identities(types), ...credentials(types), ...policies(types), ...records(types)];
  },
};

function identities(types: ColumnTypes): readonly string[] {
  const { text, integer, options } = types;
  const columns = resourceColumns(types);
  return [
    `create table compartments (${columns}, name ${text} not null, description ${text} not null,
      unique (compartment_id, name)) ${options}`,
    `create table users (${columns}, name ${text} not null unique, description ${text} not null,
      email ${text} not null, is_blocked ${integer} not null, can_use_api_keys ${integer} not null,
      can_use_auth_tokens ${integer} not null) ${options}`,
    `create table user_groups (${columns}, name ${text} not null unique, description ${text} not null) ${options}`,
    `create table dynamic_groups (${columns}, name ${text} not null unique, description ${text} not null,
      matching_rule ${text} not null) ${options}`,
    `create table memberships (id ${text} primary key, user_id ${text} not null, group_id ${text} not null,
      created_at_ms ${integer} not null, unique (user_id, group_id)) ${options}`,
    "create index memberships_group on memberships (group_id)",
  ];
}

function credentials({ text, integer, blob, options }: ColumnTypes): readonly string[] {
  return [
    `create table api_keys (user_id ${text} not null, fingerprint ${text} not null, public_key ${text} not null,
      created_at_ms ${integer} not null, primary key (user_id, fingerprint)) ${options}`,

    `create table tokens (id ${text} primary key, hash ${text} not null unique, kind ${text} not null,
      user_id ${text} not null, description ${text} not null, created_at_ms ${integer} not null,
      expires_at_ms ${integer}) ${options}`,
    "create index tokens_user on tokens (user_id, kind)",
    "create index tokens_expires on tokens (expires_at_ms) where expires_at_ms is not null",

    `create table platform_keys (name ${text} primary key, sealed ${blob} not null, public_part ${text} not null,
      created_at_ms ${integer} not null) ${options}`,
  ];
}

function policies(types: ColumnTypes): readonly string[] {
  const { text, options } = types;
  return [
    `create table policies (${resourceColumns(types)}, name ${text} not null unique, description ${text} not null,
      statements ${text} not null, version_date ${text}) ${options}`,
    "create index policies_compartment on policies (compartment_id, name)",
  ];
}

function records({ text, integer, options }: ColumnTypes): readonly string[] {
  return [
    `create table retry_tokens (principal_id ${text} not null, operation ${text} not null, token ${text} not null,
      resource_id ${text} not null, expires_at_ms ${integer} not null,
      primary key (principal_id, operation, token)) ${options}`,
    "create index retry_tokens_expires on retry_tokens (expires_at_ms)",

    `create table audit_events (id ${text} primary key, at_ms ${integer} not null, principal_kind ${text} not null,
      principal_id ${text} not null, principal_name ${text} not null, operation ${text} not null,
      method ${text} not null, path ${text} not null, resource_id ${text}, resource_name ${text},
      compartment_id ${text}, request_id ${text} not null, peer ${text} not null, user_agent ${text} not null,
      status ${integer}, problem ${text}, finished_at_ms ${integer}) ${options}`,
    "create index audit_events_principal on audit_events (principal_id, id)",
    "create index audit_events_resource on audit_events (resource_id, id)",

    // What the OCI API knows of them and nothing else does: JSON text, kept as it came.
    `alter table applications add column oci ${text} not null default '{}'`,
    `alter table functions add column oci ${text} not null default '{}'`,
    "create index applications_compartment on applications (compartment_id, name)",
  ];
}
