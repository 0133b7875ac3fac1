import type { Command } from "./command.ts";
import { accessCommands } from "./commands/access.ts";
import { appCommands } from "./commands/apps.ts";
import { callCommands } from "./commands/calls.ts";
import { completionCommands } from "./commands/completion.ts";
import { configCommands } from "./commands/config.ts";
import { deployCommands } from "./commands/deploy.ts";
import { doctorCommands } from "./commands/doctor.ts";
import { functionCommands } from "./commands/functions.ts";
import { imageCommands } from "./commands/images.ts";
import { initCommands } from "./commands/init.ts";
import { invokeCommands } from "./commands/invoke.ts";
import { loginCommands } from "./commands/login.ts";
import { logCommands } from "./commands/logs.ts";
import { secretCommands } from "./commands/secrets.ts";
import { setupCommands } from "./commands/setup.ts";
import { startCommands } from "./commands/start.ts";
import { triggerCommands } from "./commands/triggers.ts";
import { versionCommands } from "./commands/version.ts";

/** Every command, in the order help shows them. */
export const commands: readonly Command[] = [
  ...startCommands,
  ...initCommands,
  ...deployCommands,
  ...invokeCommands,
  ...logCommands,
  ...appCommands,
  ...functionCommands,
  ...triggerCommands,
  ...callCommands,
  ...imageCommands,
  ...configCommands,
  ...secretCommands,
  ...loginCommands,
  ...setupCommands,
  ...accessCommands,
  ...doctorCommands,
  ...completionCommands(() => commands),
  ...versionCommands,
];
