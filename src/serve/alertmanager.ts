// Alertmanager's API, version 2, and beyond it: acknowledgements, history, a dry run of the routing. Errors are JSON strings,
// as upstream's clients expect.

import type { Alertmanager } from '#alert/alertmanager.ts';
import { timeIntervalSchema } from '#alert/route/intervals.ts';
import { NotFoundError, type Silence, silenceState } from '#alert/silence/silences.ts';
import { loadYaml } from '#base/config/load.ts';
import { list } from '#base/config/schema.ts';
import { errorText, UserError } from '#base/errors.ts';
import { type Labels, labelsFrom, labelsToRecord } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import {
  checkAccepts,
  field,
  InvalidRequest,
  malformed,
  missing,
  object,
  readJson,
  readTime,
  texts,
} from './alertmanager-body.ts';
import { type AlertmanagerApiOptions, filters, flag, iso, receiverTest } from './alertmanager-filters.ts';
import { listAlerts, listGroups } from './alertmanager-lists.ts';
import { type HttpRequest, type HttpResponse, json, type Route } from './http.ts';

const MAX_BODY_BYTES = 64 * 1024 * 1024;

export function alertmanagerRoutes(options: AlertmanagerApiOptions): Route[] {
  const { alertmanager, clock } = options;
  const at = (path: string) => `${options.prefix}/api/v2/${path}`;
  const answering =
    (handler: (request: HttpRequest) => unknown): Route['handler'] =>
    async (request) => {
      try {
        checkAccepts(request);
        const result = await handler(request);
        return fresh(result === undefined ? { status: 200, body: '' } : isResponse(result) ? result : json(result));
      } catch (error) {
        if (error instanceof NotFoundError) return fresh(json(error.message, 404));
        if (error instanceof InvalidRequest)
          return fresh(json({ code: error.code, message: error.message }, error.status));
        if (error instanceof UserError) return fresh(json(errorText(error), 400));
        throw error;
      }
    };
  const get = (path: string, handler: (request: HttpRequest) => unknown): Route => ({
    methods: ['GET'],
    pattern: at(path),
    handler: answering(handler),
  });
  const write = (method: string, path: string, handler: (request: HttpRequest) => unknown): Route => ({
    methods: [method],
    pattern: at(path),
    role: 'write',
    maxBodyBytes: MAX_BODY_BYTES,
    handler: answering(handler),
  });
  const routes = [
    get('status', () => ({
      cluster: clusterStatus(alertmanager),
      versionInfo: options.version,
      config: { original: alertmanager.config?.shown ?? '' },
      uptime: iso(alertmanager.startedAt),
    })),
    get('receivers', ({ query }) => {
      const isReceiver = receiverTest(query, options);
      return alertmanager.receivers
        .filter(({ name }) => isReceiver(name))
        .map(({ name, labels }) => ({ name, labels }));
    }),
    get('alerts', (request) => listAlerts(request, options)),
    get('alerts/groups', (request) => listGroups(request, options)),
    write('POST', 'alerts', async (request) => postAlerts(await readJson(request, 'alerts'), options)),
    get('silences', (request) => listSilences(request, options)),
    write('POST', 'silences', async (request) => ({
      silenceID: alertmanager.silences.set(readSilence(await readJson(request, 'silence'), clock.now()), clock.now()),
    })),
    get('silence/:id', ({ params }) => {
      const silence = alertmanager.silences.find(silenceId(params));
      return silence ? showSilence(silence, clock.now()) : { status: 404, body: '' };
    }),
    write('DELETE', 'silence/:id', ({ params }) => {
      const id = silenceId(params);
      if (!alertmanager.silences.find(id)) return { status: 404, body: '' };
      return alertmanager.silences.expire(id, clock.now());
    }),
    get('history', (request) => listHistory(request, options)),
    write('POST', 'alerts/:fingerprint/acknowledgement', async (request) => {
      const posted = object(await readJson(request, 'acknowledgement'), 'the acknowledgement');
      const comment = field(posted, 'comment', 'string') ?? '';
      const by = field(posted, 'by', 'string') ?? request.user ?? '';
      const fingerprint = request.params['fingerprint']!;
      if (!alertmanager.alerts.get(fingerprint)) throw new NotFoundError(`alert ${fingerprint} not found`);
      if (by === '') throw new UserError('an acknowledgement needs to say by whom: field "by"');
      alertmanager.acknowledge({ fingerprint, by, comment, at: clock.now() });
    }),
    write('DELETE', 'alerts/:fingerprint/acknowledgement', ({ params }) =>
      alertmanager.unacknowledge(params['fingerprint']!),
    ),
    // Changes nothing, so whoever may read may ask.
    {
      methods: ['POST'],
      pattern: at('dry-run'),
      handler: answering(async (request) => {
        const posted = object(await readJson(request, 'alert'), 'the alert');
        const read = (name: string) => labelsFrom(Object.entries(texts(posted[name] ?? {}, name)));
        return alertmanager.dryRun(read('labels'), read('annotations'));
      }),
    },
  ];
  return [...routes, ...refusals(routes, at('*path'))];
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** What other methods and other paths get. */
function refusals(routes: readonly Route[], others: string): Route[] {
  const allowed = new Map<string, string[]>();
  for (const { pattern, methods } of routes) allowed.set(pattern, [...(allowed.get(pattern) ?? []), ...methods]);
  const wrongMethods = [...allowed].map(
    ([pattern, methods]): Route => ({
      methods: METHODS.filter((method) => !methods.includes(method)),
      pattern,
      handler: ({ method }) => {
        const message = `method ${method} is not allowed, but [${methods.join(',')}] are`;
        const answer = json({ code: 405, message }, 405);
        return { ...answer, headers: { ...answer.headers, allow: methods.join(',') } };
      },
    }),
  );
  const unknown: Route = {
    methods: METHODS,
    pattern: others,
    handler: ({ path }) => json({ code: 404, message: `path ${path} was not found` }, 404),
  };
  return [...wrongMethods, unknown];
}

/** No cache may keep it. */
const fresh = (answer: HttpResponse): HttpResponse => ({
  ...answer,
  headers: { ...answer.headers, 'cache-control': 'no-store' },
});

const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

function silenceId({ id = '' }: Readonly<Record<string, string>>): string {
  if (UUID.test(id)) return id;
  throw new InvalidRequest(422, 601, `silenceID in path must be of type uuid: ${JSON.stringify(id)}`);
}

/** The API before version 2, which upstream has taken away as well. */
export const goneRoutes = (): Route[] => [
  {
    methods: ['GET', 'POST', 'DELETE'],
    pattern: '/api/v1/*path',
    handler: () =>
      json({ status: 'deprecated', error: 'version 1 of the API is gone: use the same path below /api/v2' }, 410),
  },
];

function clusterStatus({ cluster }: Alertmanager): unknown {
  if (!cluster) return { status: 'disabled', peers: [] };
  const peers = cluster.members.map((name) => ({ name, address: 'etcd' }));
  return { name: cluster.name, status: cluster.isConnected ? 'ready' : 'settling', peers };
}

const isResponse = (value: unknown): value is HttpResponse =>
  typeof value === 'object' && value !== null && 'status' in value && typeof value.status === 'number';

type PostedAlert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: number;
  readonly endsAt: number;
  readonly generatorUrl: string;
};

/** Valid alerts are taken even when others of the request are not. */
function postAlerts(body: unknown, { alertmanager, clock }: AlertmanagerApiOptions): HttpResponse | undefined {
  if (body === null) return undefined;
  if (!Array.isArray(body)) throw malformed('it is not a list of alerts');
  // What cannot be read makes the whole request invalid.
  const alerts = body.map(readAlert);
  const now = clock.now();
  const problems: string[] = [];
  for (const posted of alerts) {
    try {
      receiveOne(posted, alertmanager, now);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(error.message);
    }
  }
  if (problems.length === 0) return undefined;
  alertmanager.countInvalid(problems.length);
  return json(problems.join('; '), 400);
}

function readAlert(posted: unknown, index: number): PostedAlert {
  const record = object(posted, `alert ${index}`);
  const generatorUrl = field(record, 'generatorURL', 'string') ?? '';
  const alert = {
    labels: texts(record['labels'] ?? {}, 'labels'),
    annotations: texts(record['annotations'] ?? {}, 'annotations'),
    startsAt: readTime(record['startsAt']),
    endsAt: readTime(record['endsAt']),
    generatorUrl,
  };
  if ((record['labels'] ?? undefined) === undefined) throw missing(`${index}.labels`);
  if (generatorUrl !== '' && !isUri(generatorUrl))
    throw new InvalidRequest(
      422,
      601,
      `${index}.generatorURL in body must be of type uri: ${JSON.stringify(generatorUrl)}`,
    );
  return alert;
}

/** Absolute, or a path. */
const isUri = (text: string): boolean => URL.canParse(text) || text.startsWith('/');

function receiveOne(posted: PostedAlert, alertmanager: Alertmanager, now: number): void {
  const labels = readLabels(posted.labels, 'label set');
  const annotations = readLabels(posted.annotations, 'annotations');
  if (labels.length === 0) throw new UserError('at least one label pair required');
  const { startsAt: start, endsAt: end, generatorUrl } = posted;
  const startsAt = start || (end ? Math.min(end, now) : now);
  if (end !== 0 && end < startsAt) throw new UserError('start time must be before end time');
  alertmanager.receive({ labels, annotations, startsAt, endsAt: end, generatorUrl }, end === 0, now);
}

function readLabels(record: Readonly<Record<string, string>>, what: 'label set' | 'annotations'): Labels {
  const pairs = Object.entries(record);
  if ('' in record) throw new UserError(`invalid ${what}: invalid name ""`);
  // Empty labels are none; empty annotations are there.
  return what === 'label set' ? labelsFrom(pairs) : pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}

type JsonMatcher = {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual?: boolean;
};

const toJsonMatcher = ({ name, value, type }: Matcher): JsonMatcher => ({
  isEqual: type === '=' || type === '=~',
  isRegex: type === '=~' || type === '!~',
  name,
  value,
});

function fromJsonMatchers(value: unknown, what: string): Matcher[] {
  if (!Array.isArray(value)) throw malformed(`${what} is no list`);
  const read = value.map((one) => {
    const matcher = object(one, 'a matcher');
    return {
      name: field(matcher, 'name', 'string'),
      value: field(matcher, 'value', 'string'),
      isRegex: field(matcher, 'isRegex', 'boolean'),
      isEqual: field(matcher, 'isEqual', 'boolean') ?? true,
    };
  });
  return read.map((matcher, index) => {
    for (const name of ['isRegex', 'name', 'value'] as const)
      if (matcher[name] === undefined) throw missing(`${what}.${index}.${name}`);
    const { isRegex, isEqual } = matcher;
    return {
      name: matcher.name!,
      value: matcher.value!,
      type: isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!=',
    };
  });
}

function readSilence(body: unknown, now: number): Omit<Silence, 'updatedAt'> {
  const raw = body === null ? {} : object(body, 'the silence');
  const said = {
    id: field(raw, 'id', 'string') ?? '',
    comment: field(raw, 'comment', 'string'),
    createdBy: field(raw, 'createdBy', 'string'),
  };
  const times = { startsAt: readTime(raw['startsAt']), endsAt: readTime(raw['endsAt']) };
  const listed = (name: string) =>
    (raw[name] ?? undefined) === undefined ? undefined : fromJsonMatchers(raw[name], name);
  const annotationMatchers = listed('annotationMatchers') ?? [];
  const matchers = listed('matchers');
  for (const name of ['comment', 'createdBy', 'endsAt', 'matchers', 'startsAt'])
    if ((raw[name] ?? undefined) === undefined) throw missing(name);
  if ((matchers ?? []).length + annotationMatchers.length === 0)
    throw new InvalidRequest(422, 612, 'matchers in body should have at least 1 items');
  // An empty time is long ago, and what began before now begins now.
  if (times.startsAt >= times.endsAt)
    throw new UserError('Failed to create silence: start time must be before end time');
  if (times.endsAt < now) throw new UserError("Failed to create silence: end time can't be in the past");
  const annotations = texts(raw['annotations'] ?? {}, 'annotations');
  return {
    id: said.id,
    matchers: matchers ?? [],
    startsAt: times.startsAt === 0 ? now : times.startsAt,
    endsAt: times.endsAt,
    createdBy: said.createdBy ?? '',
    comment: said.comment ?? '',
    ...(annotationMatchers.length > 0 ? { annotationMatchers } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...(field(raw, 'untilResolved', 'boolean') === true ? { untilResolved: true } : {}),
    ...readRecurring(raw['recurring']),
  };
}

const intervals = list(timeIntervalSchema);

/** Time intervals as in the configuration file; JSON is YAML. */
function readRecurring(given: unknown): Pick<Silence, 'recurring' | 'recurringAsGiven'> {
  if (given === undefined || given === null || (Array.isArray(given) && given.length === 0)) return {};
  return { recurring: loadYaml(JSON.stringify(given), intervals, 'recurring'), recurringAsGiven: given };
}

function showSilence(silence: Silence, now: number): unknown {
  const {
    matchers,
    annotationMatchers,
    startsAt,
    endsAt,
    updatedAt,
    hasMuted: _,
    recurring: __,
    recurringAsGiven,
    ...rest
  } = silence;
  return {
    ...rest,
    status: { state: silenceState(silence, now) },
    updatedAt: iso(updatedAt),
    startsAt: iso(startsAt),
    endsAt: iso(endsAt),
    matchers: matchers.map(toJsonMatcher),
    annotations: silence.annotations ?? {},
    ...(annotationMatchers ? { annotationMatchers: annotationMatchers.map(toJsonMatcher) } : {}),
    ...(recurringAsGiven === undefined ? {} : { recurring: recurringAsGiven }),
  };
}

/** Active first by end, then pending by start, then expired, the latest first, as upstream sorts them. */
function listSilences({ query }: HttpRequest, options: AlertmanagerApiOptions): unknown {
  const { alertmanager, clock } = options;
  const wanted = filters(query, options);
  const now = clock.now();
  const states = { active: flag(query, 'active'), pending: flag(query, 'pending'), expired: flag(query, 'expired') };
  const selects = (silence: Silence) =>
    wanted.every(({ name, type, value }) =>
      silence.matchers.some((matcher) => matcher.name === name && matcher.type === type && matcher.value === value),
    );
  const found = [...alertmanager.silences.all()].filter(
    (silence) => states[silenceState(silence, now)] && selects(silence),
  );
  const rank = { active: 1, pending: 2, expired: 3 };
  found.sort((a, b) => {
    const [x, y] = [silenceState(a, now), silenceState(b, now)];
    if (x !== y) return rank[x] - rank[y];
    return x === 'active' ? a.endsAt - b.endsAt : x === 'pending' ? a.startsAt - b.startsAt : b.endsAt - a.endsAt;
  });
  return found.map((silence) => showSilence(silence, now));
}

const HISTORY_PAGE = 200;

function listHistory({ query }: HttpRequest, options: AlertmanagerApiOptions): unknown {
  const { alertmanager } = options;
  const matches = compileMatchers(filters(query, options));
  const text = (query.get('search') ?? '').toLowerCase();
  const limit = Math.min(Number(query.get('limit') ?? HISTORY_PAGE) || HISTORY_PAGE, 10_000);
  const found = alertmanager
    .history()
    .filter(
      (entry) =>
        entry.alerts.some((alert) => matches(alert.labels)) &&
        (text === '' ||
          `${entry.receiver} ${entry.groupKey} ${entry.message} ${entry.alerts.map((a) => a.labels.join(' ')).join(' ')}`
            .toLowerCase()
            .includes(text)),
    );
  return found.slice(0, limit).map((entry) => ({
    ...entry,
    at: iso(entry.at),
    alerts: entry.alerts.map((alert) => ({ ...alert, labels: labelsToRecord(alert.labels) })),
  }));
}
