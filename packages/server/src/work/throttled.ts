import type { Clock, Timer } from "../kernel/clock.ts";

/** Calls `hint` at once, then at most once every `gapMs`, never losing the last request. */
export function throttled(clock: Clock, gapMs: number, hint: () => void): { (): void; cancel(): void } {
  let gap: Timer | undefined;
  let isAskedAgain = false;
  const call = () => {
    if (gap !== undefined) {
      isAskedAgain = true;
      return;
    }
    hint();
    gap = clock.schedule(gapMs, () => {
      gap = undefined;
      if (!isAskedAgain) return;
      isAskedAgain = false;
      call();
    });
  };
  return Object.assign(call, { cancel: () => gap?.cancel() });
}
