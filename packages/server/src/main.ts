import { Problem } from "@chaya/contract";
import { ConfigError, readConfig, type StartOptions } from "./config.ts";
import { type Platform, startPlatform } from "./platform.ts";

export interface StartHooks {
  /** Called when the server takes requests, after the ready lines were printed. */
  readonly onReady?: (platform: Platform) => Promise<void>;
}

/**
 * Runs the server until SIGTERM or SIGINT, then drains and closes it; sets the exit code. A signal some
 * time after the first ends it at once.
 * What cannot be started is said in three lines on standard error, with exit code 2 for bad configuration, else 1.
 */
export async function startServer(options: StartOptions, hooks: StartHooks = {}): Promise<void> {
  const stopAsked = waitForSignal();
  let platform: Platform;
  try {
    platform = await startPlatform(readConfig(options, process.env));
  } catch (error) {
    process.exitCode = explain(error);
    return;
  }
  process.stdout.write(`Chaya is ready at ${platform.address}\nData is in ${platform.dataDirectory}\n`);
  if (platform.adminTokenFile !== undefined)
    process.stdout.write(`The administrator's token is in ${platform.adminTokenFile}\n`);
  for (const notice of platform.notices) process.stdout.write(`Note: ${notice}\n`);
  await hooks.onReady?.(platform);
  await stopAsked;
  await platform.stop();
  process.exitCode = 0;
}

/** One Ctrl-C arrives twice below npm or another launcher: from the terminal, and passed on by the parent. */
const echoMsMax = 500;

function waitForSignal(): Promise<void> {
  return new Promise((resolve) => {
    let askedAtMs: number | undefined;
    const onSignal = () => {
      if (askedAtMs !== undefined && performance.now() - askedAtMs > echoMsMax) process.exit(130);
      askedAtMs ??= performance.now();
      resolve();
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}

function explain(error: unknown): number {
  if (error instanceof ConfigError) return say(error.message, error.hint, 2);
  if (error instanceof Problem) return say(error.message, error.hint, 1);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE")
    return say("The port is in use by another program.", "Choose another with --port; 0 takes a free one.", 1);
  if (code === "EACCES") return say("This user may not listen on that port.", "Choose one above 1023 with --port.", 1);
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return say("The address to listen on is not one of this machine.", "Choose another with --host.", 1);
  throw error;
}

function say(sentence: string, hint: string, exitCode: number): number {
  process.stderr.write(`chaya: the server did not start.\n  ${sentence}\n  ${hint}\n`);
  return exitCode;
}
