/** What every tenancy has, as on OCI: whoever is in the group administers all of it, by that policy and nothing else. */
export const administratorsGroup = "Administrators";

export const tenantAdminPolicy = {
  name: "Tenant Admin Policy",
  statements: [`Allow group ${administratorsGroup} to manage all-resources in tenancy`],
} as const;

/** Who made them. */
export const platformId = "platform";
