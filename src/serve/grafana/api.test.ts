// What a bootstrap job asks of Grafana's API, in the order in which such jobs ask it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { Folders } from '#view/folders.ts';
import { Library } from '#view/library.ts';
import { Notes } from '#view/notes.ts';
import { Sources } from '#view/sources/source.ts';
import { SourceClients } from '#view/sources/tls.ts';
import { type HttpRequest, success } from '../http.ts';
import { Router } from '../router.ts';
import { grafanaRoutes } from './api.ts';
import { ownApi } from './own.ts';

const VECTOR = { resultType: 'vector', result: [{ metric: { __name__: 'up', job: 'a' }, value: [60, '1'] }] };
const MATRIX = {
  resultType: 'matrix',
  result: [
    {
      metric: { job: 'a' },
      values: [
        [0, '1.5'],
        [60, '+Inf'],
        [120, 'NaN'],
      ],
    },
  ],
};

function grafana() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-grafana-'));
  const library = new Library({
    folder: `${folder}/saved`,
    shipped: `${folder}/none`,
    provisioned: [`${folder}/provisioned`],
    disk: nodeDisk,
    clock: systemClock,
    logger: silentLogger,
  });
  const sources = new Sources(nodeDisk, `${folder}/sources.json`);
  const inner = `${folder}/provisioned/Team A`;
  fs.mkdirSync(inner, { recursive: true });
  fs.writeFileSync(`${inner}/p.json`, JSON.stringify({ uid: 'given', title: 'Given', panels: [] }));
  const folders = new Folders(nodeDisk, systemClock, `${folder}/folders.json`, () => library.provisionedFolders());
  const own = ownApi([
    {
      methods: ['GET'],
      pattern: '/api/v1/query',
      handler: ({ query }) => success({ ...VECTOR, asked: query.get('query') }),
    },
    { methods: ['GET'], pattern: '/api/v1/query_range', handler: () => success(MATRIX) },
    { methods: ['POST'], pattern: '/api/v1/admin', role: 'admin', handler: () => success('never') },
  ]);
  const router = new Router(
    grafanaRoutes({
      ...{ library, folders, sources, own, version: '1', clock: systemClock, ask: {} },
      notes: new Notes(nodeDisk, `${folder}/annotations.json`, silentLogger),
      http: { clients: new SourceClients({ clock: systemClock, disk: nodeDisk }), environment: {} },
    }),
  );
  const call = async (method: string, address: string, body?: unknown) => {
    const [at = '', query = ''] = address.split('?');
    const match = router.find(method, at);
    assert.equal(match.kind, 'found', `${method} ${address}`);
    if (match.kind !== 'found') throw new Error('unreachable');
    const request: HttpRequest = {
      method,
      path: at,
      params: match.params,
      query: new URLSearchParams(query),
      headers: {},
      remoteAddress: '',
      user: 'admin',
      body: async () => Buffer.from(JSON.stringify(body ?? {})),
      signal: new AbortController().signal,
    };
    const answer = await match.route.handler(request);
    return { status: answer.status, json: JSON.parse(String(answer.body)), role: match.route.role };
  };
  return { call, sources, close: () => fs.rmSync(folder, { recursive: true }) };
}

test('health, data source, dashboards by both ways, search', async () => {
  const { call, sources, close } = grafana();
  assert.equal((await call('GET', '/api/health')).json.database, 'ok');
  const source = {
    name: 'prometheus',
    type: 'prometheus',
    access: 'proxy',
    url: 'http://prometheus:9090',
    basicAuth: true,
    basicAuthUser: 'u',
    secureJsonData: { basicAuthPassword: 'hush' },
    isDefault: true,
  };
  const added = await call('POST', '/api/datasources', source);
  assert.deepEqual([added.status, added.json.message, added.role], [200, 'Datasource added', 'admin']);
  assert.equal((await call('POST', '/api/datasources', source)).status, 409);
  const listed = await call('GET', '/api/datasources');
  assert.deepEqual(
    listed.json.map((one: { name: string }) => one.name),
    ['Pharos', 'prometheus'],
  );
  assert.deepEqual((await call('GET', '/api/datasources/id/prometheus')).json, { id: added.json.id });
  assert.equal((await call('GET', '/api/datasources/name/nobody')).status, 404);
  assert.equal((await call('DELETE', '/api/datasources/uid/pharos')).status, 403);
  assert.doesNotMatch(JSON.stringify(listed.json), /hush/);
  assert.equal((await call('GET', `/api/datasources/${added.json.id}`)).json.uid, 'prometheus');

  const headers = { jsonData: { httpHeaderName1: 'X-Scope' }, secureJsonData: { httpHeaderValue1: 'team' } };
  const moved = { ...source, url: 'http://other:9090', ...headers, secureJsonData: headers.secureJsonData };
  assert.equal((await call('PUT', `/api/datasources/${added.json.id}`, moved)).json.message, 'Datasource updated');
  const kept = sources.find('prometheus')!;
  assert.deepEqual([kept.url, kept.password, kept.headers], ['http://other:9090', 'hush', { 'X-Scope': 'team' }]);

  const stats = {
    id: null,
    uid: 'stats',
    title: 'Prometheus Stats',
    rows: [{ panels: [{ type: 'graph', span: 12, title: 'x', datasource: `\${DS_X}`, targets: [{ expr: 'up' }] }] }],
    __inputs: [{ name: 'DS_X', type: 'datasource', pluginId: 'prometheus' }],
  };
  const imported = await call('POST', '/api/dashboards/import', {
    dashboard: stats,
    overwrite: true,
    inputs: [{ name: 'DS_X', type: 'datasource', pluginId: 'prometheus', value: 'prometheus' }],
  });
  assert.deepEqual(
    [imported.status, imported.json.importedUrl, imported.json.imported],
    [200, '/d/stats/prometheus-stats', true],
  );
  const stored = await call('GET', '/api/dashboards/uid/stats');
  assert.deepEqual(
    [stored.json.meta.version, stored.json.dashboard.version, stored.json.dashboard.rows[0].panels[0].datasource],
    [1, 1, 'prometheus'],
    'given back as it was sent',
  );

  assert.equal((await call('POST', '/api/dashboards/db', { dashboard: stats })).status, 412);
  const saved = await call('POST', '/api/dashboards/db', { dashboard: stats, overwrite: true });
  assert.deepEqual([saved.json.status, saved.json.version, saved.json.uid], ['success', 2, 'stats']);
  assert.equal((await call('POST', '/api/dashboards/db', {})).status, 400);
  const found = await call('GET', '/api/search?query=prom');
  assert.deepEqual(
    found.json.map((one: { uid: string; type: string }) => [one.uid, one.type]),
    [['stats', 'dash-db']],
  );
  assert.equal((await call('DELETE', '/api/dashboards/uid/stats')).status, 200);
  assert.equal((await call('GET', '/api/dashboards/uid/stats')).status, 404);
  assert.equal((await call('DELETE', '/api/datasources/name/prometheus')).json.message, 'Data source deleted');
  close();
});

test('folders: made, nested, listed, renamed, moved, removed with what is in them', async () => {
  const { call, close } = grafana();
  const made = await call('POST', '/api/folders', { uid: 'ops', title: 'Operations' });
  assert.deepEqual(
    [made.status, made.json.uid, made.json.title, made.json.url, made.json.version],
    [200, 'ops', 'Operations', '/dashboards/f/ops/operations', 1],
  );
  assert.equal((await call('POST', '/api/folders', { uid: 'ops', title: 'Other' })).status, 409);
  assert.match((await call('POST', '/api/folders', { title: 'Operations' })).json.message, /same name already exists/);
  assert.deepEqual((await call('POST', '/api/folders', {})).json, { message: 'folder title cannot be empty' });
  const inner = await call('POST', '/api/folders', { title: 'Databases', parentUid: 'ops' });
  assert.deepEqual([inner.json.uid, inner.json.parentUid, inner.json.parents[0].uid], ['databases', 'ops', 'ops']);
  assert.deepEqual(
    (await call('GET', '/api/folders')).json.map((one: { title: string }) => one.title),
    ['Operations', 'Team A'],
  );
  assert.deepEqual(
    (await call('GET', '/api/folders?parentUid=ops')).json.map((one: { uid: string }) => one.uid),
    ['databases'],
  );
  assert.equal((await call('PUT', '/api/folders/ops', { title: 'Ops' })).status, 412);
  const renamed = await call('PUT', '/api/folders/ops', { title: 'Ops', version: 1 });
  assert.deepEqual([renamed.json.title, renamed.json.version], ['Ops', 2]);
  assert.equal((await call('GET', `/api/folders/id/${made.json.id}`)).json.title, 'Ops');
  assert.equal((await call('GET', '/api/folders/nowhere')).status, 404);
  assert.equal((await call('PUT', '/api/folders/team-a', { title: 'X', overwrite: true })).status, 403);
  assert.match((await call('POST', '/api/folders/ops/move', { parentUid: 'databases' })).json.message, /into itself/);

  const save = (uid: string, more: object) =>
    call('POST', '/api/dashboards/db', { dashboard: { uid, title: `The ${uid}`, tags: [uid], panels: [] }, ...more });
  assert.equal((await save('one', { folderUid: 'ops' })).json.folderUid, 'ops');
  assert.equal((await save('two', { folderId: inner.json.id })).json.folderUid, 'databases');
  assert.equal((await save('three', {})).json.folderUid, '');
  assert.deepEqual((await save('four', { folderUid: 'nowhere' })).json, { message: 'folder not found' });
  const meta = (await call('GET', '/api/dashboards/uid/one')).json.meta;
  assert.deepEqual([meta.folderUid, meta.folderTitle, meta.folderUrl], ['ops', 'Ops', '/dashboards/f/ops/ops']);
  const found = async (search: string) =>
    (await call('GET', `/api/search?${search}`)).json.map(
      (one: { type: string; uid: string }) => `${one.type} ${one.uid}`,
    );
  assert.deepEqual(await found('type=dash-folder'), ['dash-folder databases', 'dash-folder ops', 'dash-folder team-a']);
  assert.deepEqual(await found('type=dash-db&folderUIDs=ops'), ['dash-db one']);
  assert.deepEqual(await found('folderUIDs=ops'), ['dash-folder databases', 'dash-db one']);
  assert.deepEqual(await found('type=dash-db&folderUIDs=general'), ['dash-db three']);
  assert.deepEqual(await found(`folderIds=${inner.json.id}`), ['dash-db two']);
  assert.deepEqual(await found('type=dash-db&folderUIDs=team-a'), ['dash-db given']);
  assert.deepEqual(await found('tag=three'), ['dash-db three']);
  assert.deepEqual(await found('query=the&limit=1&page=2'), ['dash-db three']);
  assert.deepEqual(await found('dashboardUIDs=one,two'), ['dash-db one', 'dash-db two']);
  const deleted = await call('DELETE', '/api/folders/ops');
  assert.equal(deleted.json.message, 'Folder Ops deleted');
  assert.deepEqual(await found('type=dash-db'), ['dash-db given', 'dash-db three']);
  assert.deepEqual(await found('type=dash-folder'), ['dash-folder team-a']);
  close();
});

test('annotations are left, found, changed and taken away', async () => {
  const { call, close } = grafana();
  assert.equal((await call('POST', '/api/annotations', { time: 5 })).status, 400);
  const one = await call('POST', '/api/annotations', {
    ...{ dashboardUID: 'd', panelId: 2, time: 1000, timeEnd: 2000, tags: ['deploy', 'eu'], text: '1.4' },
  });
  assert.deepEqual([one.json, one.role], [{ message: 'Annotation added', id: 1 }, 'write']);
  await call('POST', '/api/annotations/graphite', { what: 'moved', when: 9, tags: 'deploy us', data: 'by hand' });
  const found = async (query: string) =>
    (await call('GET', `/api/annotations?${query}`)).json.map((note: { text: string }) => note.text);
  assert.deepEqual(await found('from=1&to=10000'), ['moved\nby hand', '1.4']);
  assert.deepEqual(await found('from=2001'), ['moved\nby hand']);
  assert.deepEqual(await found('dashboardUID=d&panelId=2'), ['1.4']);
  assert.deepEqual(await found('tags=deploy&tags=us'), ['moved\nby hand']);
  assert.deepEqual(await found('tags=eu&tags=us&matchAny=true'), ['moved\nby hand', '1.4']);
  await call('PATCH', '/api/annotations/1', { text: '1.5' });
  const shown = (await call('GET', '/api/annotations/1')).json;
  assert.deepEqual([shown.text, shown.tags, shown.time, shown.timeEnd], ['1.5', ['deploy', 'eu'], 1000, 2000]);
  assert.deepEqual((await call('GET', '/api/annotations/tags?tag=dep')).json.result.tags, [
    { tag: 'deploy', count: 2 },
  ]);
  assert.equal((await call('DELETE', '/api/annotations/1')).status, 200);
  assert.equal((await call('DELETE', '/api/annotations/1')).status, 404);
  close();
});

test('this server as a source: proxies by uid and number, health, data frames', async () => {
  const { call, close } = grafana();
  const { id } = (await call('GET', '/api/datasources/uid/pharos')).json;
  const asked = await call('GET', '/api/datasources/proxy/uid/pharos/api/v1/query?query=up');
  assert.deepEqual([asked.status, asked.json.data.asked], [200, 'up']);
  assert.equal((await call('GET', `/api/datasources/proxy/${id}/api/v1/query?query=up`)).status, 200);
  assert.equal((await call('GET', '/api/datasources/uid/pharos/resources/api/v1/query?query=up')).status, 200);
  assert.equal((await call('POST', '/api/datasources/proxy/uid/pharos/api/v1/admin')).status, 404);
  assert.equal((await call('GET', '/api/datasources/uid/pharos/health')).json.status, 'OK');
  const range = await call('POST', '/api/ds/query', {
    queries: [{ refId: 'B', datasource: { uid: 'pharos' }, expr: 'up', range: true, intervalMs: 60_000 }],
    ...{ from: 'now-1h', to: 'now' },
  });
  const frame = range.json.results.B.frames[0];
  assert.deepEqual(
    [frame.schema.fields[1].labels, frame.data],
    [
      { job: 'a' },
      {
        values: [
          [0, 60_000, 120_000],
          [1.5, null, null],
        ],
        entities: [null, { NaN: [2], Inf: [1] }],
      },
    ],
  );
  const failed = await call('POST', '/api/ds/query', {
    queries: [{ refId: 'A', datasource: { uid: 'nobody' }, expr: 'up' }],
    ...{ from: '0', to: '60000' },
  });
  assert.deepEqual([failed.status, failed.json.results.A.error], [400, 'data source not found']);
  assert.equal((await call('GET', '/api/org')).json.id, 1);
  assert.equal((await call('GET', '/api/user')).json.login, 'admin');
  close();
});

test('resources of the newer API, and versions', async () => {
  const { call, close } = grafana();
  const place = '/apis/dashboard.grafana.app/v2beta1/namespaces/default/dashboards';
  const resource = {
    ...{ kind: 'Dashboard', apiVersion: 'dashboard.grafana.app/v2beta1', metadata: { name: 'new-one' } },
    spec: { title: 'New', elements: {}, layout: { kind: 'GridLayout', spec: { items: [] } } },
  };
  assert.equal((await call('POST', place, resource)).status, 201);
  assert.equal((await call('POST', place, resource)).status, 409);
  const kept = await call('GET', `${place}/new-one`);
  assert.deepEqual([kept.json.spec, kept.json.metadata.resourceVersion], [resource.spec, '1']);
  const next = { ...resource, spec: { ...resource.spec, title: 'Newer' } };
  assert.equal((await call('PUT', `${place}/new-one`, next)).json.metadata.resourceVersion, '2');
  const stale = { ...next, metadata: { name: 'new-one', resourceVersion: '1' } };
  assert.equal((await call('PUT', `${place}/new-one`, stale)).status, 409);
  const { versions } = (await call('GET', '/api/dashboards/uid/new-one/versions')).json;
  assert.deepEqual(
    versions.map((one: { version: number }) => one.version),
    [2, 1],
  );
  assert.equal((await call('POST', '/api/dashboards/uid/new-one/restore', { version: 1 })).json.version, 3);
  assert.equal((await call('GET', `${place}/new-one`)).json.spec.title, 'New');
  assert.equal((await call('DELETE', `${place}/new-one`)).json.status, 'Success');
  assert.equal((await call('GET', `${place}/new-one`)).status, 404);
  close();
});
