import { z } from "zod";

/** What a pre-started process is told to become, once, as JSON on its channel; `inside/` reads it. */
export type Assignment = AssignmentPlace &
  (
    | {
        /** A file of JavaScript or TypeScript, as `node file words…`. */
        readonly kind: "import";
        readonly file: string;
        readonly words: readonly string[];
        /** Stacks name the lines of the source. */
        readonly sourceMaps: boolean;
        /** A file with V8's cached data of `new vm.Script(Module.wrap(source))`. */
        readonly codeCache: string | undefined;
      }
    /** A file of Python, as `python3 file words…`. */
    | { readonly kind: "python-file"; readonly file: string; readonly words: readonly string[] }
    /** The command of Fn's Python FDK: `fdk file handler`. */
    | { readonly kind: "python-fdk"; readonly file: string; readonly words: readonly string[] }
    /** Node with its inspector open, as a child; the process keeps its channel and makes connections to it. */
    | { readonly kind: "inspect"; readonly program: string; readonly words: readonly string[] }
    /** A program that is run anew for each call. */
    | { readonly kind: "stdio"; readonly command: readonly string[] }
    /** Any program that takes the place of the process. */
    | { readonly kind: "replace"; readonly program: string; readonly words: readonly string[] }
  );

interface AssignmentPlace {
  readonly environment: Readonly<Record<string, string>>;
  /** As the process itself sees it; files and commands may be relative to it. */
  readonly directory: string;
}

/** What a pre-started process says when it can be assigned; the listening handle of its door comes with the port. */
export const ReadyMessage = z.object({ kind: z.literal("ready"), doorPort: z.int().min(1).max(65_535).optional() });

/** What is asked of a process that became `inspect`: a connection to the inspector. */
export interface InspectorRequest {
  readonly kind: "connect-inspector";
  readonly number: number;
}

/** What it says: its inspector waits; the connection of this number, as a handle, or that there is none. */
export const InspectorMessage = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("inspector-open") }),
  z.object({ kind: z.literal("inspector-connected"), number: z.int() }),
  z.object({ kind: z.literal("inspector-refused"), number: z.int() }),
]);
