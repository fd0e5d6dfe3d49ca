// Which silences may match an alert, found by the alert's labels: by a value that one of the silence's matchers demands, or by
// what its regular expression said to that value before. With many silences an alert is tested against few.

import { compileRegex, type Regex } from '#base/regex/regex.ts';
import type { Labels } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { Silence, SilenceTable } from './silences.ts';

/** Beyond it what regular expressions said is forgotten. */
const MAX_REMEMBERED = 100_000;

/** Under what a silence is found. */
type Key =
  | { readonly kind: 'values'; readonly pairs: readonly string[] }
  | { readonly kind: 'regex'; readonly name: string; readonly regex: Regex }
  | { readonly kind: 'any' };

const pairKey = (name: string, value: string): string => `${name}\xff${value}`;

export class SilenceIndex {
  readonly #known = new Map<string, { readonly silence: Silence; readonly key: Key }>();
  readonly #byPair = new Map<string, Silence[]>();
  /** By the name of the label that the expression looks at. */
  readonly #byRegex = new Map<string, { readonly silence: Silence; readonly regex: Regex }[]>();
  readonly #any = new Set<Silence>();
  /** What regular expressions said to a label. */
  readonly #remembered = new Map<string, Silence[]>();
  #version = -1;

  /** How many silences are in it. */
  get size(): number {
    return this.#known.size;
  }

  /** Under how many keys they are found. */
  get keys(): number {
    return this.#byPair.size + this.#byRegex.size + this.#any.size;
  }

  /** A superset of the silences that match these labels and have not ended. */
  *candidates(table: SilenceTable, labels: Labels, now: number): Iterable<Silence> {
    if (this.#version !== table.version) this.#follow(table, now);
    for (let i = 0; i < labels.length; i += 2) {
      const [name, value] = [labels[i]!, labels[i + 1]!];
      if (this.#byPair.size > 0) yield* this.#byPair.get(pairKey(name, value)) ?? [];
      if (this.#byRegex.has(name)) yield* this.#accepting(name, value);
    }
    yield* this.#any;
  }

  #follow(table: SilenceTable, now: number): void {
    this.#version = table.version;
    const living = new Map<string, Silence>();
    for (const silence of table.values()) if (silence.endsAt > now) living.set(silence.id, silence);
    for (const [id, { silence }] of [...this.#known]) if (living.get(id) !== silence) this.#remove(id);
    for (const [id, silence] of living) if (!this.#known.has(id)) this.#add(silence);
  }

  #accepting(name: string, value: string): readonly Silence[] {
    const key = pairKey(name, value);
    let found = this.#remembered.get(key);
    if (!found) {
      if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
      found = this.#byRegex
        .get(name)!
        .filter(({ regex }) => regex.test(value))
        .map(({ silence }) => silence);
      this.#remembered.set(key, found);
    }
    return found;
  }

  #add(silence: Silence): void {
    const key = keyOf(silence);
    this.#known.set(silence.id, { silence, key });
    switch (key.kind) {
      case 'values':
        for (const pair of key.pairs) append(this.#byPair, pair, silence);
        break;
      case 'regex': {
        const { name, regex } = key;
        append(this.#byRegex, name, { silence, regex });
        const prefix = pairKey(name, '');
        for (const [pair, found] of this.#remembered) {
          if (pair.startsWith(prefix) && regex.test(pair.slice(prefix.length))) found.push(silence);
        }
        break;
      }
      case 'any':
        this.#any.add(silence);
    }
  }

  #remove(id: string): void {
    const { silence, key } = this.#known.get(id)!;
    this.#known.delete(id);
    switch (key.kind) {
      case 'values':
        for (const pair of key.pairs) drop(this.#byPair, pair, (other) => other === silence);
        break;
      case 'regex':
        drop(this.#byRegex, key.name, (other) => other.silence === silence);
        for (const found of this.#remembered.values()) {
          const at = found.indexOf(silence);
          if (at >= 0) found.splice(at, 1);
        }
        break;
      case 'any':
        this.#any.delete(silence);
    }
  }
}

/** A matcher that an absent label cannot satisfy decides; the one with the fewest values first. */
function keyOf({ matchers }: Silence): Key {
  const valuesOf = ({ type, value }: Matcher): readonly string[] | undefined =>
    type === '=' ? [value] : type === '=~' ? compileRegex(value).literals : undefined;
  const finite = matchers
    .map((matcher) => ({ matcher, values: valuesOf(matcher) ?? [] }))
    .filter(({ values }) => values.length > 0 && !values.includes(''))
    // Many silences name the same alert; what else they name tells them apart.
    .sort(
      (a, b) =>
        Number(a.matcher.name === 'alertname') - Number(b.matcher.name === 'alertname') ||
        a.values.length - b.values.length,
    )[0];
  if (finite) return { kind: 'values', pairs: finite.values.map((value) => pairKey(finite.matcher.name, value)) };
  for (const { type, name, value } of matchers) {
    if (type !== '=~') continue;
    const regex = compileRegex(value);
    if (!regex.test('')) return { kind: 'regex', name, regex };
  }
  return { kind: 'any' };
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const values = map.get(key);
  if (values) values.push(value);
  else map.set(key, [value]);
}

function drop<T>(map: Map<string, T[]>, key: string, isGone: (value: T) => boolean): void {
  const left = map.get(key)!.filter((value) => !isGone(value));
  if (left.length === 0) map.delete(key);
  else map.set(key, left);
}
