// The parts of a source's page that may fail on their own, as the collectors of the well-known exporters do: each says in metrics of
// its own whether it succeeded and how long it took.

import type { Clock } from '#base/clock.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { nearest } from '#base/nearest.ts';
import type { Page } from './page.ts';

export class Parts {
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Whether it makes sense to go on; when not, a failure is the whole source's. */
  readonly #isOpen: () => boolean;
  readonly #outcomes = new Map<string, { ok: boolean; seconds: number }>();

  constructor(clock: Clock, log: Logger, isOpen: () => boolean) {
    this.#clock = clock;
    this.#log = log;
    this.#isOpen = isOpen;
  }

  /** Runs a piece of a part; throws only when the source is gone. */
  async run(part: string, work: () => Promise<void>): Promise<void> {
    const started = this.#clock.monotonic();
    const outcome = this.#outcomes.get(part) ?? { ok: true, seconds: 0 };
    this.#outcomes.set(part, outcome);
    try {
      await work();
    } catch (error) {
      if (!this.#isOpen()) throw error;
      outcome.ok = false;
      this.#log.error('collector failed', { collector: part, err: errorText(error) });
    }
    outcome.seconds += (this.#clock.monotonic() - started) / 1000;
  }

  get haveFailed(): boolean {
    return [...this.#outcomes.values()].some(({ ok }) => !ok);
  }

  /** `<prefix>_success` and `<prefix>_duration_seconds`. */
  addTo(page: Page, prefix: string): void {
    for (const [part, { ok, seconds }] of this.#outcomes) {
      const labels = ['collector', part];
      page.gauge(`${prefix}_success`, 'Whether a collector succeeded.', ok ? 1 : 0, labels);
      page.gauge(`${prefix}_duration_seconds`, 'How long a collector took.', seconds, labels);
    }
  }
}

/** Refuses a collector that is to be switched on and does not exist. */
export function checkCollect(source: string, collect: readonly string[], optional: readonly string[]): void {
  for (const name of collect) {
    if (optional.includes(name)) continue;
    const similar = nearest(name, optional);
    const known = optional.length === 0 ? 'none can be switched on' : `there are ${optional.join(', ')}`;
    throw new UserError(
      `source ${source} has no collector ${name}${similar === undefined ? '' : `, did you mean ${similar}?`}; ${known}`,
    );
  }
}
