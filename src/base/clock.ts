// Time as an argument. `systemClock` is the only place that reads the machine's clock or sets timers; tests and the
// simulator pass a clock that stands still until told to move (clock-sim.ts).

/** A pending callback; cancelling one that has run does nothing. */
export type Timer = { cancel(): void };

export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since some moment; never goes backwards. For durations. */
  monotonic(): number;
  /** Calls back once after `delayMs`. The timer does not keep the process alive if `background` is set. */
  after(delayMs: number, callback: () => void, background?: boolean): Timer;
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback, background = false) {
    let handle: NodeJS.Timeout;
    const arm = (left: number) => {
      handle = setTimeout(
        () => (left > MAX_TIMEOUT_MS ? arm(left - MAX_TIMEOUT_MS) : callback()),
        Math.min(left, MAX_TIMEOUT_MS),
      );
      if (background) handle.unref();
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Resolves after `delayMs`, or rejects with the signal's reason when it is aborted first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    const abort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Calls back every `intervalMs` until cancelled; a slow callback delays the next one, they never pile up. */
export function every(clock: Clock, intervalMs: number, callback: () => void | Promise<void>): Timer {
  let cancelled = false;
  let timer: Timer;
  const arm = () => {
    timer = clock.after(
      intervalMs,
      async () => {
        await callback();
        if (!cancelled) arm();
      },
      true,
    );
  };
  arm();
  return {
    cancel() {
      cancelled = true;
      timer.cancel();
    },
  };
}
