/** Time as the platform sees it. Everything that waits or reads the time receives one, so that tests turn it by hand. */
export interface Clock {
  /** Wall-clock time in integer milliseconds since the epoch. */
  nowMs(): number;
  /** Monotonic time in fractional milliseconds, for durations only. */
  monotonicMs(): number;
  /** Calls `task` once after `delayMs`. The timer never keeps the process alive. */
  schedule(delayMs: number, task: () => void): Timer;
  /** Calls `task` every `intervalMs` until cancelled. The timer never keeps the process alive. */
  every(intervalMs: number, task: () => void): Timer;
  /** Resolves after `delayMs`. Rejects with the signal's reason when aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** A signal that aborts with a `TimeoutError` after `delayMs`. */
  timeout(delayMs: number): AbortSignal;
}

export interface Timer {
  cancel(): void;
}

/** setTimeout counts in 32 bits: a longer delay would fire at once. */
const delayMsMax = 2 ** 31 - 1;

export function systemClock(): Clock {
  const schedule = (delayMs: number, task: () => void): Timer => {
    const timer = setTimeout(task, Math.min(Math.max(delayMs, 0), delayMsMax)).unref();
    return { cancel: () => clearTimeout(timer) };
  };
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    schedule,
    every: (intervalMs, task) => {
      const timer = setInterval(task, intervalMs).unref();
      return { cancel: () => clearInterval(timer) };
    },
    sleep: (delayMs, signal) => sleepWith(schedule, delayMs, signal),
    timeout: (delayMs) => timeoutWith(schedule, delayMs),
  };
}

type Schedule = Clock["schedule"];

/** `Clock.sleep` over any `schedule`. */
export function sleepWith(schedule: Schedule, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = schedule(delayMs, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** `Clock.timeout` over any `schedule`. */
export function timeoutWith(schedule: Schedule, delayMs: number): AbortSignal {
  const controller = new AbortController();
  schedule(delayMs, () => controller.abort(new DOMException(`Timed out after ${delayMs} ms`, "TimeoutError")));
  return controller.signal;
}
