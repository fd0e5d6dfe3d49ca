// Grafana's API of dashboards: saved and imported in Grafana's JSON, given back as they were sent, searched, and as
// resources of its newer API. What could not be taken over is in the answer as `problems`.

import { isDeepStrictEqual } from 'node:util';
import { type Folders, GENERAL } from '#view/folders.ts';
import { importDashboard } from '#view/grafana/import.ts';
import type { Entry, Library, Stored } from '#view/library.ts';
import type { Dashboard } from '#view/model.ts';
import { toUid } from '#view/uid.ts';
import { type HttpRequest, type HttpResponse, json, type Route } from '../http.ts';
import { readJson } from '../view-sources.ts';
import { guarded, idOf, loginOf, message, pageOf, slugOf, timeOf, titleOf } from './answers.ts';
import { folderUrl } from './folders.ts';

export type GrafanaDashboardsOptions = { readonly library: Library; readonly folders: Folders };

type Json = Record<string, unknown>;
const MAX_DASHBOARD_BYTES = 16 << 20;
const NOT_FOUND = 'Dashboard not found';

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The folder that a request names by uid, number or nothing; '' is the general one, undefined one that is not there. */
function folderOf(body: Json, folders: Folders): string | undefined {
  const { folderUid, folderId } = body;
  if (typeof folderUid === 'string' && folderUid !== '' && folderUid !== GENERAL.uid)
    return folders.get(folderUid)?.uid;
  if (typeof folderId === 'number' && folderId !== 0)
    return folders.list().find(({ uid }) => idOf(uid) === folderId)?.uid;
  return '';
}

/** A dashboard as it was sent, with the numbers that belong to the stored one. */
function shown({ dashboard, original, version }: Stored): unknown {
  if (isObject(original) && !('apiVersion' in original))
    return { ...original, id: idOf(dashboard.uid), uid: dashboard.uid, version };
  return original ?? { ...dashboard, id: idOf(dashboard.uid), title: titleOf(dashboard.title), version };
}

export function grafanaDashboardRoutes(options: GrafanaDashboardsOptions): Route[] {
  const { library, folders } = options;
  const folderFacts = (uid: string | undefined) => {
    const folder = uid === undefined ? undefined : folders.get(uid);
    if (!folder) return { folderId: 0, folderUid: '', folderTitle: GENERAL.title, folderUrl: '' };
    return {
      folderId: idOf(folder.uid),
      folderUid: folder.uid,
      folderTitle: folder.title,
      folderUrl: folderUrl(folder),
    };
  };
  const saveDashboard = async (request: HttpRequest): Promise<HttpResponse> => {
    const body = await readJson(request);
    if (!isObject(body.dashboard)) return message('bad request data', 400);
    const { dashboard, problems } = importDashboard(body.dashboard);
    if (titleOf(dashboard.title) === '')
      return json({ status: 'empty-name', message: 'Dashboard title cannot be empty' }, 400);
    const folder = folderOf(body, folders);
    if (folder === undefined) return message('folder not found', 400);
    const before = library.get(dashboard.uid);
    if (before?.origin === 'saved' && body.overwrite !== true && body.dashboard.version !== before.version)
      return json({ status: 'version-mismatch', message: 'The dashboard has been changed by someone else' }, 412);
    const note = typeof body.message === 'string' ? body.message : '';
    const stored = library.save(dashboard, undefined, note, {
      folder,
      original: originalOf(body.dashboard, dashboard),
    });
    const slug = slugOf(dashboard.title);
    return json({
      id: idOf(dashboard.uid),
      uid: dashboard.uid,
      url: `/d/${dashboard.uid}/${slug}`,
      status: 'success',
      version: stored.version,
      slug,
      folderUid: folder,
      ...(problems.length > 0 ? { problems } : {}),
    });
  };
  const importOne = async (request: HttpRequest): Promise<HttpResponse> => {
    const body = await readJson(request);
    if (!isObject(body.dashboard)) return message('Dashboard must be set', 400);
    const filled = withInputs(body.dashboard, body.inputs);
    const { dashboard, problems } = importDashboard(filled);
    const folder = folderOf(body, folders);
    if (folder === undefined) return message('folder not found', 400);
    const before = library.get(dashboard.uid);
    if (before?.origin === 'saved' && body.overwrite !== true)
      return json({ status: 'name-exists', message: 'A dashboard with the same uid already exists' }, 412);
    const stored = library.save(dashboard, undefined, 'imported', { folder, original: originalOf(filled, dashboard) });
    const slug = slugOf(dashboard.title);
    return json({
      uid: dashboard.uid,
      pluginId: '',
      title: titleOf(dashboard.title),
      imported: true,
      importedUri: `db/${slug}`,
      importedUrl: `/d/${dashboard.uid}/${slug}`,
      slug,
      dashboardId: idOf(dashboard.uid),
      ...{ folderId: folderFacts(folder).folderId, folderUid: folder },
      importedRevision: stored.version,
      revision: stored.version,
      description: '',
      path: '',
      removed: false,
      ...(problems.length > 0 ? { problems } : {}),
    });
  };
  const get = (request: HttpRequest): HttpResponse => {
    const uid = request.params.uid!;
    const stored = library.get(uid);
    if (!stored) return message(NOT_FOUND, 404);
    const slug = slugOf(stored.dashboard.title);
    const login = loginOf(request);
    return json({
      dashboard: shown(stored),
      meta: {
        type: 'db',
        canSave: true,
        canEdit: true,
        canAdmin: true,
        canStar: false,
        canDelete: stored.origin === 'saved',
        slug,
        url: `/d/${uid}/${slug}`,
        expires: '0001-01-01T00:00:00Z',
        ...{ created: timeOf(stored.updatedAt), updated: timeOf(stored.updatedAt) },
        ...{ createdBy: login, updatedBy: login },
        version: stored.version,
        hasAcl: false,
        isFolder: false,
        ...folderFacts(stored.folder),
        provisioned: stored.origin !== 'saved',
        provisionedExternalId: '',
      },
    });
  };
  const remove = ({ params }: HttpRequest): HttpResponse => {
    const stored = library.get(params.uid!);
    if (!stored) return message(NOT_FOUND, 404);
    if (!library.delete(params.uid!)) return message('provisioned dashboard cannot be deleted', 400);
    const title = titleOf(stored.dashboard.title);
    return json({ title, message: `Dashboard ${title} deleted`, uid: params.uid!, id: idOf(params.uid!) });
  };
  const versions = (request: HttpRequest): HttpResponse => {
    const uid = request.params.uid!;
    if (!library.get(uid)) return message(NOT_FOUND, 404);
    const all = library.versions(uid).map(({ version, updatedAt, message: note }) => ({
      ...{ id: version, dashboardId: idOf(uid), dashboardUID: uid, parentVersion: Math.max(0, version - 1) },
      ...{ restoredFrom: 0, version, created: timeOf(updatedAt), createdBy: loginOf(request), message: note },
    }));
    return json({ continueToken: '', versions: pageOf(all, request.query) });
  };
  const restore = async (request: HttpRequest): Promise<HttpResponse> => {
    const uid = request.params.uid!;
    const body = await readJson(request);
    const old = library.version(uid, Number(body.version));
    if (!old) return message('Dashboard version not found', 404);
    const stored = library.save(old.dashboard, undefined, `Restored from version ${old.version}`, {
      original: old.original,
    });
    const slug = slugOf(old.dashboard.title);
    return json({ id: idOf(uid), uid, url: `/d/${uid}/${slug}`, slug, status: 'success', version: stored.version });
  };
  const tags = (): HttpResponse => {
    const counts = new Map<string, number>();
    for (const tag of library.list().flatMap((entry) => entry.tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
    return json([...counts].sort().map(([term, count]) => ({ term, count })));
  };
  const write = { role: 'write', maxBodyBytes: MAX_DASHBOARD_BYTES } as const;
  return [
    { methods: ['POST'], pattern: '/api/dashboards/db', ...write, handler: guarded(saveDashboard) },
    { methods: ['POST'], pattern: '/api/dashboards/import', ...write, handler: guarded(importOne) },
    { methods: ['GET'], pattern: '/api/dashboards/tags', handler: tags },
    { methods: ['GET'], pattern: '/api/dashboards/uid/:uid', handler: get },
    { methods: ['DELETE'], pattern: '/api/dashboards/uid/:uid', role: 'write', handler: remove },
    { methods: ['GET'], pattern: '/api/dashboards/uid/:uid/versions', handler: versions },
    { methods: ['POST'], pattern: '/api/dashboards/uid/:uid/restore', role: 'write', handler: guarded(restore) },
    { methods: ['GET'], pattern: '/api/search', handler: (request) => search(options, folderFacts, request) },
    ...resourceRoutes(options),
  ];
}

/** What is kept to be given back: nothing of what is ours already. */
const originalOf = (sent: Json, dashboard: Dashboard): unknown =>
  isDeepStrictEqual(sent, dashboard) ? undefined : sent;

type Facts = (uid: string | undefined) => Json;

function search({ library, folders }: GrafanaDashboardsOptions, facts: Facts, { query }: HttpRequest): HttpResponse {
  const words = (query.get('query') ?? '').toLowerCase();
  const type = query.get('type') ?? '';
  const tags = query.getAll('tag');
  const uids = [...query.getAll('dashboardUIDs'), ...query.getAll('dashboardUID')].flatMap((one) => one.split(','));
  const ids = query.getAll('dashboardIds').flatMap((one) => one.split(','));
  const within = [
    ...query.getAll('folderUIDs').map((one) => (one === GENERAL.uid ? '' : one)),
    ...query
      .getAll('folderIds')
      .map((id) => (id === '0' ? '' : (folders.list().find(({ uid }) => String(idOf(uid)) === id)?.uid ?? id))),
  ].flatMap((one) => one.split(','));
  const common = (uid: string, title: string, url: string) => ({
    ...{ id: idOf(uid), orgId: 1, uid, title, uri: `db/${toUid(title)}`, url, slug: '' },
  });
  const isIn = (folder: string | undefined) => within.length === 0 || within.includes(folder ?? '');
  const isWanted = (entry: Entry) =>
    titleOf(entry.title).toLowerCase().includes(words) &&
    tags.every((tag) => entry.tags.includes(tag)) &&
    (uids.length === 0 || uids.includes(entry.uid)) &&
    (ids.length === 0 || ids.includes(String(idOf(entry.uid)))) &&
    isIn(entry.folder);
  const onlyDashboards = type === 'dash-db' || tags.length > 0 || uids.length > 0 || ids.length > 0;
  const foundFolders = onlyDashboards
    ? []
    : folders
        .list()
        .filter(({ title, parent }) => title.toLowerCase().includes(words) && isIn(parent))
        .map((folder) => ({
          ...common(folder.uid, folder.title, folderUrl(folder)),
          ...{ type: 'dash-folder', tags: [], isStarred: false, sortMeta: 0, isDeleted: false },
          ...(folder.parent === undefined ? {} : facts(folder.parent)),
        }));
  const foundDashboards =
    type === 'dash-folder'
      ? []
      : library
          .list()
          .filter(isWanted)
          .map((entry) => ({
            ...common(entry.uid, titleOf(entry.title), `/d/${entry.uid}/${slugOf(entry.title)}`),
            ...{ type: 'dash-db', tags: entry.tags, isStarred: false, sortMeta: 0, isDeleted: false },
            ...(entry.folder === undefined ? {} : facts(entry.folder)),
          }));
  // Grafana marks nothing as starred here, so that nothing is found among the starred.
  const all = query.get('starred') === 'true' ? [] : [...foundFolders, ...foundDashboards];
  const sign = query.get('sort') === 'alpha-desc' ? -1 : 1;
  all.sort(
    (a, b) => Number(a.type === 'dash-db') - Number(b.type === 'dash-db') || sign * a.title.localeCompare(b.title),
  );
  return json(pageOf(all, query));
}

const GROUP = 'dashboard.grafana.app';
const FOLDER_ANNOTATION = 'grafana.app/folder';

/** Dashboards as resources: `/apis/dashboard.grafana.app/v1beta1/namespaces/default/dashboards`. */
function resourceRoutes({ library, folders }: GrafanaDashboardsOptions): Route[] {
  const resource = (stored: Stored, version: string): Json => {
    const { dashboard, original, folder } = stored;
    const sent = isObject(original) && 'apiVersion' in original ? original : undefined;
    return {
      kind: 'Dashboard',
      apiVersion: sent?.apiVersion ?? `${GROUP}/${version}`,
      metadata: {
        ...(isObject(sent?.metadata) ? sent.metadata : {}),
        name: dashboard.uid,
        namespace: 'default',
        resourceVersion: String(stored.version),
        generation: stored.version,
        creationTimestamp: timeOf(stored.updatedAt),
        ...(folder === undefined ? {} : { annotations: { [FOLDER_ANNOTATION]: folder } }),
      },
      spec: sent?.spec ?? shown(stored),
      ...(dashboard.problems ? { status: { problems: dashboard.problems } } : {}),
    };
  };
  const refuse = (code: number, reason: string, text: string): HttpResponse =>
    json({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: text, reason, code }, code);
  const missing = (name: string) => refuse(404, 'NotFound', `dashboards.${GROUP} "${name}" not found`);
  const put =
    (isNew: boolean) =>
    async (request: HttpRequest): Promise<HttpResponse> => {
      const body = await readJson(request);
      if (!isObject(body.spec)) return refuse(422, 'Invalid', 'spec: Required value');
      const metadata = isObject(body.metadata) ? body.metadata : {};
      const name = request.params.name ?? (typeof metadata.name === 'string' ? metadata.name : undefined);
      const { dashboard } = importDashboard({
        ...body,
        apiVersion: body.apiVersion ?? `${GROUP}/${request.params.version}`,
        metadata: { ...metadata, ...(name === undefined ? {} : { name }) },
      });
      const before = library.get(dashboard.uid);
      if (isNew && before) return refuse(409, 'AlreadyExists', `dashboards.${GROUP} "${dashboard.uid}" already exists`);
      const seen = metadata.resourceVersion;
      if (before && !isNew && seen !== undefined && seen !== String(before.version))
        return refuse(409, 'Conflict', `the object has been modified; its resourceVersion is ${before.version}`);
      const wanted = isObject(metadata.annotations) ? metadata.annotations[FOLDER_ANNOTATION] : undefined;
      const folder = folderOf({ folderUid: wanted }, folders);
      if (folder === undefined) return refuse(400, 'BadRequest', `folder ${JSON.stringify(wanted)} not found`);
      const stored = library.save(dashboard, undefined, '', { folder, original: body });
      return json(resource(stored, request.params.version!), isNew ? 201 : 200);
    };
  const place = `/apis/${GROUP}/:version/namespaces/:namespace/dashboards`;
  const write = { role: 'write', maxBodyBytes: MAX_DASHBOARD_BYTES } as const;
  return [
    {
      methods: ['GET'],
      pattern: place,
      handler: ({ params }) =>
        json({
          kind: 'DashboardList',
          apiVersion: `${GROUP}/${params.version}`,
          metadata: { resourceVersion: '0' },
          items: library.list().map(({ uid }) => resource(library.get(uid)!, params.version!)),
        }),
    },
    { methods: ['POST'], pattern: place, ...write, handler: guarded(put(true)) },
    {
      methods: ['GET'],
      pattern: `${place}/:name`,
      handler: ({ params }) => {
        const stored = library.get(params.name!);
        return stored ? json(resource(stored, params.version!)) : missing(params.name!);
      },
    },
    { methods: ['PUT'], pattern: `${place}/:name`, ...write, handler: guarded(put(false)) },
    {
      methods: ['DELETE'],
      pattern: `${place}/:name`,
      role: 'write',
      handler: ({ params }) => {
        if (!library.delete(params.name!)) return missing(params.name!);
        return json({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
      },
    },
  ];
}

/** Fills `${DS_X}` inputs of an export with what the request gives for them. */
function withInputs(dashboard: Json, inputs: unknown): Json {
  if (!Array.isArray(inputs) || inputs.length === 0) return dashboard;
  let text = JSON.stringify(dashboard);
  for (const { name, value } of inputs as { name?: string; value?: string }[]) {
    if (name && typeof value === 'string') text = text.replaceAll(`\${${name}}`, JSON.stringify(value).slice(1, -1));
  }
  return JSON.parse(text) as Json;
}
