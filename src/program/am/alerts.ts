// `pharos am alert`: query and add.

import os from 'node:os';
import { type MatcherMode, parseMatcher } from '#alert/match/parse.ts';
import { UserError } from '#base/errors.ts';
import { labelsOf } from '#model/labels.ts';
import { formatMatcher } from '#model/matcher.ts';
import type { ToolCommand } from '../tool/command.ts';
import { API_FLAGS, amCommand, callApi, modeOf, outputOf, shownTime, table } from './api.ts';

type Alert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly generatorURL: string;
  readonly status: { readonly state: string };
};

/** A first operand without an operator is an alert's name, possibly a regular expression. */
export function filterQuery(operands: readonly string[], mode: MatcherMode): string[] {
  return operands.map((text, i) => {
    const isName = i === 0 && !/[=~]/.test(text);
    return formatMatcher(parseMatcher(isName ? `alertname=~"${text.replace(/["\\]/g, '\\$&')}"` : text, mode));
  });
}

export const pairs = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(' ');

const query = amCommand(
  'alert query',
  '[<matcher>...]',
  'Shows the alerts that match',
  {
    ...API_FLAGS,
    inhibited: { kind: 'boolean', short: 'i', help: 'Show inhibited alerts.' },
    silenced: { kind: 'boolean', short: 's', help: 'Show silenced alerts.' },
    active: { kind: 'boolean', short: 'a', help: 'Show active alerts.' },
    unprocessed: { kind: 'boolean', short: 'u', help: 'Show unprocessed alerts.' },
    receiver: {
      kind: 'text',
      short: 'r',
      default: '',
      help: 'Show alerts that go to receivers matching this regular expression.',
    },
  },
  async (flags, operands, { out }) => {
    // Nothing asked for means the active ones, as in amtool.
    const isAny = flags.inhibited || flags.silenced || flags.active || flags.unprocessed;
    const parameters = new URLSearchParams({
      inhibited: String(flags.inhibited),
      silenced: String(flags.silenced),
      active: String(isAny ? flags.active : true),
      unprocessed: String(isAny ? flags.unprocessed : true),
      ...(flags.receiver ? { receiver: flags.receiver } : {}),
    });
    for (const filter of filterQuery(operands, modeOf(flags))) parameters.append('filter', filter);
    const alerts = await callApi<Alert[]>(flags, 'GET', `alerts?${parameters}`);
    alerts.sort((a, b) => (a.startsAt < b.startsAt ? -1 : 1));
    const output = outputOf(flags);
    if (output === 'json') out(`${JSON.stringify(alerts)}\n`);
    else if (output === 'extended') {
      const rows = alerts.map((a) => [
        pairs(a.labels),
        pairs(a.annotations),
        shownTime(a.startsAt, flags),
        shownTime(a.endsAt, flags),
        a.generatorURL,
        a.status.state,
      ]);
      out(table([['Labels', 'Annotations', 'Starts At', 'Ends At', 'Generator URL', 'State'], ...rows]));
    } else {
      const rows = alerts.map((a) => [
        a.labels['alertname'] ?? '',
        shownTime(a.startsAt, flags),
        a.annotations['summary'] ?? '',
        a.status.state,
      ]);
      out(table([['Alertname', 'Starts At', 'Summary', 'State'], ...rows]));
    }
    return 0;
  },
);

/** `name=value`; the first may be an alert's name alone. */
export function labelOperands(operands: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  operands.forEach((text, i) => {
    const equals = text.indexOf('=');
    if (equals < 0 && i > 0) throw new UserError(`bad label ${JSON.stringify(text)}: expected name=value`);
    if (equals < 0) labels['alertname'] = text;
    else labels[text.slice(0, equals)] = text.slice(equals + 1).replace(/^"(.*)"$/, '$1');
  });
  return labels;
}

const add = amCommand(
  'alert add',
  '<label>...',
  'Adds an alert',
  {
    ...API_FLAGS,
    'generator-url': { kind: 'text', default: '', help: 'Where the alert comes from.' },
    start: { kind: 'text', default: '', help: 'When it began, RFC 3339; now by default.' },
    end: { kind: 'text', default: '', help: 'When it ends, RFC 3339.' },
    annotation: { kind: 'texts', default: [], help: 'name=value. Can be repeated.' },
  },
  async (flags, operands) => {
    if (operands.length === 0) throw new UserError('expected labels');
    const alert = {
      labels: labelOperands(operands),
      annotations: labelOperands(flags.annotation),
      ...(flags.start ? { startsAt: flags.start } : {}),
      ...(flags.end ? { endsAt: flags.end } : {}),
      ...(flags['generator-url'] ? { generatorURL: flags['generator-url'] } : {}),
    };
    if (labelsOf(alert.labels).length === 0) throw new UserError('expected at least one label with a value');
    await callApi(flags, 'POST', 'alerts', [alert]);
    return 0;
  },
);

const FINGERPRINT = /^[0-9a-f]{16}$/;

/** Fingerprints of the alerts that operands name: by fingerprint, or all that match. */
async function fingerprintsOf(flags: Parameters<typeof callApi>[0], operands: readonly string[]): Promise<string[]> {
  if (operands.length === 0) throw new UserError('expected matchers or a fingerprint');
  if (operands.every((text) => FINGERPRINT.test(text))) return [...operands];
  const parameters = new URLSearchParams();
  for (const filter of filterQuery(operands, modeOf(flags))) parameters.append('filter', filter);
  const alerts = await callApi<{ fingerprint: string }[]>(flags, 'GET', `alerts?${parameters}`);
  if (alerts.length === 0) throw new UserError('no alert matches');
  return alerts.map(({ fingerprint }) => fingerprint);
}

const acknowledge = amCommand(
  'alert ack',
  '<matcher>... | <fingerprint>...',
  'Acknowledges alerts, so that they are not repeated, and prints their fingerprints',
  {
    ...API_FLAGS,
    author: { kind: 'text', short: 'a', default: '', help: 'Who; the user of this machine by default.' },
    comment: { kind: 'text', short: 'c', default: '', help: 'What is being done about it.' },
  },
  async (flags, operands, { out }) => {
    const by = flags.author || os.userInfo().username;
    for (const fingerprint of await fingerprintsOf(flags, operands)) {
      await callApi(flags, 'POST', `alerts/${fingerprint}/acknowledgement`, { by, comment: flags.comment });
      out(`${fingerprint}\n`);
    }
    return 0;
  },
);

const unacknowledge = amCommand(
  'alert unack',
  '<matcher>... | <fingerprint>...',
  'Takes acknowledgements back',
  API_FLAGS,
  async (flags, operands, { out }) => {
    for (const fingerprint of await fingerprintsOf(flags, operands)) {
      await callApi(flags, 'DELETE', `alerts/${fingerprint}/acknowledgement`);
      out(`${fingerprint}\n`);
    }
    return 0;
  },
);

type DryRun = {
  readonly inhibition?: { readonly by: string };
  readonly silences: readonly string[];
  readonly routes: readonly {
    readonly receiver: string;
    readonly integrations: readonly string[];
    readonly groupKey: string;
    readonly mutedBy: readonly string[];
    readonly subject: string;
    readonly message: string;
  }[];
};

const dryRun = amCommand(
  'alert dry-run',
  '<label>...',
  'Tells where an alert with these labels would go, what would keep it quiet, and what would be said',
  { ...API_FLAGS, annotation: { kind: 'texts', default: [], help: 'name=value. Can be repeated.' } },
  async (flags, operands, { out }) => {
    const alert = { labels: labelOperands(operands), annotations: labelOperands(flags.annotation) };
    const result = await callApi<DryRun>(flags, 'POST', 'dry-run', alert);
    if (outputOf(flags) === 'json') {
      out(`${JSON.stringify(result)}\n`);
      return 0;
    }
    if (result.inhibition) out(`inhibited by ${result.inhibition.by}\n`);
    if (result.silences.length > 0) out(`silenced by ${result.silences.join(', ')}\n`);
    for (const route of result.routes) {
      out(`${route.receiver} (${route.integrations.join(', ') || 'tells nobody'})  group ${route.groupKey}\n`);
      if (route.mutedBy.length > 0) out(`  muted by ${route.mutedBy.join(', ')}\n`);
      for (const line of [route.subject, ...route.message.split('\n')]) if (line.trim() !== '') out(`  ${line}\n`);
    }
    return 0;
  },
);

type Sent = {
  readonly at: string;
  readonly receiver: string;
  readonly integration: string;
  readonly reason: string;
  readonly ok: boolean;
  readonly message: string;
  readonly alerts: readonly { readonly name: string; readonly resolved: boolean }[];
};

const history = amCommand(
  'history',
  '[<matcher>...]',
  'Shows what was sent to whom, the newest first',
  {
    ...API_FLAGS,
    search: { kind: 'text', default: '', help: 'Only what contains this text.' },
    limit: { kind: 'integer', default: 200, min: 1, help: 'How many at most.' },
  },
  async (flags, operands, { out }) => {
    const parameters = new URLSearchParams({ search: flags.search, limit: String(flags.limit) });
    for (const filter of filterQuery(operands, modeOf(flags))) parameters.append('filter', filter);
    const sent = await callApi<Sent[]>(flags, 'GET', `history?${parameters}`);
    if (outputOf(flags) === 'json') out(`${JSON.stringify(sent)}\n`);
    else {
      const rows = sent.map(({ at, receiver, integration, reason, ok, message, alerts }) => [
        shownTime(at, flags),
        receiver,
        integration,
        alerts.map(({ name, resolved }) => (resolved ? `${name} (resolved)` : name)).join(', '),
        ok ? reason : `failed: ${message}`,
      ]);
      out(table([['At', 'Receiver', 'Integration', 'Alerts', 'Why'], ...rows]));
    }
    return 0;
  },
);

export const ALERT_COMMANDS: readonly ToolCommand[] = [query, add, acknowledge, unacknowledge, dryRun, history];
