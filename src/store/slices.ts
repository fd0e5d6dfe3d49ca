// Long work in slices: between two of them the thread turns to whatever waits, so that appends are held up for some
// milliseconds at most.

/** Lets waiting events run. */
export const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Calls `step(from, to)` over [0, count) with a pause after each. */
export async function inSlices(
  count: number,
  size: number,
  step: (from: number, to: number) => void,
  signal?: { readonly stopped: boolean },
): Promise<void> {
  for (let from = 0; from < count; from += size) {
    if (signal?.stopped) return;
    step(from, Math.min(count, from + size));
    await pause();
  }
}
