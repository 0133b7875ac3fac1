import { chmodSync, rmSync, symlinkSync } from "node:fs";
import type { Server } from "node:http";
import { basename, dirname, isAbsolute, join } from "node:path";
import { callFormat, functionEnvironment, listenerScheme, socketPathBytesMax } from "./protocol.ts";

export type ListenerPath =
  | { readonly kind: "path"; readonly path: string }
  /** What is wrong with the environment, as a sentence for the function's log. */
  | { readonly kind: "wrong"; readonly sentence: string };

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the platform wants the function to listen, from FN_FORMAT and FN_LISTENER. */
export function listenerPath(environment: Environment): ListenerPath {
  const format = environment[functionEnvironment.format];
  const listener = environment[functionEnvironment.listener];
  if (format === undefined && listener === undefined) {
    return wrong(
      "This file is a function: a platform starts it, with FN_FORMAT and FN_LISTENER set. " +
        "Deploy it with 'chaya deploy --app APP', or try it out with callHandler of @chaya/fdk/testing.",
    );
  }
  if (format?.toLowerCase() !== callFormat) {
    return wrong(`FN_FORMAT must be '${callFormat}', not '${format ?? ""}'.`);
  }
  if (!listener?.startsWith(listenerScheme) || !isAbsolute(listener.slice(listenerScheme.length))) {
    return wrong(`FN_LISTENER must be '${listenerScheme}' and an absolute path, not '${listener ?? ""}'.`);
  }
  const path = listener.slice(listenerScheme.length);
  if (Math.max(Buffer.byteLength(path), Buffer.byteLength(phonyPath(path))) > socketPathBytesMax) {
    return wrong(`The path in FN_LISTENER is longer than the ${socketPathBytesMax} bytes of a UNIX socket: '${path}'.`);
  }
  return { kind: "path", path };
}

/**
 * Listens at `path` the way the contract asks: under another name first, opened to every user, and only then visible
 * as `path` through a relative link, so that whoever sees `path` can connect at once.
 */
export function listenAt(server: Server, path: string): Promise<void> {
  const phony = phonyPath(path);
  rmSync(path, { force: true });
  rmSync(phony, { force: true });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // In the callback itself: a pre-started process takes the end of this tick as the sign that the function listens.
    server.listen(phony, () => {
      try {
        chmodSync(phony, 0o666);
        symlinkSync(basename(phony), path);
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** Not longer than the usual `lsnr.sock`, whose path may be as long as the kernel allows. */
function phonyPath(path: string): string {
  return join(dirname(path), basename(path) === "fdk.sock" ? "fdk1.sock" : "fdk.sock");
}

function wrong(sentence: string): ListenerPath {
  return { kind: "wrong", sentence };
}
