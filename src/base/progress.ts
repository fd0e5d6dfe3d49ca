// Long work tells how far it is: in a terminal one line that is redrawn, with rate and time left; in a pipe a plain line now
// and then.

import type { Clock } from './clock.ts';

export type ProgressSink = { readonly isTerminal: boolean; write(text: string): void };

const REDRAW_MS = 100;
const LINE_MS = 5000;

export class Progress {
  readonly #what: string;
  readonly #unit: string;
  readonly #total: number | undefined;
  readonly #clock: Clock;
  readonly #sink: ProgressSink;
  readonly #startedAt: number;
  #done = 0;
  #shownAt: number;

  /** `unit` is what is counted, in the plural; `total` is unknown for work that finds out as it goes. */
  constructor(what: string, unit: string, total: number | undefined, clock: Clock, sink: ProgressSink) {
    this.#what = what;
    this.#unit = unit;
    this.#total = total;
    this.#clock = clock;
    this.#sink = sink;
    this.#startedAt = clock.monotonic();
    this.#shownAt = this.#startedAt;
  }

  add(count: number): void {
    this.#done += count;
    const now = this.#clock.monotonic();
    if (now - this.#shownAt < (this.#sink.isTerminal ? REDRAW_MS : LINE_MS)) return;
    this.#shownAt = now;
    this.#sink.write(this.#sink.isTerminal ? `\r\x1b[K${this.#line(now)}` : `${this.#line(now)}\n`);
  }

  /** The last line; call it once, also when the work was empty. */
  end(): void {
    const now = this.#clock.monotonic();
    const seconds = (now - this.#startedAt) / 1000;
    const text = `${this.#what}: ${count(this.#done)} ${this.#unit} in ${duration(seconds)}`;
    this.#sink.write(this.#sink.isTerminal ? `\r\x1b[K${text}\n` : `${text}\n`);
  }

  #line(now: number): string {
    const seconds = (now - this.#startedAt) / 1000;
    const rate = seconds > 0 ? this.#done / seconds : 0;
    const speed = `${count(rate)} ${this.#unit}/s`;
    if (this.#total === undefined) return `${this.#what}: ${count(this.#done)} ${this.#unit}, ${speed}`;
    const share = this.#total > 0 ? Math.min(1, this.#done / this.#total) : 1;
    const left = rate > 0 ? `, ${duration((this.#total - this.#done) / rate)} left` : '';
    return `${this.#what}: ${Math.floor(share * 100)} %, ${count(this.#done)} of ${count(this.#total)} ${this.#unit}, ${speed}${left}`;
  }
}

function count(value: number): string {
  if (value < 1000) return String(Math.round(value));
  const exponent = Math.min(4, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** exponent).toPrecision(3)}${['', 'k', 'M', 'G', 'T'][exponent]}`;
}

function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, seconds).toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.floor(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
