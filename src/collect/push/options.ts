// The options of a push, given in the query string of its URL (which upstream ignores): merge, absent, ttl, pull, interval, push_id.
// They stay with the group until a later push says otherwise.

import { parseDuration } from '#base/units.ts';
import { FamilyError } from '#wire/families/text.ts';
import { ABSENT_MODES, type GroupOptions, MERGE_MODES, PULL_MODES } from './state.ts';

const MAX_PUSH_ID_LENGTH = 200;

export function readPushOptions(query: URLSearchParams): {
  options: Partial<GroupOptions>;
  pushId: string | undefined;
} {
  const options: { -readonly [K in keyof GroupOptions]?: GroupOptions[K] } = {};
  let pushId: string | undefined;
  for (const [name, value] of query) {
    switch (name) {
      case 'merge':
        options.merge = oneOf(name, value, MERGE_MODES);
        break;
      case 'absent':
        options.absent = oneOf(name, value, ABSENT_MODES);
        break;
      case 'pull':
        options.pull = oneOf(name, value, PULL_MODES);
        break;
      case 'ttl':
        options.ttlMs = duration(name, value);
        break;
      case 'interval':
        options.intervalMs = duration(name, value);
        break;
      case 'push_id':
        if (value === '' || value.length > MAX_PUSH_ID_LENGTH)
          throw new FamilyError(`invalid push_id: expected 1 to ${MAX_PUSH_ID_LENGTH} characters`);
        pushId = value;
        break;
    }
  }
  return { options, pushId };
}

function oneOf<T extends string>(name: string, value: string, values: readonly T[]): T {
  const found = values.find((one) => one === value);
  if (found === undefined)
    throw new FamilyError(`invalid value ${JSON.stringify(value)} of ${name}: expected one of ${values.join(', ')}`);
  return found;
}

function duration(name: string, value: string): number {
  const ms = parseDuration(value);
  if (ms === undefined)
    throw new FamilyError(`invalid value ${JSON.stringify(value)} of ${name}: expected a duration such as 30s or 10m`);
  return ms;
}
