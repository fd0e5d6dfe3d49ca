// `pharos am silence`: query, add, expire, update, import.

import os from 'node:os';
import { parseMatcher } from '#alert/match/parse.ts';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { anything } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import { parseDuration } from '#base/units.ts';
import { compileMatcher, formatMatcher, type Matcher } from '#model/matcher.ts';
import type { ToolCommand } from '../tool/command.ts';
import { filterQuery, labelOperands } from './alerts.ts';
import { API_FLAGS, amCommand, callApi, modeOf, outputOf, shownTime, table } from './api.ts';

type JsonMatcher = {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual?: boolean;
};
type Silence = {
  readonly id: string;
  readonly matchers: readonly JsonMatcher[];
  readonly startsAt: string;
  readonly endsAt: string;
  readonly updatedAt: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly status: { readonly state: string };
};

const toJson = ({ name, value, type }: Matcher): JsonMatcher => ({
  name,
  value,
  isRegex: type.includes('~'),
  isEqual: type.startsWith('='),
});
const fromJson = ({ name, value, isRegex, isEqual = true }: JsonMatcher): Matcher => ({
  name,
  value,
  type: isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!=',
});

const query = amCommand(
  'silence query',
  '[<matcher>...]',
  'Shows the silences that match',
  {
    ...API_FLAGS,
    expired: { kind: 'boolean', help: 'Show expired silences instead of those in force.' },
    quiet: { kind: 'boolean', short: 'q', help: 'Print ids only.' },
    'created-by': { kind: 'text', default: '', help: 'Only silences of this author.' },
    id: { kind: 'text', default: '', help: 'Only the silence with this id.' },
    within: { kind: 'duration', default: 0, help: 'Only silences that expire, or expired, within this time.' },
  },
  async (flags, operands, { out }) => {
    const parameters = new URLSearchParams();
    for (const filter of filterQuery(operands, modeOf(flags))) parameters.append('filter', filter);
    const now = systemClock.now();
    const all = await callApi<Silence[]>(flags, 'GET', `silences?${parameters}`);
    const shown = all.filter((silence) => {
      const end = Date.parse(silence.endsAt);
      if ((silence.status.state === 'expired') !== flags.expired) return false;
      if (flags['created-by'] && silence.createdBy !== flags['created-by']) return false;
      if (flags.id && silence.id !== flags.id) return false;
      return flags.within === 0 || Math.abs(end - now) <= flags.within;
    });
    shown.sort((a, b) => (a.endsAt < b.endsAt ? -1 : 1));
    if (flags.quiet) out(shown.map(({ id }) => `${id}\n`).join(''));
    else if (outputOf(flags) === 'json') out(`${JSON.stringify(shown)}\n`);
    else if (outputOf(flags) === 'extended') {
      const rows = shown.map((s) => [
        s.id,
        s.matchers.map((m) => formatMatcher(fromJson(m))).join(' '),
        shownTime(s.startsAt, flags),
        shownTime(s.endsAt, flags),
        shownTime(s.updatedAt, flags),
        s.createdBy,
        s.comment,
      ]);
      out(table([['ID', 'Matchers', 'Starts At', 'Ends At', 'Updated At', 'Created By', 'Comment'], ...rows]));
    } else {
      const rows = shown.map((s) => [
        s.id,
        s.matchers.map((m) => formatMatcher(fromJson(m))).join(' '),
        shownTime(s.endsAt, flags),
        s.createdBy,
        s.comment,
      ]);
      out(table([['ID', 'Matchers', 'Ends At', 'Created By', 'Comment'], ...rows]));
    }
    return 0;
  },
);

const timeFlags = {
  duration: { kind: 'text', short: 'd', default: '', help: 'How long the silence lasts, 1h by default.' },
  start: { kind: 'text', default: '', help: 'When it begins, RFC 3339; now by default.' },
  end: { kind: 'text', default: '', help: 'When it ends, RFC 3339; goes before --duration.' },
  comment: { kind: 'text', short: 'c', default: '', help: 'Why.' },
} as const;

function moment(text: string, flag: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new UserError(`invalid value ${JSON.stringify(text)} of flag --${flag}: expected RFC 3339`);
  return time;
}

function span(
  flags: { readonly start: string; readonly end: string; readonly duration: string },
  from: number,
  to: number | undefined,
) {
  const startsAt = flags.start ? moment(flags.start, 'start') : from;
  const lasting = parseDuration(flags.duration || '1h');
  if (lasting === undefined)
    throw new UserError(
      `invalid value ${JSON.stringify(flags.duration)} of flag --duration: expected a duration such as 2h`,
    );
  const endsAt = flags.end
    ? moment(flags.end, 'end')
    : flags.duration === '' && to !== undefined
      ? to
      : startsAt + lasting;
  if (endsAt <= startsAt) throw new UserError('silence cannot start after it ends');
  return { startsAt: new Date(startsAt).toISOString(), endsAt: new Date(endsAt).toISOString() };
}

const add = amCommand(
  'silence add',
  '<matcher>...',
  'Adds a silence and prints its id',
  {
    ...API_FLAGS,
    ...timeFlags,
    author: { kind: 'text', short: 'a', default: '', help: 'Who; the user of this machine by default.' },
    'require-comment': { kind: 'boolean', default: true, help: 'Refuse a silence without a comment.' },
    annotation: { kind: 'texts', default: [], help: 'name=value. Can be repeated.' },
    'until-resolved': { kind: 'boolean', help: 'End the silence as soon as no alert that it matches fires any more.' },
    'annotation-matcher': {
      kind: 'texts',
      default: [],
      help: 'What the annotations of alerts must match too. Can be repeated.',
    },
    recurring: {
      kind: 'text',
      default: '',
      help: 'Time intervals as in the configuration file, JSON or YAML; the silence holds inside them only.',
    },
  },
  async (flags, operands, { out }) => {
    const mode = modeOf(flags);
    const onAnnotations = flags['annotation-matcher'].map((text) => parseMatcher(text, mode));
    if (operands.length + onAnnotations.length === 0) throw new UserError('no matchers specified');
    const matchers = operands.map((text, i) =>
      parseMatcher(i === 0 && !/[=~]/.test(text) ? `alertname="${text}"` : text, mode),
    );
    if ([...matchers, ...onAnnotations].every((matcher) => compileMatcher(matcher)('')))
      throw new UserError('at least one matcher must not match the empty string');
    if (flags['require-comment'] && flags.comment === '') throw new UserError('comment required by config');
    const annotations = labelOperands(flags.annotation);
    const silence = {
      matchers: matchers.map(toJson),
      ...span(flags, systemClock.now(), undefined),
      createdBy: flags.author || os.userInfo().username,
      comment: flags.comment,
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
      ...(onAnnotations.length > 0 ? { annotationMatchers: onAnnotations.map(toJson) } : {}),
      ...(flags['until-resolved'] ? { untilResolved: true } : {}),
      ...(flags.recurring === '' ? {} : { recurring: loadYaml(flags.recurring, anything(), 'recurring') }),
    };
    const { silenceID } = await callApi<{ silenceID: string }>(flags, 'POST', 'silences', silence);
    out(`${silenceID}\n`);
    return 0;
  },
);

const expire = amCommand('silence expire', '<id>...', 'Ends silences', API_FLAGS, async (flags, operands) => {
  if (operands.length === 0) throw new UserError('no silence IDs specified');
  for (const id of operands) await callApi(flags, 'DELETE', `silence/${encodeURIComponent(id)}`);
  return 0;
});

const update = amCommand(
  'silence update',
  '<id>...',
  'Changes when silences hold, or their comment',
  { ...API_FLAGS, ...timeFlags, quiet: { kind: 'boolean', short: 'q', help: 'Print ids only.' } },
  async (flags, operands, { out }) => {
    if (operands.length === 0) throw new UserError('no silence IDs specified');
    const rows: string[][] = [];
    for (const id of operands) {
      const known = await callApi<Silence>(flags, 'GET', `silence/${encodeURIComponent(id)}`);
      const times = span(flags, Date.parse(known.startsAt), Date.parse(known.endsAt));
      const changed = { ...known, ...times, comment: flags.comment || known.comment };
      const { silenceID } = await callApi<{ silenceID: string }>(flags, 'POST', 'silences', changed);
      rows.push([
        silenceID,
        known.matchers.map((m) => formatMatcher(fromJson(m))).join(' '),
        shownTime(times.endsAt, flags),
        known.createdBy,
        changed.comment,
      ]);
    }
    out(
      flags.quiet
        ? rows.map(([id]) => `${id}\n`).join('')
        : table([['ID', 'Matchers', 'Ends At', 'Created By', 'Comment'], ...rows]),
    );
    return 0;
  },
);

const importSilences = amCommand(
  'silence import',
  '[<file>]',
  'Adds the silences of a JSON file, as `silence query -o json` prints them; reads standard input without a file',
  {
    ...API_FLAGS,
    force: { kind: 'boolean', short: 'f', help: 'Add them as new, even those whose id exists.' },
    worker: { kind: 'integer', short: 'w', default: 8, min: 1, help: 'How many are sent at a time.' },
  },
  async (flags, [file], { out, err, stdin }) => {
    const text = file === undefined || file === '-' ? await stdin() : new TextDecoder().decode(nodeDisk.readFile(file));
    let silences: Silence[];
    try {
      silences = JSON.parse(text) as Silence[];
    } catch (error) {
      throw new UserError(`couldn't unmarshal silences: ${errorText(error)}`, file);
    }
    let failed = 0;
    const importOne = async ({ id, ...silence }: Silence) => {
      try {
        const { silenceID } = await callApi<{ silenceID: string }>(
          flags,
          'POST',
          'silences',
          flags.force ? silence : { id, ...silence },
        );
        out(`${silenceID}\n`);
      } catch (error) {
        failed++;
        err(`couldn't import silence ${id}: ${errorText(error)}\n`);
      }
    };
    const waiting = silences.values();
    const work = async () => {
      for (const silence of waiting) await importOne(silence);
    };
    await Promise.all(Array.from({ length: flags.worker }, work));
    return failed > 0 ? 1 : 0;
  },
);

export const SILENCE_COMMANDS: readonly ToolCommand[] = [query, add, expire, update, importSilences];
