// Silences: who muted what, when, and why. Editing the matchers of an active silence ends it and makes a new one, so that
// history stays true. Beyond upstream a silence may recur on a schedule, end when its alerts resolve, and match annotations.

import { UserError } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { Labels } from '#model/labels.ts';
import { compileMatcher, compileMatchers, type Matcher } from '#model/matcher.ts';
import { type QueryWatch, UNWATCHED } from '../kept-metrics.ts';
import { containsTime, type TimeInterval } from '../route/intervals.ts';
import { SilenceIndex } from './index.ts';

export type Silence = {
  readonly id: string;
  readonly matchers: readonly Matcher[];
  /** Matched against annotations, in addition to `matchers`. */
  readonly annotationMatchers?: readonly Matcher[];
  readonly startsAt: number;
  readonly endsAt: number;
  readonly updatedAt: number;
  readonly createdBy: string;
  readonly comment: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Between start and end it mutes only inside these intervals. */
  readonly recurring?: readonly TimeInterval[];
  /** The intervals as they were given, to show. */
  readonly recurringAsGiven?: unknown;
  /** It ends by itself once it muted something and nothing that it matches fires any more. */
  readonly untilResolved?: boolean;
  /** Set when `untilResolved` has seen an alert. */
  readonly hasMuted?: boolean;
};

export type SilenceState = 'active' | 'pending' | 'expired';
export type SilenceChange = 'created' | 'updated' | 'expired';
export type SilenceLimits = { readonly maxSilences: number; readonly maxSizeBytes: number };

/** Where silences are kept: the journal on disk, or one shared by replicas. */
export interface SilenceTable {
  get(key: string): Silence | undefined;
  set(key: string, value: Silence): void;
  delete(key: string): void;
  values(): Iterable<Silence>;
  readonly size: number;
  /** Changes with every change. */
  readonly version: number;
}

export class NotFoundError extends Error {
  override readonly name = 'NotFoundError';
}

export function silenceState(silence: Silence, now: number): SilenceState {
  if (now < silence.startsAt) return 'pending';
  return now >= silence.endsAt ? 'expired' : 'active';
}

/** What most alerts are muted by: one list for all of them. */
const NONE: readonly string[] = [];

export class Silences {
  readonly #table: SilenceTable;
  readonly #limits: SilenceLimits;
  readonly #retentionMs: number;
  readonly #random: Random;
  readonly #onChange: (change: SilenceChange, silence: Silence) => void;
  readonly #watch: QueryWatch;
  /** Compiled tests, by the identity of the silence they were made for. */
  readonly #tests = new WeakMap<Silence, (labels: Labels, annotations: Labels) => boolean>();
  readonly #index = new SilenceIndex();

  constructor(
    table: SilenceTable,
    limits: SilenceLimits,
    retentionMs: number,
    random: Random,
    onChange: (change: SilenceChange, silence: Silence) => void = () => {},
    watch: QueryWatch = UNWATCHED,
  ) {
    this.#table = table;
    this.#limits = limits;
    this.#retentionMs = retentionMs;
    this.#random = random;
    this.#onChange = onChange;
    this.#watch = watch;
  }

  /** For metrics: how many there are, and how they are found. */
  get index(): { readonly silences: number; readonly indexed: number; readonly keys: number } {
    return { silences: this.#table.size, indexed: this.#index.size, keys: this.#index.keys };
  }

  all(): Iterable<Silence> {
    return this.#table.values();
  }

  get(id: string): Silence {
    const silence = this.#table.get(id);
    if (!silence) throw new NotFoundError('silence not found');
    return silence;
  }

  find(id: string): Silence | undefined {
    return this.#table.get(id);
  }

  /** Creates a silence, or changes the one whose id is given. Returns the id that it has from now on. */
  set(wanted: Omit<Silence, 'updatedAt'>, now: number): string {
    const known = wanted.id === '' ? undefined : this.get(wanted.id);
    const silence: Silence = { ...wanted, ...(known?.hasMuted ? { hasMuted: true } : {}), updatedAt: now };
    validate(silence);
    this.#checkSize(silence);
    if (known && canUpdate(known, silence, now)) {
      this.#put('updated', silence);
      return silence.id;
    }
    if (this.#limits.maxSilences > 0 && this.#table.size + 1 > this.#limits.maxSilences) {
      throw new UserError(
        `exceeded maximum number of silences: ${this.#table.size} (limit: ${this.#limits.maxSilences})`,
      );
    }
    if (known && silenceState(known, now) !== 'expired') this.expire(known.id, now);
    const id = this.#newId();
    this.#put('created', { ...silence, id, startsAt: Math.max(silence.startsAt, now) });
    return id;
  }

  /** Ends it now; one that has ended stays as it is. */
  expire(id: string, now: number): void {
    const silence = this.get(id);
    switch (silenceState(silence, now)) {
      case 'expired':
        return;
      case 'active':
        this.#put('expired', { ...silence, endsAt: now, updatedAt: now });
        break;
      case 'pending':
        this.#put('expired', { ...silence, startsAt: now, endsAt: now, updatedAt: now });
    }
  }

  #put(change: SilenceChange, silence: Silence): void {
    this.#table.set(silence.id, silence);
    this.#onChange(change, silence);
  }

  /** Ids of the silences that mute these labels now, sorted. */
  muting(labels: Labels, annotations: Labels, now: number): readonly string[] {
    let ids: string[] | undefined;
    let scanned = 0;
    const began = this.#watch.begin();
    for (const silence of this.#index.candidates(this.#table, labels, now)) {
      scanned++;
      if (silenceState(silence, now) !== 'active' || !isInSchedule(silence, now)) continue;
      if (!this.#matches(silence, labels, annotations)) continue;
      ids ??= [];
      ids.push(silence.id);
    }
    this.#watch.end(began, scanned, this.#index.size - scanned);
    return ids?.sort() ?? NONE;
  }

  /** The same for an alert that is there: silences that last until it resolves have seen it then. */
  mute(alert: { readonly labels: Labels; readonly annotations: Labels }, now: number): readonly string[] {
    const ids = this.muting(alert.labels, alert.annotations, now);
    for (const id of ids) {
      const silence = this.get(id);
      if (silence.untilResolved && !silence.hasMuted)
        this.#table.set(id, { ...silence, hasMuted: true, updatedAt: now });
    }
    return ids;
  }

  /** Ends silences that were to last until their alerts resolve. */
  endResolved(firing: Iterable<{ readonly labels: Labels; readonly annotations: Labels }>, now: number): void {
    const open = [...this.#table.values()].filter(
      (s) => s.untilResolved && s.hasMuted && silenceState(s, now) === 'active',
    );
    if (open.length === 0) return;
    const alerts = [...firing];
    for (const silence of open) {
      if (!alerts.some((alert) => this.#matches(silence, alert.labels, alert.annotations)))
        this.expire(silence.id, now);
    }
  }

  /** Ends those whose alerts resolved and forgets those long expired. */
  collect(firing: Iterable<{ readonly labels: Labels; readonly annotations: Labels }>, now: number): void {
    this.endResolved(firing, now);
    for (const silence of [...this.#table.values()]) {
      if (silence.endsAt + this.#retentionMs < now) this.#table.delete(silence.id);
    }
  }

  #matches(silence: Silence, labels: Labels, annotations: Labels): boolean {
    let test = this.#tests.get(silence);
    if (!test) {
      const onLabels = compileMatchers(silence.matchers);
      const onAnnotations = compileMatchers(silence.annotationMatchers ?? []);
      test = (l, a) => onLabels(l) && onAnnotations(a);
      this.#tests.set(silence, test);
    }
    return test(labels, annotations);
  }

  #checkSize(silence: Silence): void {
    const size = Buffer.byteLength(JSON.stringify(silence));
    const limit = this.#limits.maxSizeBytes;
    if (limit > 0 && size > limit)
      throw new UserError(`silence exceeded maximum size: ${size} bytes (limit: ${limit} bytes)`);
  }

  /** A random UUID, version 4. */
  #newId(): string {
    const bytes = this.#random.bytes(16);
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const hex = Buffer.from(bytes).toString('hex');
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }
}

const isInSchedule = (silence: Silence, now: number): boolean =>
  !silence.recurring || silence.recurring.some((interval) => containsTime(interval, now));

function validate(silence: Silence): void {
  const invalid = (why: string) => new UserError(`invalid silence: ${why}`);
  const all = [...silence.matchers, ...(silence.annotationMatchers ?? [])];
  if (all.length === 0) throw invalid('at least one matcher required');
  silence.matchers.forEach((matcher, index) => {
    if (matcher.name === '') throw invalid(`invalid label matcher ${index}: invalid label name ""`);
    try {
      compileMatcher(matcher);
    } catch (error) {
      throw invalid(
        `invalid label matcher ${index}: invalid regular expression ${JSON.stringify(matcher.value)}: ${(error as Error).message}`,
      );
    }
  });
  // As upstream has it: what excludes a value says enough.
  if (all.every((matcher) => (matcher.type === '=' || matcher.type === '=~') && compileMatcher(matcher)('')))
    throw invalid('at least one matcher must not match the empty string');
  if (!Number.isFinite(silence.startsAt) || silence.startsAt === 0) throw invalid('invalid zero start timestamp');
  if (!Number.isFinite(silence.endsAt) || silence.endsAt === 0) throw invalid('invalid zero end timestamp');
  if (silence.endsAt < silence.startsAt) throw invalid('end time must not be before start time');
}

/** Whether `known` may become `next` in place; otherwise a new silence takes over. */
function canUpdate(known: Silence, next: Silence, now: number): boolean {
  const same = (a: unknown, b: unknown) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
  if (!same(known.matchers, next.matchers) || !same(known.annotationMatchers, next.annotationMatchers)) return false;
  switch (silenceState(known, now)) {
    case 'active':
      return next.startsAt === known.startsAt && next.endsAt >= now;
    case 'pending':
      return next.startsAt >= now;
    case 'expired':
      return false;
  }
}
