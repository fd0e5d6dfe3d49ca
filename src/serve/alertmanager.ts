// Alertmanager's API, version 2, and beyond it: acknowledgements, history, a dry run of the routing. Errors are JSON strings,
// as upstream's clients expect.

import type { Acknowledgement, Alertmanager } from '#alert/alertmanager.ts';
import { timeIntervalSchema } from '#alert/route/intervals.ts';
import { NotFoundError, type Silence, silenceState } from '#alert/silence/silences.ts';
import { loadYaml } from '#base/config/load.ts';
import { list } from '#base/config/schema.ts';
import { errorText, UserError } from '#base/errors.ts';
import { type Labels, labelsFrom, labelsToRecord } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
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
        const result = await handler(request);
        return result === undefined ? { status: 200, body: '' } : isResponse(result) ? result : json(result);
      } catch (error) {
        if (error instanceof NotFoundError) return json(error.message, 404);
        if (error instanceof InvalidBody) return json({ code: error.code, message: error.message }, error.status);
        if (error instanceof UserError || error instanceof SyntaxError) return json(errorText(error), 400);
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
  return [
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
    write('POST', 'alerts', async (request) => postAlerts(await readJson(request), options)),
    get('silences', (request) => listSilences(request, options)),
    write('POST', 'silences', async (request) => ({
      silenceID: alertmanager.silences.set(readSilence(await readJson(request), clock.now()), clock.now()),
    })),
    get('silence/:id', ({ params }) => showSilence(alertmanager.silences.get(params['id']!), clock.now())),
    write('DELETE', 'silence/:id', ({ params }) => alertmanager.silences.expire(params['id']!, clock.now())),
    get('history', (request) => listHistory(request, options)),
    write('POST', 'alerts/:fingerprint/acknowledgement', async (request) => {
      const { comment = '', by = request.user ?? '' } = (await readJson(request)) as Partial<Acknowledgement>;
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
        const { labels = {}, annotations = {} } = (await readJson(request)) as {
          labels?: Record<string, string>;
          annotations?: Record<string, string>;
        };
        return alertmanager.dryRun(labelsFrom(Object.entries(labels)), labelsFrom(Object.entries(annotations)));
      }),
    },
  ];
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

/** A body that is not what the API describes: answered with a code, as upstream's generated server does. */
class InvalidBody extends UserError {
  readonly status: number;
  readonly code: number;
  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const missing = (what: string): InvalidBody => new InvalidBody(422, 602, `${what} in body is required`);
const malformed = (what: string): InvalidBody => new InvalidBody(400, 400, `parsing the body failed, because ${what}`);

async function readJson(request: HttpRequest): Promise<unknown> {
  const text = (await request.body()).toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(errorText(error));
  }
}

type PostedAlert = {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly startsAt?: string;
  readonly endsAt?: string;
  readonly generatorURL?: string;
};

/** Valid alerts are taken even when others of the request are not. */
function postAlerts(body: unknown, { alertmanager, clock }: AlertmanagerApiOptions): HttpResponse | undefined {
  if (!Array.isArray(body)) throw malformed('it is not a list of alerts');
  body.forEach(checkAlert);
  const now = clock.now();
  const problems: string[] = [];
  for (const posted of body as PostedAlert[]) {
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

/** What makes the whole request invalid. */
function checkAlert(posted: unknown, index: number): void {
  if (typeof posted !== 'object' || posted === null) throw malformed(`alert ${index} is not an object`);
  const { labels, annotations, generatorURL, startsAt, endsAt } = posted as Record<string, unknown>;
  if (typeof labels !== 'object' || labels === null) throw missing(`${index}.labels`);
  for (const set of [labels, annotations ?? {}]) {
    for (const [name, value] of Object.entries(set))
      if (typeof value !== 'string') throw malformed(`the value of ${JSON.stringify(name)} is not text`);
  }
  for (const time of [startsAt, endsAt]) readTime(time);
  if (typeof generatorURL === 'string' && generatorURL !== '' && !isUri(generatorURL))
    throw new InvalidBody(
      422,
      601,
      `${index}.generatorURL in body must be of type uri: ${JSON.stringify(generatorURL)}`,
    );
}

/** Absolute, or a path. */
const isUri = (text: string): boolean => URL.canParse(text) || text.startsWith('/');

function receiveOne(posted: PostedAlert, alertmanager: Alertmanager, now: number): void {
  const labels = readLabels(posted.labels ?? {}, 'label');
  const annotations = readLabels(posted.annotations ?? {}, 'annotation');
  if (labels.length === 0) throw new UserError('at least one label pair required');
  const start = readTime(posted.startsAt);
  const end = readTime(posted.endsAt);
  const startsAt = start || (end ? Math.min(end, now) : now);
  if (end !== 0 && end < startsAt) throw new UserError('start time must be before end time');
  const alert = { labels, annotations, startsAt, endsAt: end, generatorUrl: posted.generatorURL ?? '' };
  alertmanager.receive(alert, end === 0, now);
}

function readLabels(record: Readonly<Record<string, string>>, what: 'label' | 'annotation'): Labels {
  const pairs = Object.entries(record);
  if ('' in record) throw new UserError(`invalid ${what} set: invalid name ""`);
  // Empty labels are none; empty annotations are there.
  return what === 'label' ? labelsFrom(pairs) : pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}

/** 0 when it is absent or Go's zero time. */
function readTime(text: unknown): number {
  if (text === undefined || text === null || text === '') return 0;
  if (typeof text !== 'string') throw malformed('a time is not text');
  if (text.startsWith('0001-01-01')) return 0;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw malformed(`${JSON.stringify(text)} is not a time`);
  return time;
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

function fromJsonMatchers(value: unknown): Matcher[] {
  if (!Array.isArray(value)) throw missing('matchers');
  return (value as JsonMatcher[]).map((matcher, index) => {
    for (const [field, type] of [
      ['name', 'string'],
      ['value', 'string'],
      ['isRegex', 'boolean'],
    ] as const)
      if (typeof matcher?.[field] !== type) throw missing(`matchers.${index}.${field}`);
    const isEqual = matcher.isEqual ?? true;
    return {
      name: matcher.name,
      value: matcher.value,
      type: matcher.isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!=',
    };
  });
}

function readSilence(body: unknown, now: number): Omit<Silence, 'updatedAt'> {
  const raw = body as Record<string, unknown>;
  if (typeof body !== 'object' || body === null) throw malformed('it is not a silence');
  for (const field of ['comment', 'createdBy', 'startsAt', 'endsAt']) {
    if (typeof raw[field] !== 'string') throw missing(field);
  }
  const [startsAt, endsAt] = [readTime(raw['startsAt']), readTime(raw['endsAt'])];
  const matchers = fromJsonMatchers(raw['matchers']);
  if (startsAt >= endsAt) throw new UserError('Failed to create silence: start time must be before end time');
  if (endsAt < now) throw new UserError("Failed to create silence: end time can't be in the past");
  const annotationMatchers = raw['annotationMatchers'] === undefined ? [] : fromJsonMatchers(raw['annotationMatchers']);
  if (matchers.length + annotationMatchers.length === 0)
    throw new InvalidBody(422, 612, 'matchers in body should have at least 1 items');
  const annotations = (raw['annotations'] ?? {}) as Record<string, string>;
  return {
    id: typeof raw['id'] === 'string' ? raw['id'] : '',
    matchers,
    startsAt,
    endsAt,
    createdBy: raw['createdBy'] as string,
    comment: raw['comment'] as string,
    ...(annotationMatchers.length > 0 ? { annotationMatchers } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...(raw['untilResolved'] === true ? { untilResolved: true } : {}),
    ...readRecurring(raw['recurring']),
  };
}

const intervals = list(timeIntervalSchema);

/** Time intervals as in the configuration file; JSON is YAML. */
function readRecurring(given: unknown): Pick<Silence, 'recurring' | 'recurringAsGiven'> {
  if (given === undefined || (Array.isArray(given) && given.length === 0)) return {};
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
    wanted.every((filter) =>
      silence.matchers.some(
        (matcher) => matcher.name === filter.name && compileMatchers([filter])([matcher.name, matcher.value]),
      ),
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
