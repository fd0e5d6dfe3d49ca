// Grafana's API of folders: made, renamed, moved and removed with what they hold, by uid or number.

import { type Folder, type Folders, GENERAL } from '#view/folders.ts';
import type { Library } from '#view/library.ts';
import { toUid } from '#view/uid.ts';
import { type HttpRequest, type HttpResponse, json, type Route } from '../http.ts';
import { readJson } from '../view-sources.ts';
import { guarded, idOf, loginOf, message, pageOf, timeOf } from './answers.ts';

export const folderUrl = ({ uid, title }: { uid: string; title: string }): string =>
  `/dashboards/f/${uid}/${toUid(title)}`;

function publicFolder(folder: Folder, folders: Folders, login: string): Record<string, unknown> {
  const parents: Folder[] = [];
  for (let at = folder.parent; at !== undefined; ) {
    const parent = folders.get(at);
    if (!parent) break;
    parents.unshift(parent);
    at = parent.parent;
  }
  const canChange = folder.readOnly !== true;
  return {
    id: idOf(folder.uid),
    uid: folder.uid,
    orgId: 1,
    title: folder.title,
    url: folderUrl(folder),
    hasAcl: false,
    canSave: canChange,
    canEdit: canChange,
    canAdmin: canChange,
    canDelete: canChange,
    createdBy: login,
    created: timeOf(folder.createdAt),
    updatedBy: login,
    updated: timeOf(folder.updatedAt),
    version: folder.version,
    ...(folder.parent === undefined ? {} : { parentUid: folder.parent }),
    ...(parents.length === 0
      ? {}
      : { parents: parents.map(({ uid, title }) => ({ uid, title, url: folderUrl({ uid, title }) })) }),
  };
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const NOT_FOUND = 'folder not found';

export function grafanaFolderRoutes({ library, folders }: { library: Library; folders: Folders }): Route[] {
  const one = (folder: Folder, request: HttpRequest): HttpResponse =>
    json(publicFolder(folder, folders, loginOf(request)));
  const list = ({ query }: HttpRequest): HttpResponse => {
    const parent = text(query.get('parentUid'));
    if (parent !== undefined && !folders.get(parent)) return message(NOT_FOUND, 404);
    const found = folders.list().filter((folder) => folder.parent === parent);
    return json(
      pageOf(found, query).map(({ uid, title }) => ({
        ...{ id: idOf(uid), uid, title },
        ...(parent === undefined ? {} : { parentUid: parent }),
      })),
    );
  };
  const create = async (request: HttpRequest): Promise<HttpResponse> => {
    const body = await readJson(request);
    const made = folders.create({
      uid: text(body.uid),
      title: text(body.title) ?? '',
      parent: text(body.parentUid),
    });
    return one(made, request);
  };
  const update = async (request: HttpRequest): Promise<HttpResponse> => {
    const before = folders.get(request.params.uid!);
    if (!before) return message(NOT_FOUND, 404);
    const body = await readJson(request);
    if (body.overwrite !== true && body.version !== before.version)
      return json({ status: 'version-mismatch', message: 'the folder has been changed by someone else' }, 412);
    const changed = folders.change(before.uid, { title: text(body.title) ?? '' });
    return changed ? one(changed, request) : message('the folder is provisioned and cannot be changed', 403);
  };
  const move = async (request: HttpRequest): Promise<HttpResponse> => {
    const before = folders.get(request.params.uid!);
    if (!before) return message(NOT_FOUND, 404);
    const body = await readJson(request);
    const moved = folders.change(before.uid, { parent: text(body.parentUid) ?? '' });
    return moved ? one(moved, request) : message('the folder is provisioned and cannot be moved', 403);
  };
  const remove = ({ params }: HttpRequest): HttpResponse => {
    const before = folders.get(params.uid!);
    if (!before) return message(NOT_FOUND, 404);
    const gone = folders.delete(before.uid);
    if (gone.length === 0) return message('the folder is provisioned and cannot be deleted', 403);
    for (const entry of library.list())
      if (entry.folder !== undefined && gone.includes(entry.folder)) library.delete(entry.uid);
    return json({ message: `Folder ${before.title} deleted`, id: idOf(before.uid), title: before.title });
  };
  const counts = ({ params }: HttpRequest): HttpResponse => {
    if (!folders.get(params.uid!)) return message(NOT_FOUND, 404);
    return json({
      folder: folders.list().filter(({ parent }) => parent === params.uid).length,
      dashboard: library.list().filter(({ folder }) => folder === params.uid).length,
    });
  };
  const place = '/api/folders/:uid';
  return [
    { methods: ['GET'], pattern: '/api/folders', handler: list },
    { methods: ['POST'], pattern: '/api/folders', role: 'write', handler: guarded(create) },
    {
      methods: ['GET'],
      pattern: place,
      handler: (request) => {
        const { uid } = request.params;
        if (uid === GENERAL.uid) return json({ id: 0, ...GENERAL, url: '/dashboards', version: 1, canSave: true });
        const found = folders.get(uid!);
        return found ? one(found, request) : message(NOT_FOUND, 404);
      },
    },
    {
      methods: ['GET'],
      pattern: '/api/folders/id/:id',
      handler: (request) => {
        const found = folders.list().find(({ uid }) => String(idOf(uid)) === request.params.id);
        return found ? one(found, request) : message(NOT_FOUND, 404);
      },
    },
    { methods: ['GET'], pattern: `${place}/counts`, handler: counts },
    { methods: ['PUT'], pattern: place, role: 'write', handler: guarded(update) },
    { methods: ['POST'], pattern: `${place}/move`, role: 'write', handler: guarded(move) },
    { methods: ['DELETE'], pattern: place, role: 'write', handler: guarded(remove) },
  ];
}
