// The API of dashboards that the pages use (/api/v1/view): listed, read, saved in versions, deleted.

import { errorText } from '#base/errors.ts';
import { addMatcher } from '#query/parse/edit.ts';
import { ALL_FEATURES, parseExpr, parseSelector } from '#query/parse/parser.ts';
import { printExpr } from '#query/parse/print.ts';
import { goQuote } from '#query/parse/quote.ts';
import type { Folders } from '#view/folders.ts';
import type { Library, Stored } from '#view/library.ts';
import { readDashboard } from '#view/model.ts';
import type { Notes } from '#view/notes.ts';
import { ApiError, type Route, success } from './http.ts';
import { guarded, readJson, type SourcesApiOptions, sourceRoutes } from './view-sources.ts';

export type ViewOptions = SourcesApiOptions & {
  readonly library: Library;
  readonly folders: Folders;
  readonly notes: Notes;
};

const MAX_DASHBOARD_BYTES = 16 << 20;

const envelope = (stored: Stored) => ({
  dashboard: stored.dashboard,
  meta: {
    version: stored.version,
    updatedAt: stored.updatedAt,
    message: stored.message,
    origin: stored.origin,
    folder: stored.folder ?? '',
  },
});

export function viewRoutes(options: ViewOptions): Route[] {
  const { library, folders, notes } = options;
  const notFound = (uid: string): never => {
    throw new ApiError('not_found', `there is no dashboard "${uid}"`);
  };
  return [
    { methods: ['GET'], pattern: '/api/v1/view/dashboards', handler: () => success(library.list()) },
    {
      methods: ['GET'],
      pattern: '/api/v1/view/folders',
      handler: () =>
        success(folders.list().map(({ uid, title, parent, readOnly }) => ({ uid, title, parent, readOnly }))),
    },
    {
      methods: ['PUT'],
      pattern: '/api/v1/view/dashboards/:uid/folder',
      role: 'write',
      handler: (request) =>
        guarded(async () => {
          const { folder } = await readJson(request);
          if (typeof folder !== 'string' || (folder !== '' && !folders.get(folder)))
            throw new ApiError('bad_data', `cannot move the dashboard: there is no folder ${JSON.stringify(folder)}`);
          if (!library.move(request.params.uid!, folder))
            throw new ApiError(
              'not_found',
              `there is no saved dashboard "${request.params.uid}"; only those can be moved`,
            );
          return success({ uid: request.params.uid, folder });
        }),
    },
    {
      methods: ['GET'],
      pattern: '/api/v1/view/annotations',
      handler: ({ query }) => {
        const [fromMs, toMs] = [Number(query.get('from')), Number(query.get('to'))];
        const dashboard = query.get('dashboard') ?? undefined;
        const tags = query.getAll('tag');
        return success(notes.find({ fromMs, toMs, dashboard, tags, anyTag: query.get('any') === 'true', limit: 500 }));
      },
    },
    {
      methods: ['GET'],
      pattern: '/api/v1/view/dashboards/:uid',
      handler: ({ params }) => success(envelope(library.get(params.uid!) ?? notFound(params.uid!))),
    },
    {
      methods: ['PUT'],
      pattern: '/api/v1/view/dashboards/:uid',
      role: 'write',
      maxBodyBytes: MAX_DASHBOARD_BYTES,
      handler: (request) =>
        guarded(async () => {
          const body = await readJson(request);
          const dashboard = parsed(body.dashboard);
          if (dashboard.uid !== request.params.uid)
            throw new ApiError(
              'bad_data',
              `cannot save the dashboard: its uid is "${dashboard.uid}", the address says "${request.params.uid}"`,
            );
          const seen = typeof body.version === 'number' ? body.version : undefined;
          const { folder } = body;
          if (typeof folder === 'string' && folder !== '' && !folders.get(folder))
            throw new ApiError('bad_data', `cannot save the dashboard: there is no folder "${folder}"`);
          const note = typeof body.message === 'string' ? body.message : '';
          const place = typeof folder === 'string' ? { folder } : {};
          return success(envelope(library.save(dashboard, seen, note, place)));
        }),
    },
    {
      methods: ['DELETE'],
      pattern: '/api/v1/view/dashboards/:uid',
      role: 'write',
      handler: ({ params }) => {
        if (!library.delete(params.uid!))
          throw new ApiError(
            'not_found',
            `there is no saved dashboard "${params.uid}"; those that ship cannot be deleted`,
          );
        return success({ uid: params.uid });
      },
    },
    {
      methods: ['GET'],
      pattern: '/api/v1/view/dashboards/:uid/versions',
      handler: ({ params }) => success(library.versions(params.uid!)),
    },
    {
      methods: ['GET'],
      pattern: '/api/v1/view/dashboards/:uid/versions/:version',
      handler: ({ params }) =>
        success(
          envelope(
            library.version(params.uid!, Number(params.version)) ?? notFound(`${params.uid} version ${params.version}`),
          ),
        ),
    },
    { methods: ['GET'], pattern: '/api/v1/view/filtered', handler: ({ query }) => success({ query: filtered(query) }) },
    ...sourceRoutes(options),
  ];
}

/** A query with `filter=label|operator|value` in every selector. */
function filtered(query: URLSearchParams): string {
  try {
    const expr = parseExpr(query.get('query') ?? '', ALL_FEATURES);
    for (const text of query.getAll('filter')) {
      const [name = '', operator = '', ...value] = text.split('|');
      addMatcher(expr, parseSelector(`{${goQuote(name)}${operator}${goQuote(value.join('|'))}}`)[0]!);
    }
    return printExpr(expr);
  } catch (error) {
    throw new ApiError('bad_data', errorText(error));
  }
}

function parsed(value: unknown): ReturnType<typeof readDashboard> {
  try {
    return readDashboard(value);
  } catch (error) {
    throw new ApiError('bad_data', errorText(error));
  }
}
