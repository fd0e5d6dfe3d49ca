// What a bootstrap job asks of Grafana's API, in the order in which such jobs ask it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { Library } from '#view/library.ts';
import { Sources } from '#view/sources/source.ts';
import { grafanaRoutes } from './grafana.ts';
import type { HttpRequest } from './http.ts';
import { Router } from './router.ts';

function grafana() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-grafana-'));
  const library = new Library({
    folder: `${folder}/saved`,
    shipped: `${folder}/none`,
    provisioned: [],
    disk: nodeDisk,
    clock: systemClock,
    logger: silentLogger,
  });
  const sources = new Sources(nodeDisk, `${folder}/sources.json`);
  const router = new Router(grafanaRoutes({ library, sources, version: '1' }));
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
  assert.deepEqual([stored.json.meta.version, stored.json.dashboard.panels[0].source], [1, { uid: 'prometheus' }]);

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
