// /api/v1/rules and /api/v1/alerts as Prometheus answers them, and beyond: groups managed through the API, the reasons of
// an alert, and rules whose selectors never match.

import { createHash } from 'node:crypto';
import { type ActiveAlert, AlertingRule } from '#alert/rules/alerting.ts';
import type { RuleEngine } from '#alert/rules/contract.ts';
import { explainAlert } from '#alert/rules/explain.ts';
import { RuleFileError } from '#alert/rules/file.ts';
import type { RuleEntry, RuleGroup } from '#alert/rules/group.ts';
import type { StoredRules } from '#alert/rules/stored.ts';
import { formatFloat } from '#alert/template/float.ts';
import type { Clock } from '#base/clock.ts';
import { errorText, UserError } from '#base/errors.ts';
import { type Labels, labelsToRecord } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import { formatValue } from '#model/value.ts';
import { parseSelector } from '#query/parse/parser.ts';
import { ApiError, type HttpRequest, type HttpResponse, type Route, success } from './http.ts';

export type RulesApiOptions = {
  readonly groups: () => readonly RuleGroup[];
  readonly engine: RuleEngine;
  readonly clock: Clock;
  /** Groups that the API stores; `apply` puts what is stored in force. */
  readonly stored?: { readonly rules: StoredRules; readonly apply: () => Promise<void> };
  /** Writes what a group's recording rules would have given over a past range. */
  readonly backfill?: (group: RuleGroup, range: { min: number; max: number }) => Promise<{ samples: number }>;
};

const MAX_GROUP_BYTES = 4 * 1024 * 1024;

export function rulesRoutes(options: RulesApiOptions): Route[] {
  const get = (pattern: string, handler: Route['handler']): Route => ({ methods: ['GET'], pattern, handler });
  const routes: Route[] = [
    get('/api/v1/rules', (request) => listRules(options, request)),
    get('/api/v1/alerts', () =>
      success({
        alerts: options
          .groups()
          .flatMap((group) => group.alertingRules())
          .flatMap((rule) => rule.activeAlerts().map(alertJson)),
      }),
    ),
    get('/api/v1/alerts/explain', (request) => explain(options, request)),
  ];
  return options.stored ? [...routes, ...managedRoutes(options, options.stored)] : routes;
}

// Prometheus' answers.

const invalid = (name: string, message: string): ApiError =>
  new ApiError('bad_data', `invalid parameter ${JSON.stringify(name)}: ${message}`);

type Page = { readonly limit: number; readonly token: string };

function pageOf(query: URLSearchParams): Page {
  const limit = query.get('group_limit') ?? '';
  const token = query.get('group_next_token') ?? '';
  if (token !== '' && limit === '') {
    throw invalid('group_next_token', 'group_limit needs to be present in order to paginate over the groups');
  }
  if (limit === '') return { limit: 0, token };
  if (!/^[+-]?\d+$/.test(limit) || Math.abs(Number(limit)) > 2 ** 31 - 1) {
    const reason = /^[+-]?\d+$/.test(limit) ? 'value out of range' : 'invalid syntax';
    const parsing = `strconv.ParseInt: parsing ${JSON.stringify(limit)}: ${reason}`;
    throw invalid('group_limit', `group_limit needs to be a valid number: ${parsing}`);
  }
  if (Number(limit) <= 0) throw invalid('group_limit', 'group_limit needs to be greater than 0');
  return { limit: Number(limit), token };
}

const tokenOf = (group: RuleGroup): string =>
  createHash('sha256').update(`${group.config.file};${group.config.name}`).digest('hex');

function flag(query: URLSearchParams, name: string): boolean {
  const value = (query.get(name) ?? '').toLowerCase();
  if (['', '0', 'f', 'false'].includes(value)) return false;
  if (['1', 't', 'true'].includes(value)) return true;
  const parsing = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
  throw invalid(name, `error converting ${name}: ${parsing}`);
}

function matcherSets(query: URLSearchParams): ((labels: Labels) => boolean)[] {
  return query.getAll('match[]').map((text) => {
    let matchers: readonly Matcher[];
    try {
      matchers = parseSelector(text);
    } catch (error) {
      throw invalid('match[]', errorText(error));
    }
    return compileMatchers(matchers);
  });
}

function listRules({ groups }: RulesApiOptions, { query }: HttpRequest): HttpResponse {
  const type = (query.get('type') ?? '').toLowerCase();
  if (type !== '' && type !== 'alert' && type !== 'record') {
    throw invalid('type', `not supported value ${JSON.stringify(type)}`);
  }
  const names = new Set(query.getAll('rule_name[]'));
  const groupNames = new Set(query.getAll('rule_group[]'));
  const files = new Set(query.getAll('file[]'));
  const matches = matcherSets(query);
  const excludeAlerts = flag(query, 'exclude_alerts');
  const page = pageOf(query);
  const wanted = (entry: RuleEntry): boolean => {
    const { config } = entry.rule;
    if (type !== '' && (type === 'alert') !== (config.kind === 'alerting')) return false;
    if (names.size > 0 && !names.has(config.name)) return false;
    return matches.length === 0 || matches.some((test) => test(config.labels));
  };
  const answer: unknown[] = [];
  let next: string | undefined;
  let reached = page.token === '';
  for (const group of groups()) {
    reached ||= tokenOf(group) === page.token;
    if (!reached) continue;
    if (groupNames.size > 0 && !groupNames.has(group.config.name)) continue;
    if (files.size > 0 && !files.has(group.config.file)) continue;
    const entries = group.entries.filter(wanted);
    if (entries.length === 0) continue;
    if (page.limit > 0 && answer.length === page.limit) {
      next = tokenOf(group);
      break;
    }
    answer.push(groupJson(group, entries, excludeAlerts));
  }
  if (!reached) {
    throw invalid('group_next_token', `invalid group_next_token '${page.token}'. were rule groups changed?`);
  }
  return success({ groups: answer, ...(next === undefined ? {} : { groupNextToken: next }) });
}

/** Go's zero time stands for never. */
const timeJson = (ms: number): string => (ms === 0 ? '0001-01-01T00:00:00Z' : new Date(ms).toISOString());

function groupJson(group: RuleGroup, entries: readonly RuleEntry[], excludeAlerts: boolean): unknown {
  return {
    name: group.config.name,
    file: group.config.file,
    rules: entries.map((entry) => ruleJson(entry, excludeAlerts)),
    interval: group.intervalMs / 1000,
    limit: group.config.limit,
    evaluationTime: group.durationMs / 1000,
    lastEvaluation: timeJson(group.lastEvaluationAt),
  };
}

function ruleJson(entry: RuleEntry, excludeAlerts: boolean): unknown {
  const { rule } = entry;
  const common = {
    name: rule.config.name,
    query: rule.query,
    labels: labelsToRecord(rule.config.labels),
    health: entry.health,
    ...(entry.lastError === '' ? {} : { lastError: entry.lastError }),
    evaluationTime: entry.durationMs / 1000,
    lastEvaluation: timeJson(entry.evaluatedAt),
    ...(entry.selectors.silent.length > 0 ? { neverMatched: entry.selectors.silent } : {}),
  };
  if (!(rule instanceof AlertingRule)) return { ...common, type: 'recording' };
  return {
    state: entry.evaluatedAt === 0 ? 'unknown' : rule.state,
    ...common,
    duration: rule.config.forMs / 1000,
    keepFiringFor: rule.config.keepFiringForMs / 1000,
    annotations: labelsToRecord(rule.config.annotations),
    alerts: excludeAlerts ? null : rule.activeAlerts().map(alertJson),
    type: 'alerting',
  };
}

function alertJson(alert: ActiveAlert): unknown {
  return {
    labels: labelsToRecord(alert.labels),
    annotations: labelsToRecord(alert.annotations),
    state: alert.state,
    activeAt: timeJson(alert.activeAt),
    ...(alert.keepFiringSince === 0 ? {} : { keepFiringSince: timeJson(alert.keepFiringSince) }),
    value: formatFloat(alert.value, 'e', -1),
  };
}

// Reasons.

/** `match[]` picks the alerts by their labels; at most `MAX_EXPLAINED` are explained at a time. */
const MAX_EXPLAINED = 10;

/** Of which moment an explanation is asked: now (undefined), a time, or of each alert the one at which it fired. */
function explainedTime(text: string | null): (alert: ActiveAlert) => number | undefined {
  if (text === null || text === '') return () => undefined;
  if (text === 'fired') return ({ firedAt, activeAt }) => firedAt || activeAt;
  const at = parseTime(text);
  if (Number.isNaN(at)) throw invalid('time', `expected "fired" or a timestamp, got ${JSON.stringify(text)}`);
  return () => at;
}

/** Seconds since the epoch or RFC 3339. */
const parseTime = (text: string): number => (/^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text));

async function explain({ groups, engine, clock }: RulesApiOptions, { query }: HttpRequest): Promise<HttpResponse> {
  const matches = matcherSets(query);
  if (matches.length === 0) throw invalid('match[]', 'no match[] parameter provided');
  const time = explainedTime(query.get('time'));
  const explained: unknown[] = [];
  for (const group of groups()) {
    for (const rule of group.alertingRules()) {
      for (const alert of rule.activeAlerts()) {
        if (explained.length >= MAX_EXPLAINED || !matches.some((test) => test(alert.labels))) continue;
        const origin = { file: group.config.file, group: group.config.name, rule: rule.config.name };
        const at = (time(alert) ?? clock.now()) - group.queryOffsetMs;
        const parts = await explainAlert(engine, rule.config.expr, alert.labels, rule.config.labels, at, origin);
        explained.push({
          alert: alertJson(alert),
          rule: { name: rule.config.name, query: rule.query, group: group.config.name, file: group.config.file },
          evaluatedAt: timeJson(at),
          parts: parts.map(({ series, ...part }) => ({
            ...part,
            series: series.map(({ labels, value }) => ({ metric: labelsToRecord(labels), value: formatValue(value) })),
          })),
        });
      }
    }
  }
  return success({ alerts: explained });
}

// Managed groups.

function managedRoutes(options: RulesApiOptions, stored: NonNullable<RulesApiOptions['stored']>): Route[] {
  const { rules, apply } = stored;
  const base = '/api/v1/rules/groups';
  const expected = (request: HttpRequest): number | undefined => {
    const text = request.query.get('version');
    if (text === null) return undefined;
    if (!/^\d+$/.test(text)) throw invalid('version', 'expected a whole number');
    return Number(text);
  };
  /** Puts the change in force, or takes it back if it cannot be. */
  const change = async (namespace: string, action: () => unknown): Promise<HttpResponse> => {
    const before = rules.history(namespace)[0]?.version ?? 0;
    const data = guarded(action);
    try {
      await apply();
    } catch (error) {
      if (before > 0) rules.restore(namespace, before);
      else rules.remove(namespace, undefined);
      throw new ApiError('bad_data', errorText(error));
    }
    return success(data);
  };
  return [
    { methods: ['GET'], pattern: base, handler: () => success({ groups: rules.groups() }) },
    {
      methods: ['GET'],
      pattern: `${base}/:namespace`,
      handler: ({ params }) => success({ groups: rules.groups(params['namespace']!) }),
    },
    {
      methods: ['GET'],
      pattern: `${base}/:namespace/:group`,
      handler: ({ params }) => {
        const found = rules.groups(params['namespace']!).find((group) => group.name === params['group']);
        if (!found) throw new ApiError('not_found', `no group ${params['group']} in namespace ${params['namespace']}`);
        return success(found);
      },
    },
    {
      methods: ['GET'],
      pattern: '/api/v1/rules/versions/:namespace',
      handler: ({ params }) => success({ versions: rules.history(params['namespace']!) }),
    },
    {
      methods: ['POST'],
      pattern: '/api/v1/rules/versions/:namespace/:version',
      role: 'write',
      handler: ({ params }) =>
        change(params['namespace']!, () => ({
          version: rules.restore(params['namespace']!, Number(params['version'])),
        })),
    },
    {
      methods: ['PUT', 'POST'],
      pattern: `${base}/:namespace`,
      role: 'write',
      maxBodyBytes: MAX_GROUP_BYTES,
      handler: async (request) => {
        const text = (await request.body()).toString();
        const namespace = request.params['namespace']!;
        return change(namespace, () => rules.put(namespace, text, { version: expected(request) }));
      },
    },
    {
      methods: ['PUT'],
      pattern: `${base}/:namespace/:group`,
      role: 'write',
      maxBodyBytes: MAX_GROUP_BYTES,
      handler: async (request) => {
        const text = (await request.body()).toString();
        const { namespace, group } = request.params as { namespace: string; group: string };
        return change(namespace, () => rules.put(namespace, text, { name: group, version: expected(request) }));
      },
    },
    {
      methods: ['DELETE'],
      pattern: `${base}/:namespace/:group`,
      role: 'write',
      handler: (request) => {
        const { namespace, group } = request.params as { namespace: string; group: string };
        return change(namespace, () => {
          if (!rules.remove(namespace, group, expected(request))) {
            throw new ApiError('not_found', `no group ${group} in namespace ${namespace}`);
          }
          return {};
        });
      },
    },
    ...(options.backfill ? [backfillRoute(options, options.backfill)] : []),
  ];
}

function guarded<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof RuleFileError || error instanceof UserError) throw new ApiError('bad_data', error.message);
    throw error;
  }
}

function backfillRoute(options: RulesApiOptions, backfill: NonNullable<RulesApiOptions['backfill']>): Route {
  return {
    methods: ['POST'],
    pattern: '/api/v1/rules/backfill',
    role: 'admin',
    handler: async ({ query }) => {
      const time = (name: string): number => {
        const text = query.get(name) ?? '';
        const ms = parseTime(text);
        if (Number.isNaN(ms)) throw invalid(name, `cannot parse ${JSON.stringify(text)} to a valid timestamp`);
        return ms;
      };
      const range = { min: time('start'), max: time('end') };
      if (range.max < range.min) throw invalid('end', 'end timestamp must not be before start time');
      const name = query.get('rule_group[]') ?? query.get('group') ?? '';
      const groups = options.groups().filter((group) => name === '' || group.config.name === name);
      if (groups.length === 0) throw new ApiError('not_found', `no group ${name}`);
      let samples = 0;
      for (const group of groups) samples += (await backfill(group, range)).samples;
      return success({ groups: groups.map((group) => group.config.name), samples });
    },
  };
}
