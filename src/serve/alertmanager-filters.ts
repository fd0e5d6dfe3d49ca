// What the parameters of the alertmanager's API ask for: flags, filters, receivers.

import type { Alertmanager } from '#alert/alertmanager.ts';
import { type MatcherMode, parseMatchers } from '#alert/match/parse.ts';
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

export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value !== null && value !== 'true' && value !== 'false')
    throw new UserError(`${name} in query must be of type boolean: ${JSON.stringify(value)}`);
  return value !== 'false';
}

export function filters(query: URLSearchParams, { matching }: AlertmanagerApiOptions): readonly Matcher[] {
  return query.getAll('filter').flatMap((text) => {
    try {
      return parseMatchers(text, matching);
    } catch (error) {
      throw new UserError(`bad matcher format: ${errorText(error)}`);
    }
  });
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
  const regex = read('receiver', () => compileRegex(query.get('receiver') || '.*'));
  const texts = query.getAll('receiver_matchers');
  const matches = read('receiver_matchers', () =>
    compileMatchers(texts.flatMap((text) => parseMatchers(text, matching))),
  );
  const labels = new Map(
    texts.length === 0 ? [] : alertmanager.receivers.map((one) => [one.name, labelsFrom(Object.entries(one.labels))]),
  );
  return (name) => regex.test(name) && matches(labels.get(name) ?? []);
}
