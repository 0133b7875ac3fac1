import { type CallContext, type Context, withContext } from "./context.ts";
import { type CallBody, InputError, type InputMode, readInput } from "./input.ts";
import { type Answer, answerOf, reply } from "./output.ts";
import { callHeader } from "./protocol.ts";

/** What a function does with one call. What it returns is the answer; what it throws fails the call. */
export type Handler<Input> = (input: Input, context: Context) => unknown;

export interface HandlerSettings {
  readonly input: InputMode;
  readonly inputBytesMax: number;
}

/** How a call came out. The function's failure is a result here, never an exception. */
export type Outcome =
  | { readonly kind: "answered"; readonly answer: Answer }
  /** The handler gave up because its deadline had passed. */
  | { readonly kind: "timed-out" }
  | { readonly kind: "failed"; readonly error: unknown };

/** Runs `handler` on one call, up to the point where its answer can be sent. */
export async function runCall(
  handler: Handler<never>,
  settings: HandlerSettings,
  call: { readonly context: CallContext; readonly body: CallBody },
): Promise<Outcome> {
  const { context, body } = call;
  return withContext(context, async () => {
    try {
      const input = await readInput(body, settings.input, settings.inputBytesMax);
      // What a handler's input is called in its source is a promise of its author; here it is only passed on.
      const result = await handler(input as never, context);
      return { kind: "answered", answer: await answerOf(result, context) };
    } catch (error) {
      if (context.isDeadline(error)) return { kind: "timed-out" };
      if (error instanceof InputError && context.isHttp)
        return { kind: "answered", answer: await refusal(error, context) };
      return { kind: "failed", error };
    }
  });
}

function refusal(error: InputError, context: CallContext): Promise<Answer> {
  const headers = { [callHeader.contentType]: "application/json" };
  return answerOf(reply({ status: error.status, headers, body: { message: error.message } }), context);
}
