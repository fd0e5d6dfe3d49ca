// What the parameters of the alertmanager's API ask for: flags, filters, receivers.

import type { Alertmanager } from '#alert/alertmanager.ts';
import { type MatcherMode, parseMatcher } from '#alert/match/parse.ts';
import type { Clock } from '#base/clock.ts';
import { errorText, UserError } from '#base/errors.ts';
import { compileRegex } from '#base/regex/regex.ts';
import { labelsFrom } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';

export type AlertmanagerApiOptions = {
  readonly alertmanager: Alertmanager;
  readonly clock: Clock;
  /** '' when it runs alone, '/alertmanager' inside the server. */
  readonly prefix: string;
  readonly version: Readonly<Record<string, string>>;
  /** How filters are read. */
  readonly matching: MatcherMode;
};

export const iso = (ms: number): string => new Date(ms).toISOString();

/** What counts as yes in a query; all else is no. */
const YES = new Set(['true', '1', 'yes', 'ok', 'y', 'on', 'selected', 'checked', 't', 'enabled']);

/** A flag that is set unless the query says otherwise; of several the last one counts. */
export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.getAll(name).at(-1) ?? '';
  return value === '' || YES.has(value.toLowerCase());
}

export function filters(query: URLSearchParams, { matching }: AlertmanagerApiOptions): readonly Matcher[] {
  return query.getAll('filter').map((text) => parseMatcher(text, matching));
}

/** By name, a regular expression, and by the receiver's labels. */
export function receiverTest(
  query: URLSearchParams,
  { alertmanager, matching }: AlertmanagerApiOptions,
): (name: string) => boolean {
  const read = <T>(name: string, parse: () => T): T => {
    try {
      return parse();
    } catch (error) {
      throw new UserError(`failed to parse ${name} param: ${errorText(error)}`);
    }
  };
  const regex = read('receiver', () => compileRegex(query.getAll('receiver').at(-1) || '.*'));
  const texts = query.getAll('receiver_matchers');
  const matches = read('receiver_matchers', () => compileMatchers(texts.map((text) => parseMatcher(text, matching))));
  const labels = new Map(
    texts.length === 0 ? [] : alertmanager.receivers.map((one) => [one.name, labelsFrom(Object.entries(one.labels))]),
  );
  return (name) => regex.test(name) && matches(labels.get(name) ?? []);
}
