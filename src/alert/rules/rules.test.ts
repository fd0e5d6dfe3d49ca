import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import type { Alert } from '#model/alert.ts';
import type { SampleBatch } from '#model/batch.ts';
import { labelsOf } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import { memoryStorage } from '../unittest/storage.ts';
import { backfill } from './backfill.ts';
import type { VectorSample } from './contract.ts';
import { parseRuleFile } from './file.ts';
import { type GroupOptions, RuleGroup } from './group.ts';
import { ruleMetrics } from './metrics.ts';
import { RuleSet } from './rules.ts';
import { MemoryStore, type Script, scriptedEngine } from './scripted.suite.ts';
import { Slots } from './slots.ts';

const MINUTE = 60_000;
const at = (value: number, labels: Record<string, string> = {}): VectorSample => ({ labels: labelsOf(labels), value });

function bench(script: Script, more: Partial<GroupOptions> = {}) {
  const store = new MemoryStore();
  const clock = new SimClock(0);
  const registry = new Registry();
  const sent: Alert[][] = [];
  const options: GroupOptions = {
    engine: scriptedEngine(store, script),
    appender: store,
    sink: { send: (alerts) => void sent.push([...alerts]) },
    clock,
    logger: silentLogger,
    metrics: ruleMetrics(registry),
    externalUrl: 'http://x:9090',
    externalLabels: ['cluster', 'c1'],
    resendDelayMs: MINUTE,
    outageToleranceMs: 60 * MINUTE,
    forGracePeriodMs: 10 * MINUTE,
    queryOffsetMs: 0,
    slots: undefined,
    ...more,
  };
  const group = (yaml: string, restore = false) => {
    const [config] = parseRuleFile('f.yml', yaml).groups;
    return new RuleGroup(config!, MINUTE, restore, options);
  };
  const metric = (name: string) => registry.families().find((f) => f.name === name)?.samples[0]?.value;
  return { store, clock, sent, options, group, metric };
}

const ALERT = `
groups:
- name: g
  labels: {team: a, severity: low}
  rules:
  - alert: Down
    expr: up == 0
    for: 2m
    keep_firing_for: 1m
    labels: {severity: page, shown: 'v={{ $value }}'}
    annotations: {summary: '{{ $labels.job }} down in {{ $externalLabels.cluster }}: {{ query "n" | first | value }}'}
`;

test('an alert goes from pending to firing to resolved, and is sent when due', async () => {
  let isDown = true;
  const { group, store, sent } = bench((expr) => {
    if (expr === 'n') return [at(7)];
    return isDown ? [at(0, { __name__: 'up', job: 'x' })] : [];
  });
  const rules = group(ALERT);
  const [rule] = rules.alertingRules();
  const states: string[] = [];
  for (let minute = 1; minute <= 8; minute++) {
    if (minute === 4) isDown = false;
    await rules.evaluate(minute * MINUTE);
    states.push(`${minute}:${rule!.state}`);
  }
  assert.deepEqual(states, [
    '1:pending',
    '2:pending',
    '3:firing',
    '4:firing',
    '5:inactive',
    '6:inactive',
    '7:inactive',
    '8:inactive',
  ]);
  const [alert] = [...rule!.active.values()];
  assert.deepEqual(alert!.labels, labelsOf({ alertname: 'Down', job: 'x', severity: 'page', shown: 'v=0', team: 'a' }));
  assert.deepEqual(alert!.annotations, ['summary', 'x down in c1: 7']);
  const labels = 'alertname="Down", alertstate="STATE", job="x", severity="page", shown="v=0", team="a"';
  assert.deepEqual(store.dump(), [
    `ALERTS_FOR_STATE{${labels.replace('alertstate="STATE", ', '')}} = 60@60 60@120 60@180 60@240 stale@300`,
    `ALERTS{${labels.replace('STATE', 'firing')}} = 1@180 1@240 stale@300`,
    `ALERTS{${labels.replace('STATE', 'pending')}} = 1@60 1@120 stale@180`,
  ]);
  assert.deepEqual(
    sent.map(([a]) => [a!.startsAt / MINUTE, a!.endsAt / MINUTE]),
    [
      [3, 7],
      [3, 5],
      [3, 5],
    ],
    'sent when firing, resent after more than a minute, sent when resolved',
  );
  assert.equal(sent[0]![0]!.generatorUrl, 'http://x:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1');
});

test('a limit drops what is above it and makes the rule fail', async () => {
  const { group } = bench(() => [at(1, { a: '1' }), at(1, { a: '2' })]);
  const rules = group('groups: [{name: g, limit: 1, rules: [{alert: A, expr: x}, {record: r, expr: x}]}]');
  await rules.evaluate(MINUTE);
  assert.deepEqual(
    rules.entries.map((entry) => [entry.health, entry.lastError]),
    [
      ['err', 'exceeded limit of 1 with 2 alerts'],
      ['err', 'exceeded limit of 1 with 2 series'],
    ],
  );
});

test('a recording rule ends series that vanish and refuses equal label sets', async () => {
  let result = [at(1, { __name__: 'a', i: '1' }), at(2, { __name__: 'a', i: '2' })];
  const { group, store } = bench(() => result);
  const rules = group('groups: [{name: g, query_offset: 30s, rules: [{record: r, expr: a, labels: {x: y}}]}]');
  await rules.evaluate(MINUTE);
  result = [at(3, { __name__: 'a', i: '1' })];
  await rules.evaluate(2 * MINUTE);
  assert.deepEqual(store.dump(), ['r{i="1", x="y"} = 1@30 3@90', 'r{i="2", x="y"} = 2@30 stale@90']);
  result = [at(1, { __name__: 'a' }), at(1, { __name__: 'b' })];
  await rules.evaluate(3 * MINUTE);
  assert.match(rules.entries[0]!.lastError, /same labelset after applying rule labels/);
});

test('numbers that the store has forgotten are asked for again', async () => {
  const { group, store } = bench(() => [at(1, { i: '1' })]);
  const rules = group('groups: [{name: g, rules: [{record: r, expr: a}]}]');
  await rules.evaluate(MINUTE);
  store.epoch = 1;
  await rules.evaluate(2 * MINUTE);
  assert.deepEqual(store.dump(), ['r{i="1"} = 1@60 1@120']);
  assert.equal(rules.entries[0]!.health, 'ok');
});

test('a pending alert goes on after a restart, without the time of the outage', async () => {
  for (const [downMinutes, forMinutes, firesAfter] of [
    [20, 30, 25],
    [5, 12, 10],
    [90, 30, 30],
  ] as const) {
    const world = bench(() => [at(1, { job: 'x' })]);
    const yaml = `groups: [{name: g, rules: [{alert: A, expr: x, for: ${forMinutes}m}]}]`;
    const first = world.group(yaml);
    for (let minute = 0; minute <= 5; minute++) await first.evaluate(minute * MINUTE);
    const resume = (5 + downMinutes) * MINUTE;
    await world.clock.advance(resume - 1);
    const second = world.group(yaml, true);
    second.start();
    const [rule] = second.alertingRules();
    let minutes = 0;
    while (rule!.state !== 'firing' && minutes < 100) {
      await world.clock.advance(MINUTE);
      minutes++;
    }
    const slack = minutes - firesAfter;
    assert.ok(slack >= 0 && slack <= 3, `down ${downMinutes}, for ${forMinutes}: fired after ${minutes} minutes`);
    await second.stop();
  }
});

test('groups keep their slots and count what they miss', async () => {
  const times: number[] = [];
  const gate: { wait?: Promise<void> } = {};
  const { group, clock, metric, options } = bench((_, time) => {
    times.push(time);
    return [];
  });
  const slow = { ...options.engine };
  const plain = slow.evaluate;
  const rules = group('groups: [{name: g, interval: 10s, rules: [{record: r, expr: a}]}]');
  Object.assign(options.engine, {
    evaluate: async (...args: Parameters<typeof plain>) => {
      const result = await plain(...args);
      await gate.wait;
      return result;
    },
  });
  rules.start();
  await clock.advance(30_000);
  assert.equal(times.length, 3);
  assert.equal(times[1]! - times[0]!, 10_000);
  let open = () => {};
  gate.wait = new Promise((resolve) => {
    open = resolve;
  });
  await clock.advance(10_000);
  await clock.advance(35_000);
  open();
  delete gate.wait;
  await clock.advance(1);
  await clock.advance(10_000);
  assert.equal(metric('prometheus_rule_group_iterations_missed_total'), 2);
  assert.equal((times.at(-1)! - times[0]!) % 10_000, 0, 'still in the same slots');
  await rules.stop();
});

test('independent rules run side by side, dependent ones after what they read', async () => {
  let running = 0;
  let most = 0;
  const order: string[] = [];
  const { group, options } = bench(() => [at(1)], { slots: new Slots(4) });
  Object.assign(options.engine, {
    evaluate: async (expression: string) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      order.push(expression);
      return [at(1)];
    },
  });
  const rules = group(
    'groups: [{name: g, rules: [{record: c, expr: b + 1}, {record: a, expr: x}, {record: b, expr: a}, {record: d, expr: y}]}]',
  );
  await rules.evaluate(MINUTE);
  assert.equal(most, 2);
  assert.deepEqual(order.slice(2), ['a', 'b + 1']);
});

test('rules whose selectors match nothing are named', async () => {
  const { group, store } = bench(() => []);
  await store.append({
    refs: Float64Array.of(-1),
    timestamps: Float64Array.of(MINUTE),
    values: Float64Array.of(1),
    series: [labelsOf({ __name__: 'up', job: 'a' })],
  });
  const rules = group(
    'groups: [{name: g, rules: [{alert: A, expr: "up{job=\\"a\\"} == 0 and tpyo{x=~\\"y\\"} > 1"}]}]',
  );
  await rules.evaluate(2 * MINUTE);
  assert.deepEqual(rules.entries[0]!.selectors.silent, ['tpyo{x=~"y"}']);
});

test('a reload keeps alerts of rules that stay and ends series of those that go', async () => {
  const world = bench(() => [at(1, { i: '1' })]);
  const { clock, store, options } = world;
  const files = new Map<string, string>();
  const disk = {
    ...nodeDisk,
    exists: (file: string) => files.has(file),
    readFile: (file: string) => Buffer.from(files.get(file)!),
  };
  const { externalLabels, externalUrl, queryOffsetMs, ...rest } = options;
  const set = new RuleSet({ ...rest, disk });
  const config = { files: ['a.yml'], evaluationIntervalMs: 10_000, queryOffsetMs, externalLabels, externalUrl };
  files.set(
    'a.yml',
    'groups: [{name: g, rules: [{alert: A, expr: x, for: 20s}, {record: r, expr: x}]}, {name: h, rules: [{record: s, expr: x}]}]',
  );
  await set.update(config);
  set.start();
  await clock.advance(60_000);
  assert.equal(set.alertingRules()[0]!.state, 'firing');
  const before = set.groups();

  files.set('a.yml', 'groups: [{name: g, rules: [{alert: A, expr: x, for: 20s}, {record: r2, expr: x}]}]');
  await set.update(config);
  assert.deepEqual(
    set.groups().map((group) => group.key),
    ['a.yml;g'],
  );
  assert.equal(set.alertingRules()[0]!.state, 'firing', 'the alert is carried over');
  await clock.advance(60_000);
  const ended = store.dump().filter((line) => line.includes('stale'));
  assert.deepEqual(
    ended.map((line) => line.split('{')[0]),
    ['r', 's'],
  );

  files.set('a.yml', 'groups: [{name: g, rules: [{alert: A, expr: "x("}]}]');
  await assert.rejects(set.update(config), /a\.yml: 1:\d+: group "g", rule 1, "A": could not parse expression/);
  assert.equal(set.alertingRules().length, 1, 'what was in force stays');

  files.set('a.yml', 'groups: [{name: g, rules: [{alert: A, expr: x, for: 20s}, {record: r2, expr: x}]}]');
  const [kept] = set.groups();
  await set.update(config);
  assert.equal(set.groups()[0], kept, 'an equal group goes on');
  assert.notEqual(before[0], kept);
  await set.stop();
});

test('recording rules are backfilled at the times at which they would have run', async () => {
  const storage = memoryStorage(new SimClock(0), MINUTE, []);
  const points = Array.from({ length: 31 }, (_, i) => i);
  await storage.appender.append({
    refs: Float64Array.from(points, () => -1),
    timestamps: Float64Array.from(points, (i) => i * MINUTE),
    values: Float64Array.from(points, (i) => i),
    series: [labelsOf({ __name__: 'a' })],
  });
  const { options } = bench(() => []);
  const [config] = parseRuleFile(
    'f.yml',
    'groups: [{name: g, interval: 5m, rules: [{record: twice, expr: a * 2}, {record: four, expr: twice * 2}, {alert: A, expr: a}]}]',
  ).groups;
  const group = new RuleGroup(config!, MINUTE, false, { ...options, engine: storage.engine });
  const none = async () => assert.fail('nothing is too old');
  const result = await backfill(group, { min: 10 * MINUTE, max: 30 * MINUTE }, storage.appender, none);
  const stored = storage.source.all().filter((series) => series.labels[1] !== 'a');
  assert.deepEqual(
    stored.map((series) => series.labels[1]),
    ['four', 'twice'],
  );
  const [four, twice] = stored;
  assert.equal(result.samples, twice!.values.length + four!.values.length);
  assert.ok(twice!.values.length === 4 || twice!.values.length === 5);
  for (const [i, time] of twice!.timestamps.entries()) {
    assert.equal((time - group.slotBefore(0)) % (5 * MINUTE), 0);
    assert.equal(twice!.values[i], 2 * Math.floor(time / MINUTE));
    assert.equal(four!.values[i], 4 * Math.floor(time / MINUTE));
  }
  await assert.rejects(backfill(group, { min: 0, max: 1e12 }, storage.appender, none), /ask for a shorter range/);
  const refusing = { append: async (batch: SampleBatch) => refuseAll(batch) };
  const old: string[] = [];
  const kept = await backfill(group, { min: 10 * MINUTE, max: 30 * MINUTE }, refusing, async (samples) => {
    old.push(`${samples.length} of ${samples[0]!.labels.join()}`);
  });
  assert.deepEqual(old, [`${twice!.values.length} of __name__,twice`, `${four!.values.length} of __name__,four`]);
  assert.deepEqual(kept, { samples: result.samples, refused: 0 }, 'what is too old is stored otherwise');
});

const refuseAll = (batch: SampleBatch) => ({
  refs: Float64Array.from(batch.series, () => Number.NaN),
  rejections: Array.from(batch.refs, (_, index) => ({
    kind: 'sample' as const,
    index,
    reason: 'tooOld' as const,
    detail: '',
  })),
  created: 0,
});
