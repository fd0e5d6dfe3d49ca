import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { ruleMetrics } from '#alert/rules/metrics.ts';
import { RuleSet } from '#alert/rules/rules.ts';
import { StoredRules } from '#alert/rules/stored.ts';
import { memoryStorage } from '#alert/unittest/storage.ts';
import { SimClock } from '#base/clock-sim.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { ApiError, type HttpRequest } from './http.ts';
import { rulesRoutes } from './rules.ts';

async function bench() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-api-'));
  const clock = new SimClock(1_000_000);
  const storage = memoryStorage(clock, 60_000, []);
  await storage.appender.append({
    refs: Float64Array.of(-1, -2),
    timestamps: Float64Array.of(999_000, 999_000),
    values: Float64Array.of(7, 1),
    series: [labelsOf({ __name__: 'm', job: 'a' }), labelsOf({ __name__: 'm', job: 'b' })],
  });
  const set = new RuleSet({
    ...{ engine: storage.engine, appender: storage.appender, sink: { send() {} }, clock, logger: silentLogger },
    ...{ metrics: ruleMetrics(new Registry()), disk: nodeDisk, resendDelayMs: 60_000, slots: undefined },
    ...{ outageToleranceMs: 0, forGracePeriodMs: 0 },
  });
  const stored = new StoredRules(nodeDisk, path.join(folder, 'api'));
  const files = ['one', 'two', 'three'].map((name) => {
    const file = path.join(folder, `${name}.yml`);
    const rules = `{alert: A_${name}, expr: m > 5, labels: {team: ${name}}}, {record: r_${name}, expr: m, labels: {team: ${name}}}`;
    fs.writeFileSync(file, `groups: [{name: g_${name}, rules: [${rules}]}]`);
    return file;
  });
  const apply = () =>
    set.update(
      { files, evaluationIntervalMs: 1000, queryOffsetMs: 0, externalLabels: [], externalUrl: 'http://x' },
      stored.configs(),
    );
  await apply();
  for (const group of set.groups()) await group.evaluate(1_000_000);
  const routes = rulesRoutes({
    groups: () => set.groups(),
    engine: storage.engine,
    clock,
    stored: { rules: stored, apply },
  });
  const call = async (
    method: string,
    url: string,
    body = '',
  ): Promise<{ code: number; data: never; error: string }> => {
    const { pathname, searchParams } = new URL(url, 'http://h');
    for (const route of routes) {
      const names: string[] = [];
      const pattern = route.pattern.replace(/:(\w+)/g, (_, name: string) => {
        names.push(name);
        return '([^/]+)';
      });
      const match = new RegExp(`^${pattern}$`).exec(pathname);
      if (!match || !route.methods.includes(method)) continue;
      const params = Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(match[i + 1]!)]));
      const request = { method, params, query: searchParams, body: async () => Buffer.from(body) };
      try {
        const response = await route.handler(request as unknown as HttpRequest);
        return { ...JSON.parse(String(response.body)), code: response.status };
      } catch (error) {
        assert.ok(error instanceof ApiError);
        return { code: 0, data: undefined as never, error: error.message };
      }
    }
    throw new Error(`no route for ${method} ${url}`);
  };
  return { call, done: () => fs.rmSync(folder, { recursive: true }) };
}

type Groups = { groups: { name: string; rules: { name: string; alerts?: unknown }[] }[]; groupNextToken?: string };

test('rules are filtered by type, name, group, file and labels', async () => {
  const { call, done } = await bench();
  const names = async (query: string) =>
    ((await call('GET', `/api/v1/rules${query}`)).data as Groups).groups.flatMap((g) => g.rules.map((r) => r.name));
  assert.deepEqual(await names(''), ['A_one', 'r_one', 'A_three', 'r_three', 'A_two', 'r_two']);
  assert.deepEqual(await names('?type=alert'), ['A_one', 'A_three', 'A_two']);
  assert.deepEqual(await names('?type=record&rule_group[]=g_two'), ['r_two']);
  assert.deepEqual(await names('?rule_name[]=A_one&rule_name[]=r_two'), ['A_one', 'r_two']);
  assert.deepEqual(
    await names(`?match[]=${encodeURIComponent('{team="one"}')}&match[]=${encodeURIComponent('{team=~"th.*"}')}`),
    ['A_one', 'r_one', 'A_three', 'r_three'],
  );
  assert.deepEqual(await names('?file[]=nope'), []);
  assert.equal((await call('GET', '/api/v1/rules?type=x')).error, 'invalid parameter "type": not supported value "x"');
  const excluded = (await call('GET', '/api/v1/rules?exclude_alerts=true&rule_name[]=A_one')).data as Groups;
  assert.equal(excluded.groups[0]!.rules[0]!.alerts, null);
  done();
});

test('groups come in pages', async () => {
  const { call, done } = await bench();
  const page = async (query: string) => (await call('GET', `/api/v1/rules?${query}`)).data as Groups;
  const first = await page('group_limit=2');
  assert.deepEqual(
    first.groups.map((g) => g.name),
    ['g_one', 'g_three'],
  );
  const second = await page(`group_limit=2&group_next_token=${first.groupNextToken}`);
  assert.deepEqual(
    second.groups.map((g) => g.name),
    ['g_two'],
  );
  assert.equal(second.groupNextToken, undefined);
  const errors = {
    'group_next_token=x': 'group_limit needs to be present in order to paginate over the groups',
    'group_limit=-1': 'group_limit needs to be greater than 0',
    'group_limit=x': 'group_limit needs to be a valid number: strconv.ParseInt: parsing "x": invalid syntax',
    'group_limit=1&group_next_token=x': "invalid group_next_token 'x'. were rule groups changed?",
  };
  for (const [query, message] of Object.entries(errors)) {
    assert.ok((await call('GET', `/api/v1/rules?${query}`)).error.endsWith(message), query);
  }
  done();
});

test('an alert is explained by the series and values behind it', async () => {
  const { call, done } = await bench();
  const answer = await call('GET', `/api/v1/alerts/explain?match[]=${encodeURIComponent('{alertname="A_one"}')}`);
  const [explained] = (answer.data as { alerts: { parts: object[] }[] }).alerts;
  assert.deepEqual(explained!.parts, [
    {
      ...{ expression: 'm > 5', role: 'result', related: 1, total: 1 },
      series: [{ metric: { __name__: 'm', job: 'a' }, value: '7' }],
    },
    {
      ...{ expression: 'm', role: 'operand', related: 1, total: 2 },
      series: [{ metric: { __name__: 'm', job: 'a' }, value: '7' }],
    },
  ]);
  done();
});

test('groups are managed; what cannot be put in force is taken back', async () => {
  const { call, done } = await bench();
  const body = 'name: mine\nrules:\n- {alert: Mine, expr: m > 0}\n';
  assert.deepEqual((await call('PUT', '/api/v1/rules/groups/team/mine', body)).data, { version: 1, name: 'mine' });
  assert.match((await call('PUT', '/api/v1/rules/groups/team/other', body)).error, /the group that was sent is mine/);
  assert.match(
    (await call('PUT', '/api/v1/rules/groups/team/mine?version=9', body)).error,
    /it is at version 1, not 9/,
  );
  assert.match(
    (await call('PUT', '/api/v1/rules/groups/team/mine', 'name: mine\nrules: [{alert: M}]')).error,
    /field 'expr' must be set/,
  );
  const all = (await call('GET', '/api/v1/rules?rule_group[]=mine')).data as Groups;
  assert.equal(all.groups[0]!.rules[0]!.name, 'Mine');
  assert.match((await call('GET', '/api/v1/rules/groups/team/none')).error, /no group none in namespace team/);
  assert.equal((await call('DELETE', '/api/v1/rules/groups/team/mine')).code, 200);
  assert.deepEqual(((await call('GET', '/api/v1/rules?rule_group[]=mine')).data as Groups).groups, []);
  assert.match((await call('DELETE', '/api/v1/rules/groups/team/mine')).error, /no group mine/);
  assert.equal((await call('POST', '/api/v1/rules/versions/team/1')).code, 200);
  assert.equal(((await call('GET', '/api/v1/rules?rule_group[]=mine')).data as Groups).groups.length, 1);
  done();
});
