// Between the targets of one worker and the store: what several scrapes read goes in as one batch, so that handing over between
// threads, the log and the kernels are paid once for many scrapes. Each scrape hears what became of its own part.

import type { Clock, Timer } from '#base/clock.ts';
import type { Appender, AppendResult, Rejection, SampleBatch } from '#model/batch.ts';
import { ColumnBuffers } from '#model/columns.ts';
import type { RowMark, Rows } from './rows.ts';

/** Hears what became of the rows between two marks. */
export interface Sender {
  /** `result.refs` answers the whole batch: a new series' number is at the index it was given. */
  taken(result: AppendResult, batch: SampleBatch, rejections: readonly Rejection[]): void;
  lost(failure: unknown): void;
}

type Part = { readonly sender: Sender; readonly from: RowMark; readonly to: RowMark };

/** The longest that samples wait for those of other targets. */
const MAX_WAIT_MS = 200;
/** A batch of about so many rows goes at once, so that none holds up the store for long. */
const FULL_ROWS = 16_384;

export class Outbox {
  readonly rows: Rows;
  readonly #appender: Appender;
  readonly #clock: Clock;
  readonly #buffers = new ColumnBuffers();
  #parts: Part[] = [];
  #timer: Timer | undefined;
  #flushAt = Infinity;
  #isHurried = false;

  constructor(appender: Appender, rows: Rows, clock: Clock) {
    this.#appender = appender;
    this.rows = rows;
    this.#clock = clock;
  }

  /** What `sender` has added to the rows since the mark is complete, and goes within `patienceMs`. */
  add(sender: Sender, from: RowMark, patienceMs: number): void {
    const { rows } = this;
    this.#parts.push({ sender, from, to: rows.mark() });
    if (patienceMs <= 0 || this.#isHurried || rows.length >= FULL_ROWS) {
      this.flush();
      return;
    }
    const at = this.#clock.monotonic() + Math.min(patienceMs, MAX_WAIT_MS);
    if (at >= this.#flushAt) return;
    this.#timer?.cancel();
    this.#flushAt = at;
    this.#timer = this.#clock.after(at - this.#clock.monotonic(), () => this.flush());
  }

  /** From now on nothing waits. */
  hurry(): void {
    this.#isHurried = true;
    this.flush();
  }

  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#flushAt = Infinity;
    const parts = this.#parts;
    if (parts.length === 0) return;
    this.#parts = [];
    const batch = this.rows.batch(this.#buffers);
    this.rows.reset();
    this.#appender.append(batch).then(
      (result) => {
        for (const part of parts) part.sender.taken(result, batch, rejectionsOf(part, result.rejections));
        this.#buffers.giveBack(batch);
      },
      (failure) => {
        for (const part of parts) part.sender.lost(failure);
        this.#buffers.giveBack(batch);
      },
    );
  }
}

const NONE: readonly Rejection[] = [];

function rejectionsOf({ from, to }: Part, all: readonly Rejection[]): readonly Rejection[] {
  if (all.length === 0) return NONE;
  return all.filter(({ kind, index }) => index >= from[kind] && index < to[kind]);
}
