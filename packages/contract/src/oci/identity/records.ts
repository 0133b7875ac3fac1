import { z } from "zod";
import { limits } from "../../limits.ts";
import { lazy } from "../../route.ts";
import { DefinedTags, FreeformTags } from "../tags.ts";

const timestamp = () => z.string().meta({ format: "date-time" });
const tagsGiven = () => ({ freeformTags: FreeformTags().optional(), definedTags: DefinedTags().optional() });
const tagsShown = () => ({
  freeformTags: z.record(z.string(), z.string()),
  definedTags: z.record(z.string(), z.record(z.string(), z.unknown())),
});
/** An OCID, or the id of the record itself. */
const id = () => z.string().min(1);
const plainName = () =>
  z
    .string()
    .max(limits.identityNameCharactersMax)
    .regex(/^[A-Za-z0-9._-]+$/, { message: "a name has letters, digits, '.', '_' and '-'" });
const userName = () =>
  z
    .string()
    .max(limits.identityNameCharactersMax)
    .regex(/^[A-Za-z0-9._@+-]+$/, { message: "a user's name has letters, digits, '.', '_', '-', '+' and '@'" });
/** No column of text holds U+0000. */
const plainText = () => z.string().regex(/^[^\0]*$/, { message: "it has a NUL" });
const description = () => plainText().max(limits.identityDescriptionCharactersMax);
const email = () =>
  z
    .string()
    .max(limits.nameBytesMax)
    .regex(/^([^\s@]+@[^\s@]+)?$/, { message: "it is no e-mail address" });

const lifecycleState = () => z.enum(["ACTIVE", "INACTIVE"]);

function named<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.object({
    id: z.string(),
    compartmentId: z.string(),
    name: z.string(),
    description: z.string(),
    timeCreated: timestamp(),
    lifecycleState: lifecycleState(),
    ...shape,
    ...tagsShown(),
  });
}

export const CompartmentView = lazy(() => named({ isAccessible: z.boolean() }).meta({ id: "Compartment" }));
export const CompartmentList = lazy(() => z.array(CompartmentView()));
export const CompartmentSpec = lazy(() =>
  z.object({ compartmentId: id(), name: plainName(), description: description(), ...tagsGiven() }),
);
export const CompartmentChange = lazy(() =>
  z.object({ name: plainName().optional(), description: description().optional(), ...tagsGiven() }),
);
export const CompartmentMove = lazy(() => z.object({ targetCompartmentId: id() }));

export const UserCapabilities = lazy(() =>
  z.object({
    canUseConsolePassword: z.boolean(),
    canUseApiKeys: z.boolean(),
    canUseAuthTokens: z.boolean(),
    canUseSmtpCredentials: z.boolean(),
    canUseDbCredentials: z.boolean(),
    canUseCustomerSecretKeys: z.boolean(),
    canUseOAuth2ClientCredentials: z.boolean(),
  }),
);
export const UserView = lazy(() =>
  named({
    email: z.string().optional(),
    emailVerified: z.boolean(),
    /** 4: blocked; absent while the user is active. */
    inactiveStatus: z.int().optional(),
    capabilities: UserCapabilities(),
    isMfaActivated: z.boolean(),
  }).meta({ id: "User" }),
);
export const UserList = lazy(() => z.array(UserView()));
export const UserSpec = lazy(() =>
  z.object({
    compartmentId: id(),
    name: userName(),
    description: description(),
    email: email().optional(),
    ...tagsGiven(),
  }),
);
export const UserChange = lazy(() =>
  z.object({ description: description().optional(), email: email().optional(), ...tagsGiven() }),
);
export const UserState = lazy(() => z.object({ blocked: z.boolean().optional() }));
const absentCredential = () =>
  z.literal(false, { message: "this server has no such credentials: it can only be false" }).optional();
export const UserCapabilitiesChange = lazy(() =>
  z.object({
    canUseApiKeys: z.boolean().optional(),
    canUseAuthTokens: z.boolean().optional(),
    canUseConsolePassword: absentCredential(),
    canUseSmtpCredentials: absentCredential(),
    canUseDbCredentials: absentCredential(),
    /** The same, in the spelling of OCI's model for changes. */
    canUseDBCredentials: absentCredential(),
    canUseCustomerSecretKeys: absentCredential(),
    canUseOAuth2ClientCredentials: absentCredential(),
  }),
);

export const GroupView = lazy(() => named({}).meta({ id: "Group" }));
export const GroupList = lazy(() => z.array(GroupView()));
export const GroupSpec = lazy(() =>
  z.object({ compartmentId: id(), name: plainName(), description: description(), ...tagsGiven() }),
);
export const GroupChange = lazy(() => z.object({ description: description().optional(), ...tagsGiven() }));

export const MembershipView = lazy(() =>
  z
    .object({
      id: z.string(),
      compartmentId: z.string(),
      groupId: z.string(),
      userId: z.string(),
      timeCreated: timestamp(),
      lifecycleState: lifecycleState(),
    })
    .meta({ id: "UserGroupMembership" }),
);
export const MembershipList = lazy(() => z.array(MembershipView()));
export const MembershipSpec = lazy(() => z.object({ userId: id(), groupId: id() }));

const matchingRule = () => plainText().min(1).max(limits.matchingRuleCharactersMax);
export const DynamicGroupView = lazy(() => named({ matchingRule: z.string() }).meta({ id: "DynamicGroup" }));
export const DynamicGroupList = lazy(() => z.array(DynamicGroupView()));
export const DynamicGroupSpec = lazy(() =>
  z.object({
    compartmentId: id(),
    name: plainName(),
    description: description(),
    matchingRule: matchingRule(),
    ...tagsGiven(),
  }),
);
export const DynamicGroupChange = lazy(() =>
  z.object({ description: description().optional(), matchingRule: matchingRule().optional(), ...tagsGiven() }),
);

const statements = () =>
  z.array(plainText().min(1).max(limits.policyStatementCharactersMax)).min(1).max(limits.policyStatementsMax);
/** A day, or a time of which only the day counts; empty: as the verbs are read now. */
const versionDate = () =>
  z.string().regex(/^(\d{4}-\d{2}-\d{2}(T.{1,40})?)?$/, { message: "it is no date as in 2026-11-24" });
export const PolicyView = lazy(() =>
  named({ statements: z.array(z.string()), versionDate: z.string().optional() }).meta({ id: "Policy" }),
);
export const PolicyList = lazy(() => z.array(PolicyView()));
export const PolicySpec = lazy(() =>
  z.object({
    compartmentId: id(),
    name: plainName(),
    description: description(),
    statements: statements(),
    versionDate: versionDate().optional(),
    ...tagsGiven(),
  }),
);
export const PolicyChange = lazy(() =>
  z.object({
    description: description().optional(),
    statements: statements().optional(),
    versionDate: versionDate().optional(),
    ...tagsGiven(),
  }),
);

export const ApiKeyView = lazy(() =>
  z
    .object({
      /** `TENANCY/USER/FINGERPRINT`: what signatures name. */
      keyId: z.string(),
      keyValue: z.string(),
      fingerprint: z.string(),
      userId: z.string(),
      timeCreated: timestamp(),
      lifecycleState: lifecycleState(),
    })
    .meta({ id: "ApiKey" }),
);
export const ApiKeyList = lazy(() => z.array(ApiKeyView()));
/** Anything but a public key is refused, without a word of what it was. */
export const ApiKeySpec = lazy(() => z.object({ key: z.string().min(1).max(limits.publicKeyCharactersMax) }));

export const AuthTokenView = lazy(() =>
  z
    .object({
      /** Shown once, when it is made. */
      token: z.string().optional(),
      id: z.string(),
      userId: z.string(),
      description: z.string(),
      timeCreated: timestamp(),
      timeExpires: timestamp().optional(),
      lifecycleState: lifecycleState(),
    })
    .meta({ id: "AuthToken" }),
);
export const AuthTokenList = lazy(() => z.array(AuthTokenView()));
export const AuthTokenSpec = lazy(() => z.object({ description: description() }));
export const AuthTokenChange = lazy(() => z.object({ description: description().optional() }));

export const TenancyView = lazy(() =>
  z
    .object({
      id: z.string(),
      name: z.string(),
      description: z.string(),
      homeRegionKey: z.string(),
      ...tagsShown(),
    })
    .meta({ id: "Tenancy" }),
);
export const RegionList = lazy(() => z.array(z.object({ key: z.string(), name: z.string() }).meta({ id: "Region" })));
export const RegionSubscriptionList = lazy(() =>
  z.array(
    z
      .object({
        regionKey: z.string(),
        regionName: z.string(),
        status: z.literal("READY"),
        isHomeRegion: z.boolean(),
      })
      .meta({ id: "RegionSubscription" }),
  ),
);
export const AvailabilityDomainList = lazy(() =>
  z.array(z.object({ name: z.string(), compartmentId: z.string() }).meta({ id: "AvailabilityDomain" })),
);

const paged = () => ({
  limit: z.coerce.number().int().min(1).max(limits.identityPageItemsMax).default(limits.identityPageItemsDefault),
  /** What `opc-next-page` of the page before said. */
  page: z.string().optional(),
});
const listed = () => ({
  compartmentId: id(),
  name: z.string().optional(),
  /** By name, unless it says otherwise. */
  sortBy: z.enum(["TIMECREATED", "NAME"]).default("NAME"),
  /** Names ascend and times descend, unless it says otherwise. */
  sortOrder: z.enum(["ASC", "DESC"]).optional(),
  /** In any case. */
  lifecycleState: z.string().optional(),
  ...paged(),
});
export const IdentityListQuery = lazy(() => z.object(listed()));
export const CompartmentListQuery = lazy(() =>
  z.object({
    ...listed(),
    /** ACCESSIBLE: only what the asker may inspect, or something in it. */
    accessLevel: z.enum(["ANY", "ACCESSIBLE"]).default("ANY"),
    /** true: with everything below it; of the root compartment only. */
    compartmentIdInSubtree: z
      .string()
      .toLowerCase()
      .pipe(z.enum(["true", "false"]))
      .default("false"),
  }),
);
export const MembershipListQuery = lazy(() =>
  z.object({ compartmentId: id(), userId: id().optional(), groupId: id().optional(), ...paged() }),
);
export const CompartmentQuery = lazy(() => z.object({ compartmentId: id() }));

export type IdentityListQuery = z.output<ReturnType<typeof IdentityListQuery>>;
export type CompartmentView = z.output<ReturnType<typeof CompartmentView>>;
export type UserView = z.output<ReturnType<typeof UserView>>;
export type GroupView = z.output<ReturnType<typeof GroupView>>;
export type MembershipView = z.output<ReturnType<typeof MembershipView>>;
export type DynamicGroupView = z.output<ReturnType<typeof DynamicGroupView>>;
export type PolicyView = z.output<ReturnType<typeof PolicyView>>;
export type ApiKeyView = z.output<ReturnType<typeof ApiKeyView>>;
export type AuthTokenView = z.output<ReturnType<typeof AuthTokenView>>;
