import { ocidOf } from "@chaya/contract/oci";
import type {
  ApiKeyView,
  AuthTokenView,
  CompartmentView,
  DynamicGroupView,
  GroupView,
  MembershipView,
  PolicyView,
  UserView,
} from "@chaya/contract/oci/identity";
import type { Compartment, Group, IdentityRecord } from "../model.ts";
import type { ApiKeyRecord } from "../records/api-keys.ts";
import type { AuthToken } from "../records/auth-tokens.ts";
import type { DynamicGroupRecord } from "../records/dynamic-groups.ts";
import type { Membership } from "../records/memberships.ts";
import type { PolicyRecord } from "../records/policies.ts";
import type { UserRecord } from "../records/users.ts";

/** The root compartment has the OCID of the tenancy. */
export function compartmentOcid(id: string, rootId: string): string {
  return ocidOf(id === rootId ? "tenancy" : "compartment", id, "");
}

export function viewCompartment(
  compartment: Compartment,
  { rootId, isAccessible }: { readonly rootId: string; readonly isAccessible: boolean },
): CompartmentView {
  const { id, parentId = rootId } = compartment;
  const ids = { id: compartmentOcid(id, rootId), compartmentId: compartmentOcid(parentId, rootId) };
  return { ...ids, ...viewNamed(compartment), isAccessible };
}

/** Bit 2 of OCI's `inactiveStatus`. */
const blocked = 4;

export function viewUser(user: UserRecord, rootId: string): UserView {
  return {
    id: ocidOf("user", user.id, ""),
    compartmentId: compartmentOcid(rootId, rootId),
    ...viewNamed(user),
    ...(user.isBlocked && { lifecycleState: "INACTIVE", inactiveStatus: blocked }),
    ...(user.email !== "" && { email: user.email }),
    emailVerified: false,
    isMfaActivated: false,
    capabilities: {
      canUseConsolePassword: false,
      canUseApiKeys: user.canUseApiKeys,
      canUseAuthTokens: user.canUseAuthTokens,
      canUseSmtpCredentials: false,
      canUseDbCredentials: false,
      canUseCustomerSecretKeys: false,
      canUseOAuth2ClientCredentials: false,
    },
  };
}

export function viewGroup(group: Group, rootId: string): GroupView {
  return { id: ocidOf("group", group.id, ""), compartmentId: compartmentOcid(rootId, rootId), ...viewNamed(group) };
}

export function viewDynamicGroup(group: DynamicGroupRecord, rootId: string): DynamicGroupView {
  const ids = { id: ocidOf("dynamicgroup", group.id, ""), compartmentId: compartmentOcid(rootId, rootId) };
  return { ...ids, ...viewNamed(group), matchingRule: group.matchingRule };
}

export function viewPolicy(policy: PolicyRecord, rootId: string): PolicyView {
  const { id, compartmentId, statements, versionDate } = policy;
  return {
    id: ocidOf("policy", id, ""),
    compartmentId: compartmentOcid(compartmentId, rootId),
    ...viewNamed(policy),
    statements: [...statements],
    ...(versionDate !== undefined && { versionDate }),
  };
}

export function viewMembership(membership: Membership, rootId: string): MembershipView {
  return {
    id: ocidOf("groupmembership", membership.id, ""),
    compartmentId: compartmentOcid(rootId, rootId),
    groupId: ocidOf("group", membership.groupId, ""),
    userId: ocidOf("user", membership.userId, ""),
    ...viewMade(membership),
  };
}

export function viewApiKey(key: ApiKeyRecord, rootId: string): ApiKeyView {
  const userId = ocidOf("user", key.userId, "");
  const { fingerprint } = key;
  return {
    keyId: `${compartmentOcid(rootId, rootId)}/${userId}/${fingerprint}`,
    keyValue: key.pem,
    fingerprint,
    userId,
    ...viewMade(key),
  };
}

export function viewAuthToken(token: AuthToken): AuthTokenView {
  const { id, userId, description, expiresAtMs } = token;
  return {
    id: ocidOf("credential", id, ""),
    userId: ocidOf("user", userId, ""),
    description,
    ...viewMade(token),
    ...(expiresAtMs !== undefined && { timeExpires: new Date(expiresAtMs).toISOString() }),
  };
}

function viewNamed(record: IdentityRecord) {
  const { name, description, tags } = record;
  return { name, description, freeformTags: tags.freeform, definedTags: copyOf(tags.defined), ...viewMade(record) };
}

function viewMade({ createdAtMs }: { readonly createdAtMs: number }) {
  return { timeCreated: new Date(createdAtMs).toISOString(), lifecycleState: "ACTIVE" as const };
}

function copyOf(defined: IdentityRecord["tags"]["defined"]): Record<string, Record<string, unknown>> {
  return Object.fromEntries(Object.entries(defined).map(([namespace, tags]) => [namespace, { ...tags }]));
}
