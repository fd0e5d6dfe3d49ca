// Grafana's API of annotations: what people and jobs leave on dashboards, found by time, dashboard, panel and tags.

import type { Clock } from '#base/clock.ts';
import type { Library } from '#view/library.ts';
import { DEFAULT_NOTE_LIMIT, type Note, type Notes } from '#view/notes.ts';
import { type HttpRequest, type HttpResponse, json, type Route } from '../http.ts';
import { readJson } from '../view-sources.ts';
import { count, guarded, idOf, loginOf, message } from './answers.ts';

export type GrafanaAnnotationsOptions = { readonly notes: Notes; readonly library: Library; readonly clock: Clock };

const NOT_FOUND = 'Annotation not found';
const MAX_LIMIT = 10_000;
const MAX_TEXT = 65_536;

const shown = (note: Note): Record<string, unknown> => ({
  id: note.id,
  alertId: 0,
  alertName: '',
  dashboardId: note.dashboard === undefined ? 0 : idOf(note.dashboard),
  dashboardUID: note.dashboard ?? '',
  panelId: note.panel ?? 0,
  userId: 0,
  login: note.user,
  email: '',
  avatarUrl: '',
  newState: '',
  prevState: '',
  created: note.createdAt,
  updated: note.updatedAt,
  time: note.fromMs,
  timeEnd: note.toMs,
  text: note.text,
  tags: note.tags,
  data: {},
});

const moment = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : undefined;
const tagsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.map(String) : typeof value === 'string' && value !== '' ? [value] : [];

export function grafanaAnnotationRoutes({ notes, library, clock }: GrafanaAnnotationsOptions): Route[] {
  const dashboardOf = (uid: unknown, id: unknown): string | undefined => {
    if (typeof uid === 'string' && uid !== '') return uid;
    const wanted = Number(id);
    return wanted > 0 ? library.list().find((entry) => idOf(entry.uid) === wanted)?.uid : undefined;
  };
  const list = ({ query }: HttpRequest): HttpResponse => {
    const at = (name: string) => moment(Number(query.get(name) ?? Number.NaN));
    const [fromMs, toMs] = [at('from'), at('to')];
    if (query.get('type') === 'alert') return json([]);
    const found = notes.find({
      ...(fromMs === undefined ? {} : { fromMs }),
      ...(toMs === undefined ? {} : { toMs }),
      dashboard: dashboardOf(query.get('dashboardUID'), query.get('dashboardId')),
      panel: moment(Number(query.get('panelId'))),
      tags: query.getAll('tags'),
      anyTag: query.get('matchAny') === 'true',
      limit: count(query, 'limit', DEFAULT_NOTE_LIMIT, MAX_LIMIT),
    });
    return json(found.map(shown));
  };
  const create = async (request: HttpRequest): Promise<HttpResponse> => {
    const body = await readJson(request);
    const text = typeof body.text === 'string' ? body.text : '';
    if (text === '') return message('text field should not be empty', 400);
    if (text.length > MAX_TEXT) return message(`text field is longer than ${MAX_TEXT} characters`, 400);
    const now = clock.now();
    const fromMs = moment(body.time) ?? now;
    const dashboard = dashboardOf(body.dashboardUID, body.dashboardId);
    const panel = moment(body.panelId);
    const added = notes.add({
      ...(dashboard === undefined ? {} : { dashboard }),
      ...(panel === undefined ? {} : { panel }),
      ...{ fromMs, toMs: Math.max(fromMs, moment(body.timeEnd) ?? fromMs) },
      ...{ text, tags: tagsOf(body.tags), user: loginOf(request), createdAt: now, updatedAt: now },
    });
    return json({ message: 'Annotation added', id: added.id });
  };
  /** Graphite's shape: a moment in seconds, text in two parts, tags as a list or with spaces between. */
  const createGraphite = async (request: HttpRequest): Promise<HttpResponse> => {
    const body = await readJson(request);
    if (typeof body.what !== 'string' || body.what === '') return message('what field should not be empty', 400);
    const now = clock.now();
    const when = moment(body.when);
    const fromMs = when === undefined ? now : when * 1000;
    const text = typeof body.data === 'string' && body.data !== '' ? `${body.what}\n${body.data}` : body.what;
    const tags = typeof body.tags === 'string' ? body.tags.split(' ').filter(Boolean) : tagsOf(body.tags);
    const added = notes.add({
      ...{ fromMs, toMs: fromMs, text, tags, user: loginOf(request), createdAt: now, updatedAt: now },
    });
    return json({ message: 'Graphite annotation added', id: added.id });
  };
  const update =
    (isWhole: boolean) =>
    async (request: HttpRequest): Promise<HttpResponse> => {
      const before = notes.get(Number(request.params.id));
      if (!before) return message(NOT_FOUND, 404);
      const body = await readJson(request);
      if (isWhole && (typeof body.text !== 'string' || body.text === ''))
        return message('text field should not be empty', 400);
      const fromMs = moment(body.time) ?? before.fromMs;
      notes.change(before.id, {
        ...{ fromMs, toMs: Math.max(fromMs, moment(body.timeEnd) ?? before.toMs) },
        ...(typeof body.text === 'string' ? { text: body.text } : {}),
        ...(isWhole || body.tags !== undefined ? { tags: tagsOf(body.tags) } : {}),
        updatedAt: clock.now(),
      });
      return json({ message: isWhole ? 'Annotation updated' : 'Annotation patched' });
    };
  const tags = ({ query }: HttpRequest): HttpResponse => {
    const part = (query.get('tag') ?? '').toLowerCase();
    const counts = new Map<string, number>();
    for (const tag of notes.find({ limit: MAX_LIMIT }).flatMap((note) => note.tags))
      if (tag.toLowerCase().includes(part)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
    const found = [...counts].sort().slice(0, count(query, 'limit', 100, MAX_LIMIT));
    return json({ result: { tags: found.map(([tag, n]) => ({ tag, count: n })) } });
  };
  const place = '/api/annotations/:id';
  return [
    { methods: ['GET'], pattern: '/api/annotations', handler: list },
    { methods: ['POST'], pattern: '/api/annotations', role: 'write', handler: guarded(create) },
    { methods: ['POST'], pattern: '/api/annotations/graphite', role: 'write', handler: guarded(createGraphite) },
    { methods: ['GET'], pattern: '/api/annotations/tags', handler: tags },
    {
      methods: ['GET'],
      pattern: place,
      handler: ({ params }) => {
        const found = notes.get(Number(params.id));
        return found ? json(shown(found)) : message(NOT_FOUND, 404);
      },
    },
    { methods: ['PUT'], pattern: place, role: 'write', handler: guarded(update(true)) },
    { methods: ['PATCH'], pattern: place, role: 'write', handler: guarded(update(false)) },
    {
      methods: ['DELETE'],
      pattern: place,
      role: 'write',
      handler: ({ params }) =>
        notes.delete(Number(params.id)) ? json({ message: 'Annotation deleted' }) : message(NOT_FOUND, 404),
    },
  ];
}
