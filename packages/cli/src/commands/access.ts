import { auditCommands } from "./access/audit.ts";
import { compartmentCommands } from "./access/compartments.ts";
import { dynamicGroupCommands } from "./access/dynamic-groups.ts";
import { groupCommands } from "./access/groups.ts";
import { policyCommands } from "./access/policies.ts";
import { userCredentialCommands } from "./access/user-credentials.ts";
import { userCommands } from "./access/users.ts";

export const accessCommands = [
  ...userCommands,
  ...groupCommands,
  ...dynamicGroupCommands,
  ...userCredentialCommands,
  ...policyCommands,
  ...compartmentCommands,
  ...auditCommands,
];
