import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { SimDisk } from '#base/disk/sim.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import type { SampleBatch } from '#model/batch.ts';
import { CUSTOM_BUCKETS_SCHEMA, type Histogram } from '#model/histogram.ts';
import { compareLabels, formatLabels, type Labels, labelsOf } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import { Registry } from '#model/registry.ts';
import { setStale } from '#model/value.ts';
import { decodeChunk } from '../codec/chunk.ts';
import { SampleColumns } from '../codec/samples.ts';
import { DEFAULT_STORE_OPTIONS, type StoreOptions } from '../options.ts';
import { openShardStore, type ShardStore } from '../shard.ts';
import { ALL_TIME, batchOf, contents, newMemory, type Row } from '../shard-twin.ts';
import { matchSlots } from './postings.ts';

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;

async function open(options: Partial<StoreOptions> = {}, disk = new SimDisk(seeded(1)), registry = new Registry()) {
  const store = openShardStore({
    disk,
    clock: new SimClock(NOW),
    registry,
    logger: silentLogger,
    memory: newMemory(),
    folder: '/data',
    shard: 0,
    shards: 1,
    options: { ...DEFAULT_STORE_OPTIONS, ...options },
  });
  await store.ready();
  return store;
}

const row = (name: string, time: number, value: number): Row => ({ labels: labelsOf({ __name__: name }), time, value });
const metric = (registry: Registry, name: string, ...labels: string[]) =>
  registry
    .families()
    .find((family) => family.name === name)
    ?.samples.find((sample) => labels.every((text) => sample.labels.includes(text)))?.value;

async function reasons(store: ShardStore, rows: readonly Row[]): Promise<string[]> {
  const { rejections } = await store.append(batchOf(rows));
  return rows.map((_, i) => rejections.find(({ index }) => index === i)?.reason ?? 'taken');
}

test('duplicates, late, too old and too new samples get the answers of Prometheus', async () => {
  const registry = new Registry();
  const store = await open({}, undefined, registry);
  assert.deepEqual(await reasons(store, [row('a', NOW, 1)]), ['taken']);
  assert.deepEqual(await reasons(store, [row('a', NOW, 1)]), ['taken'], 'the same again is no mistake');
  assert.deepEqual(await reasons(store, [row('a', NOW, 2)]), ['duplicate']);
  assert.deepEqual(await reasons(store, [row('a', NOW - 1, 1)]), ['outOfOrder']);
  assert.deepEqual(await reasons(store, [row('b', NOW - HOUR, 1)]), ['taken'], 'another series may lie an hour back');
  assert.deepEqual(await reasons(store, [row('c', NOW - HOUR - 1, 1)]), ['outOfBounds']);
  assert.deepEqual(await reasons(store, [row('c', NOW + 600_001, 1)]), ['tooFarInFuture']);
  assert.deepEqual(await reasons(store, [row('c', NOW + 600_000, 1)]), ['taken']);
  assert.equal(metric(registry, 'prometheus_tsdb_out_of_order_samples_total', 'float'), 1);
  assert.equal(metric(registry, 'prometheus_tsdb_out_of_bound_samples_total', 'float'), 1);
  assert.equal(metric(registry, 'prometheus_tsdb_head_samples_appended_total', 'float'), 3);
  assert.deepEqual(
    [...contents(store)],
    [
      ['a', [`${NOW} 1`]],
      ['b', [`${NOW - HOUR} 1`]],
      ['c', [`${NOW + 600_000} 1`]],
    ],
  );
});

test('within the out-of-order window late samples are taken, once each', async () => {
  const disk = new SimDisk(seeded(1));
  const registry = new Registry();
  const store = await open({ outOfOrderWindowMs: 30 * 60_000 }, disk, registry);
  const random = seeded(4);
  const times = Array.from({ length: 200 }, (_, i) => NOW - i * 5000);
  for (let i = times.length - 1; i > 0; i--) {
    const k = random.below(i + 1);
    [times[i], times[k]] = [times[k]!, times[i]!];
  }
  await store.append(batchOf([row('a', NOW, 0)]));
  for (const time of times) await store.append(batchOf([row('a', time, (NOW - time) / 1000)]));
  assert.deepEqual(await reasons(store, [row('a', NOW - 31 * 60_000, 1)]), ['tooOld']);
  assert.deepEqual(await reasons(store, [row('a', NOW - 5000, 77)]), ['taken'], 'the first of a time stays');
  const want = times.toSorted((a, b) => a - b).map((time) => `${time} ${(NOW - time) / 1000}`);
  assert.deepEqual(contents(store).get('a'), want);
  assert.equal(metric(registry, 'prometheus_tsdb_too_old_samples_total', 'float'), 1);
  disk.restart(false);
  assert.deepEqual(contents(await open({ outOfOrderWindowMs: 30 * 60_000 }, disk)).get('a'), want);
});

test('a fresh head takes the epoch, and what is older than zero', async () => {
  const store = await open();
  assert.deepEqual(await reasons(store, [row('a', -5, 1), row('b', 0, 2), row('c', 30_000, 3)]), [
    'taken',
    'taken',
    'taken',
  ]);
  assert.deepEqual(contents(store).get('a'), ['-5 1']);
});

test('bad input is refused sample by sample, and nothing else of its batch', async () => {
  const registry = new Registry();
  const store = await open({ maxAheadMs: 0 }, undefined, registry);
  const bad: [string, Labels, number?][] = [
    ['no labels', []],
    ['odd', ['a']],
    ['empty name', ['', 'x']],
    ['empty value', ['a', '']],
    ['twice', ['a', '1', 'a', '2']],
    ['out of order', ['b', '1', 'a', '2']],
    ['100 MB value', ['__name__', 'x'.repeat(100_000_000)]],
    ['a million labels', Array.from({ length: 2_000_000 }, (_, i) => String(1_000_000 + i))],
    ['time at the lower end', labelsOf({ __name__: 'lower' }), -(2 ** 63)],
    ['time at the upper end', labelsOf({ __name__: 'upper' }), 2 ** 63],
    ['time that is none', labelsOf({ __name__: 'nan' }), Number.NaN],
    ['half a millisecond', labelsOf({ __name__: 'half' }), NOW + 0.5],
  ];
  const rows = bad.flatMap(([, labels, time], i) => [
    { labels, time: time ?? NOW, value: 1 },
    { labels: labelsOf({ __name__: 'good', n: String(i) }), time: NOW, value: i },
  ]);
  const { rejections } = await store.append(batchOf(rows));
  assert.deepEqual(
    rejections.map(({ index }) => bad[index / 2]?.[0]).sort(),
    bad.map(([what]) => what).sort(),
    'each bad one and none of the good ones',
  );
  const found = contents(store);
  assert.equal(found.size, bad.length);
  assert.ok([...found.keys()].every((key) => key.startsWith('good')));
  assert.equal(metric(registry, 'pharos_store_invalid_series_total', 'labels'), 8);

  const odd = new Float64Array([NOW + 1]);
  const refs = Float64Array.of(-1);
  const values = new Float64Array(2);
  setStale(values, 0);
  new Uint32Array(values.buffer).set([0xdeadbeef, 0x7ff80000], 2);
  const series = [labelsOf({ __name__: 'nans' })];
  for (const i of [0, 1]) {
    const value = values.slice(i, i + 1);
    await store.append({ refs, timestamps: odd.map((time) => time + i), values: value, series });
  }
  assert.deepEqual(contents(store).get('nans'), [`${NOW + 1} NaN:7ff00000:2`, `${NOW + 2} NaN:7ff80000:deadbeef`]);
});

test('a ref outlives neither its series nor a restart unnoticed', async () => {
  const store = await open();
  const { refs } = await store.append(batchOf([row('old', NOW - HOUR, 1), row('kept', NOW, 1)]));
  const send = (ref: number, time: number) =>
    store.append({
      refs: Float64Array.of(ref),
      timestamps: Float64Array.of(time),
      values: new Float64Array(1),
      series: [],
    });
  assert.deepEqual((await send(refs[0]!, NOW - HOUR + 1)).rejections, []);
  await store.truncate(NOW - 1000);
  const [refusal] = (await send(refs[0]!, NOW)).rejections;
  assert.equal(refusal?.reason, 'unknownRef');
  const again = await store.append(batchOf([row('new', NOW, 5)]));
  assert.notEqual(again.refs[0], refs[0], 'the slot has another generation');
  assert.equal((await send(refs[0]!, NOW + 1)).rejections[0]?.reason, 'unknownRef');
  assert.equal((await send(12_345, NOW)).rejections[0]?.reason, 'unknownRef');
  assert.deepEqual([...contents(store).keys()], ['kept', 'new']);
});

test('limits refuse new series with the reason; known ones go on', async () => {
  const registry = new Registry();
  const limits = { series: 50, seriesPerMetric: 10, seriesPerTarget: 20, targetLabel: 'instance', memoryBytes: 0 };
  const store = await open({ limits }, undefined, registry);
  const make = (name: string, instance: string, n: number, time = NOW): Row => ({
    labels: labelsOf({ __name__: name, instance, n: String(n) }),
    time,
    value: 1,
  });
  const many = Array.from({ length: 12 }, (_, n) => make('a', `host-${n}`, n));
  const { rejections } = await store.append(batchOf(many));
  assert.deepEqual(
    rejections.map(({ reason, detail }) => [reason, detail]),
    Array(2).fill(['seriesLimit', 'metric a has reached the limit of 10 series']),
  );
  const target = Array.from({ length: 25 }, (_, n) => make(`m${n}`, 'one', n));
  assert.equal((await store.append(batchOf(target))).rejections.length, 5);
  const all = Array.from({ length: 40 }, (_, n) => make(`x${n}`, `y${n}`, n));
  const last = await store.append(batchOf(all));
  assert.equal(last.created, 20);
  assert.match(last.rejections[0]!.detail, /the limit of 50 series is reached/);
  assert.deepEqual(
    (await store.append(batchOf(many.slice(0, 10).map((r) => ({ ...r, time: NOW + 1 }))))).rejections,
    [],
  );
  assert.equal(metric(registry, 'pharos_store_series_refused_total', 'seriesPerMetric'), 2);
  assert.equal(metric(registry, 'pharos_store_series_refused_total', 'series'), 20);

  store.configure({ ...DEFAULT_STORE_OPTIONS, limits: { ...limits, series: 0, memoryBytes: 1 } });
  const shed = await store.append(batchOf([make('late', 'z', 1), make('a', 'host-1', 1, NOW + 2)]));
  assert.deepEqual(
    shed.rejections.map(({ index, detail }) => [index, detail.replace(/\d+/g, 'N')]),
    [[0, 'N bytes are in use, the watermark is N']],
  );
});

test('matchers of every kind select what testing each series selects', async () => {
  const seed = 99;
  const random = seeded(seed);
  const store = await open();
  const words = ['', 'a', 'b', 'ab', 'abc', 'host-1', 'host-2', 'große', 'x.y'];
  const sets = new Map<string, Labels>();
  for (let i = 0; i < 300; i++) {
    const labels = labelsOf({
      __name__: `m${random.below(5)}`,
      p: words[random.below(words.length)]!,
      q: words[random.below(words.length)]!,
      r: String(random.below(40)),
    });
    sets.set(formatLabels(labels), labels);
  }
  await store.append(batchOf([...sets.values()].map((labels) => ({ labels, time: NOW, value: 1 }))));
  const patterns = ['', 'a', 'a|b', 'a.*', '.*b', '.*', '.+', '.*os.*', 'host-[12]', '', 'zzz', '|a', 'x\\.y'];
  for (let round = 0; round < 500; round++) {
    const matchers: Matcher[] = Array.from({ length: 1 + random.below(3) }, () => ({
      type: (['=', '!=', '=~', '!~'] as const)[random.below(4)]!,
      name: ['__name__', 'p', 'q', 'r', 'absent'][random.below(5)]!,
      value: [...patterns, 'm1', '7', 'm[23]'][random.below(patterns.length + 3)]!,
    }));
    const test = compileMatchers(matchers);
    const want = [...sets.values()].filter(test).map(formatLabels).sort();
    const slots = matchSlots(store.head.table, matchers);
    const got = Array.from(slots, (slot) => formatLabels(store.head.table.labelsOf(slot))).sort();
    assert.deepEqual(got, want, `seed ${seed} round ${round}: ${JSON.stringify(matchers)}`);
    assert.ok(
      slots.every((slot, i) => i === 0 || slots[i - 1]! < slot),
      'ascending',
    );
  }
});

const histogram = (count: number, extra: Partial<Histogram> = {}): Histogram => ({
  integer: true,
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: count,
  count: count * 4,
  sum: count * 2.5,
  positiveSpans: [{ offset: 0, length: 2 }],
  negativeSpans: [],
  positiveBuckets: Float64Array.of(count, count * 2),
  negativeBuckets: new Float64Array(0),
  counterReset: 'unknown',
  ...extra,
});

const custom = (count: number): Histogram =>
  histogram(count, {
    schema: CUSTOM_BUCKETS_SCHEMA,
    zeroThreshold: 0,
    zeroCount: 0,
    count: count * 3,
    customValues: Float64Array.of(1, 5),
  });

test('histograms of all kinds, mixed with floats, survive restarts', async () => {
  const disk = new SimDisk(seeded(1));
  let store = await open({ maxAheadMs: 0 }, disk);
  const want = new Map<string, string[]>([
    ['custom', []],
    ['float', []],
    ['integer', []],
    ['mixed', []],
  ]);
  for (let i = 0; i < 400; i++) {
    const time = NOW + i * 15_000;
    const count = i < 200 ? i : i - 150;
    const entries: [string, Histogram][] = [
      ['integer', histogram(count)],
      ['float', histogram(count, { integer: false })],
      ['custom', custom(count)],
    ];
    if (i % 7 < 4) entries.push(['mixed', histogram(i)]);
    for (const [name, value] of entries) want.get(name)!.push(`${time} histogram ${value.count} ${value.sum}`);
    const rows = i % 7 < 4 ? [] : [row('mixed', time, i)];
    if (rows.length > 0) want.get('mixed')!.push(`${time} ${i}`);
    const series = [...rows.map(({ labels }) => labels), ...entries.map(([name]) => labelsOf({ __name__: name }))];
    const batch: SampleBatch = {
      ...batchOf(rows),
      series,
      histograms: entries.map(([, value], k) => ({ ref: -(rows.length + k) - 1, timestamp: time, value })),
    };
    assert.deepEqual((await store.append(batch)).rejections, []);
    if (i === 150 || i === 300) {
      disk.restart(false);
      store = await open({ maxAheadMs: 0 }, disk);
    }
  }
  assert.deepEqual(contents(store), want);
  const later = NOW + 400 * 15_000;
  const refusals = await store.append({
    refs: new Float64Array(0),
    timestamps: new Float64Array(0),
    values: new Float64Array(0),
    series: [labelsOf({ __name__: 'integer' })],
    histograms: [
      { ref: -1, timestamp: later, value: histogram(5, { count: 1 }) },
      { ref: -1, timestamp: later, value: histogram(5, { positiveSpans: [{ offset: 0, length: 9 }] }) },
      { ref: -1, timestamp: NOW, value: histogram(5) },
      { ref: -1, timestamp: later, value: histogram(500) },
      { ref: -1, timestamp: later, value: histogram(500) },
      { ref: -1, timestamp: later, value: histogram(501) },
    ],
  });
  assert.deepEqual(
    refusals.rejections.map(({ index, reason }) => [index, reason]),
    [
      [0, 'invalidHistogram'],
      [1, 'invalidHistogram'],
      [2, 'outOfBounds'],
      [5, 'duplicate'],
    ],
  );
});

test('start times, exemplars, metadata and deleted ranges survive a restart and a truncation', async () => {
  const disk = new SimDisk(seeded(1));
  let store = await open({ maxAheadMs: 0 }, disk);
  const labels = labelsOf({ __name__: 'requests_total' });
  for (let i = 0; i < 300; i++) {
    await store.append({
      ...batchOf([{ labels, time: NOW + i * 15_000, value: i, start: i < 20 ? 0 : NOW + Math.floor(i / 100) }]),
      exemplars: [
        { ref: -1, exemplar: { labels: labelsOf({ trace: String(i) }), value: i, timestamp: NOW + i * 15_000 } },
      ],
      metadata: [{ family: 'requests', metadata: { type: 'counter', help: 'So many.', unit: '' } }],
    });
  }
  const late = await store.append({
    ...batchOf([]),
    series: [labels],
    exemplars: [{ ref: -1, exemplar: { labels: labelsOf({ trace: 'x' }), value: 0, timestamp: NOW } }],
  });
  assert.deepEqual(
    late.rejections.map(({ kind, reason }) => [kind, reason]),
    [['exemplar', 'exemplarOutOfOrder']],
  );
  await store.delete([{ type: '=', name: '__name__', value: 'requests_total' }], {
    min: NOW + 100 * 15_000,
    max: NOW + 199 * 15_000,
  });
  const check = () => {
    const lines = contents(store).get('requests_total')!;
    assert.equal(lines.at(-1), `${NOW + 299 * 15_000} 299`);
    assert.ok(!lines.some((line) => line.endsWith(' 150')));
    const [found] = store.exemplars([[]], ALL_TIME);
    assert.equal(found?.exemplars.length, 300);
    assert.deepEqual([...store.metadata()], [['requests', { type: 'counter', help: 'So many.', unit: '' }]]);
    return lines.length;
  };
  assert.equal(check(), 200);
  const encodings: number[] = [];
  for (const series of store.select([], ALL_TIME, true)) encodings.push(...series.encodings.subarray(0, series.count));
  assert.deepEqual([...new Set(encodings)], [1, 4], 'plain chunks until there is a start time');
  disk.restart(false);
  store = await open({ maxAheadMs: 0 }, disk);
  assert.equal(check(), 200);
  await store.truncate(NOW + 240 * 15_000);
  assert.equal(contents(store, { min: NOW + 240 * 15_000, max: ALL_TIME.max }).get('requests_total')!.length, 60);
  disk.restart(false);
  store = await open({ maxAheadMs: 0 }, disk);
  assert.equal(contents(store, { min: NOW + 240 * 15_000, max: ALL_TIME.max }).get('requests_total')!.length, 60);
});

test('what churns is given back after the truncation', async () => {
  const store = await open({ maxAheadMs: 0 });
  let afterFirst = 0;
  for (let round = 0; round < 6; round++) {
    const time = NOW + round * 4 * HOUR;
    for (let b = 0; b < 4; b++) {
      const rows = Array.from({ length: 1000 }, (_, n) => ({
        labels: labelsOf({ __name__: `m${n % 10}`, pod: `pod-${round}-${b}-${n}` }),
        time,
        value: n,
      }));
      await store.append(batchOf(rows));
    }
    await store.truncate(time - HOUR);
    const { series, usedBytes } = store.head.table.counts();
    assert.equal(series, 4000);
    if (round === 1) afterFirst = store.memory.buffer.byteLength;
    if (round > 1) assert.equal(store.memory.buffer.byteLength, afterFirst, `memory in round ${round}`);
    assert.ok(usedBytes / series < 1000, `${usedBytes / series} bytes per series`);
  }
  assert.equal(contents(store).size, 4000);
});

test('what matchers have selected before is right while series come and go', async () => {
  const seed = Number(process.env['PHAROS_SEED'] ?? 4);
  console.log(`seed ${seed}`);
  const random = seeded(seed);
  const store = await open({ maxAheadMs: 0 });
  const patterns = ['a.*', '.*1', 'b|c1|zz', '.+', 'x?|a1', '.*', '(a|c)[0-3]'];
  let now = NOW;
  let truncations = 0;
  for (let round = 0; round < 300; round++) {
    const action = random.below(20);
    if (action < 8) {
      const labels = () =>
        labelsOf({ __name__: 'm', v: `${'abcx'[random.below(4)]}${random.below(6)}`, n: String(random.below(30)) });
      const rows = new Map(Array.from({ length: 3 }, () => labels()).map((set) => [formatLabels(set), set]));
      now += 1000;
      await store.append(batchOf([...rows.values()].map((set) => ({ labels: set, time: now, value: 1 }))));
    } else if (action === 8) {
      await store.truncate(now - 20_000);
      truncations++;
    }
    const matchers: Matcher[] = Array.from({ length: 1 + random.below(2) }, () => ({
      type: (['=~', '!~'] as const)[random.below(2)]!,
      name: ['v', 'n', 'absent'][random.below(3)]!,
      value: patterns[random.below(patterns.length)]!,
    }));
    const all = Array.from(matchSlots(store.head.table, []), (slot) => store.head.table.labelsOf(slot));
    const want = all.filter(compileMatchers(matchers)).map(formatLabels).sort();
    const got = Array.from(matchSlots(store.head.table, matchers), (slot) =>
      formatLabels(store.head.table.labelsOf(slot)),
    );
    assert.deepEqual(got.sort(), want, `round ${round}: ${JSON.stringify(matchers)}`);
  }
  assert.ok(truncations > 3);
});

test('a walk over series survives a truncation in its middle', async () => {
  for (const sorted of [true, false]) {
    const store = await open({ maxAheadMs: 0 });
    const name = (i: number) => `m${String(i).padStart(3, '0')}`;
    await store.append(batchOf(Array.from({ length: 100 }, (_, i) => row(name(i), NOW - (i % 2) * HOUR, i))));
    const seen: string[] = [];
    let count = 0;
    for (const { labels } of store.select([{ type: '=~', name: '__name__', value: 'm.*' }], ALL_TIME, sorted)) {
      seen.push(labels[1]!);
      if (++count !== 10) continue;
      await store.truncate(NOW - 1000);
      // These take the slots of the series that are gone.
      await store.append(batchOf(Array.from({ length: 50 }, (_, i) => row(`other${i}`, NOW, i))));
    }
    assert.equal(new Set(seen).size, seen.length);
    assert.ok(
      seen.every((metric) => metric.startsWith('m')),
      `${seen}`,
    );
    const kept = Array.from({ length: 50 }, (_, i) => name(i * 2));
    assert.deepEqual(
      kept.filter((metric) => !seen.includes(metric)),
      [],
    );
  }
});

test('the head is handed to compaction in label order, however many series it has', async () => {
  const random = seeded(12);
  const store = await open({ maxAheadMs: 0 });
  const sets = Array.from({ length: 9500 }, (_, i) =>
    labelsOf({ __name__: `m${random.below(50)}`, ...(i % 3 ? { b: `x${random.below(9)}` } : {}), n: `ü${i}` }),
  );
  for (let i = 0; i < sets.length; i += 500) {
    await store.append(batchOf(sets.slice(i, i + 500).map((labels) => ({ labels, time: NOW, value: i }))));
  }
  const source = await store.source();
  const want = sets.toSorted(compareLabels).map(formatLabels);
  assert.deepEqual(
    [...source.series(ALL_TIME)].map(({ labels }) => formatLabels(labels)),
    want,
  );
  const selected: string[] = [];
  for (const { labels } of store.select([], ALL_TIME, true)) selected.push(formatLabels(labels));
  assert.deepEqual(selected, want);

  const walk = source.series(ALL_TIME);
  walk.next();
  await store.append(batchOf([row('z', NOW + HOUR, 1)]));
  await store.truncate(NOW + 1);
  assert.throws(() => walk.next(), { code: 'head_changed' });
});

test('a block of what came out of order has nothing else', async () => {
  const store = await open({ outOfOrderWindowMs: HOUR });
  const late = [1, 3, 5].map((minute) => NOW - minute * 60_000 - 7);
  for (let step = 40; step >= 0; step--) await store.append(batchOf([row('a', NOW - step * 15_000, step)]));
  await store.append(batchOf([row('b', NOW, 1), ...late.map((time) => row('a', time, -1))]));
  store.beginOutOfOrder();
  await store.append(batchOf([row('a', late[0]! + 1, -2)]));
  const found = [...(await store.source(true)).series(ALL_TIME)].map(({ labels, chunks }) => {
    const samples = new SampleColumns();
    for (const { encoding, bytes } of chunks) decodeChunk(encoding, bytes, samples);
    return [formatLabels(labels), ...samples.timestamps.subarray(0, samples.length)];
  });
  assert.deepEqual(found, [['a', ...late.toSorted()]], 'what came after the beginning waits for the next block');
});

test('every log record of series defines its label pairs, however many records went before', async () => {
  const store = await open();
  await store.append(batchOf([row('a', NOW, 1)]));
  const { kernel, areas, shard } = store.head.memory;
  shard.u32[areas.fresh >>> 2] = 0;
  const record = () => {
    const end = kernel.putManySeries(areas.record, areas.fresh, 1, 1000, 100) >>> 0;
    return Buffer.from(shard.u8.slice(areas.record, end)).toString('latin1');
  };
  const first = record();
  assert.match(first, /__name__.a$/s);
  for (let i = 0; i < 140_000; i++) {
    const end = kernel.putManySeries(areas.record, areas.fresh, 1, 1000, 100) >>> 0;
    if (end - areas.record !== first.length) assert.fail(`record ${i} has ${end - areas.record} bytes`);
  }
  assert.equal(record(), first);
  await store.close();
});
