// The gateway's answers to its drawbacks, on a clock that stands still and a disk of its own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { writeText } from '#wire/exposition/write.ts';
import { parseFamilies } from '#wire/families/text.ts';
import { Gateway } from './gateway.ts';
import { readPushOptions } from './options.ts';
import { DEFAULT_GROUP_OPTIONS } from './state.ts';
import { readTablePushes } from './table.ts';

function make() {
  const clock = new SimClock(1_000_000);
  const options = { persistenceFile: '', persistenceIntervalMs: 0, isChecked: true, defaults: DEFAULT_GROUP_OPTIONS };
  const gateway = new Gateway(options, nodeDisk, clock, silentLogger, () => []);
  const push = (job: string, body: string, query = '', wholeGroup = false) => {
    const read = readPushOptions(new URLSearchParams(query));
    return gateway.push({ labels: { job }, ...parseFamilies(body, false), wholeGroup, ...read });
  };
  /** The page without the gateway's own lines and without the group's labels. */
  const page = async (reader?: string) => {
    const { families, sent } = gateway.page(reader);
    const lines = writeText(families)
      .split('\n')
      .filter((line) => line !== '' && !/^(#|push_time|push_failure)/.test(line))
      .map((line) =>
        line
          .replace(/(instance="",)?job="\w+",?/, '')
          .replace(/,?}/, '}')
          .replace('{}', ''),
      );
    await sent();
    return lines;
  };
  const json = (metrics: unknown) => gateway.pushTables(readTablePushes(JSON.stringify({ metrics })));
  return { clock, gateway, push, page, json };
}

test('replacing is upstream: POST by family, PUT by group', async () => {
  const { push, page } = make();
  await push('j', 'a{x="1"} 1\na{x="2"} 2\nb 1\n');
  await push('j', 'a{x="1"} 5\n');
  assert.deepEqual(await page(), ['a{x="1"} 5', 'b 1']);
  await push('j', 'c 1\n', '', true);
  assert.deepEqual(await page(), ['c 1']);
});

test('merging keeps series of the same family that are not pushed again', async () => {
  const { push, page } = make();
  await push('j', 'a{x="1"} 1\na{x="2"} 2\n', 'merge=merge');
  await push('j', 'a{x="1"} 5\na{x="3"} 3\n');
  assert.deepEqual(await page(), ['a{x="1"} 5', 'a{x="2"} 2', 'a{x="3"} 3']);
});

test('adding sums counters, histograms and summaries, sets gauges, and knows a repeated push', async () => {
  const { push, page } = make();
  const body = [
    '# TYPE c counter\nc 2\n# TYPE g gauge\ng 7\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
    '# TYPE c counter\nc 3\n# TYPE g gauge\ng 1\n# TYPE h histogram\nh_bucket{le="2"} 4\nh_bucket{le="+Inf"} 5\nh_sum 9\nh_count 5\n',
  ];
  await push('j', body[0]!, 'merge=add&push_id=one');
  await push('j', body[1]!, 'push_id=two');
  await push('j', body[1]!, 'push_id=two');
  assert.deepEqual(await page(), [
    'c 5',
    'g 1',
    'h_bucket{le="1"} 1',
    'h_bucket{le="2"} 5',
    'h_bucket{le="+Inf"} 7',
    'h_sum 12',
    'h_count 7',
  ]);
});

test('series that are not pushed again are cleared, zeroed or kept', async () => {
  for (const [absent, expected] of [
    ['clear', ['a{x="1"} 5']],
    ['zero', ['a{x="1"} 5', 'a{x="2"} 0', 'b 0']],
    ['keep', ['a{x="1"} 5', 'a{x="2"} 2', 'b 1']],
  ] as const) {
    const { push, page } = make();
    await push('j', 'a{x="1"} 1\na{x="2"} 2\nb 1\n', `absent=${absent}`);
    await push('j', 'a{x="1"} 5\n', '', true);
    assert.deepEqual(await page(), expected, absent);
  }
});

test('a group expires when its time to live has passed since the last push', async () => {
  const { clock, gateway, push, page } = make();
  await push('j', 'a 1\n', 'ttl=10m');
  await clock.advance(9 * 60_000);
  await push('j', 'a 2\n');
  await clock.advance(9 * 60_000);
  await gateway.tick();
  assert.deepEqual(await page(), ['a 2']);
  await clock.advance(60_000);
  await gateway.tick();
  assert.deepEqual(await page(), []);
});

test('after a pull a series is gone for that reader only; a look without a name consumes nothing', async () => {
  const { clock, gateway, push, page } = make();
  await push('j', 'a 1\n', 'pull=clear&merge=merge');
  assert.deepEqual(await page(), ['a 1']);
  assert.deepEqual(await page('one'), ['a 1']);
  assert.deepEqual(await page('one'), []);
  assert.deepEqual(await page('two'), ['a 1']);
  await push('j', 'b 1\n');
  assert.deepEqual(await page('one'), ['b 1']);
  // A page that was made but not sent does not count.
  assert.equal(
    gateway.page('two').families.some((family) => family.name === 'b'),
    true,
  );
  assert.deepEqual(await page('two'), ['b 1']);
  await clock.advance(1000);
  await gateway.tick();
  assert.deepEqual(await page(), [], 'what every reader has got is dropped');
});

test('reset after a pull shows 0 until the next push', async () => {
  const { push, page } = make();
  await push('j', 'a 4\n', 'pull=reset');
  assert.deepEqual(await page('one'), ['a 4']);
  assert.deepEqual(await page('one'), ['a 0']);
  await push('j', 'a 5\n');
  assert.deepEqual(await page('one'), ['a 5']);
});

test('push_up tells of each pusher, and a dead one no longer speaks', async () => {
  const { clock, push, page } = make();
  await push('alive', 'a 1\n', 'interval=10s');
  await push('dead', 'b 1\n', 'interval=10s');
  await clock.advance(25_000);
  await push('alive', 'a 2\n');
  assert.deepEqual(await page(), ['a 2', 'b 1', 'push_up 1', 'push_up 1']);
  await clock.advance(10_000);
  assert.deepEqual(await page(), ['a 2', 'push_up 1', 'push_up 0']);
});

test('a mistake in an option or a push changes nothing but the failure time', async () => {
  const { push, page, gateway } = make();
  await push('j', 'a 1\n');
  await assert.rejects(async () => push('j', 'a 2\n', 'merge=sum'), /expected one of replace, merge, add/);
  await assert.rejects(push('j', 'a{x="1"} 1\na{x="1"} 2\n'), /was collected before/);
  await assert.rejects(push('other', '# TYPE a counter\na 1\n'), /is not a UNTYPED/);
  assert.deepEqual(await page(), ['a 1']);
  assert.deepEqual(
    [...gateway.state.groups.values()].map((group) => group.failedAt),
    [1_000_000, 1_000_000],
  );
});

test('tables pushed as JSON follow their policies', async () => {
  const { json, page } = make();
  const base = { labels: ['m'], describe: 'd' };
  await json({
    t: {
      ...base,
      data: [
        [['get'], 4],
        [['post'], 5],
      ],
    },
    plain: { data: [[[], 1]] },
  });
  assert.deepEqual(await page(), ['plain 1', 't{m="get"} 4', 't{m="post"} 5'], 'every metric is processed');
  await json({
    t: {
      exist_update_type: 'add',
      exist_not_update_type: 'reset',
      data: [
        [['get'], 1],
        [['put'], 2],
      ],
    },
  });
  assert.deepEqual(await page(), ['plain 1', 't{m="get"} 5', 't{m="post"} 0', 't{m="put"} 2']);
  await json({
    t: {
      exist_update_type: 'keep',
      exist_not_update_type: 'clear',
      not_exist_update_type: 'reset',
      data: [
        [['get'], 9],
        [['new'], 9],
      ],
    },
  });
  assert.deepEqual(await page(), ['plain 1', 't{m="get"} 5', 't{m="new"} 0']);
  await json({ t: { exist_update_type: 'clear', exist_not_update_type: 'keep', data: [[['get'], 9]] } });
  assert.deepEqual(await page(), ['plain 1', 't{m="new"} 0']);
});

test('JSON: both spellings, clearing after a pull per reader, and refusals that change nothing', async () => {
  const { json, page } = make();
  await json({ t: { lables: ['m'], push_deal_type: 'clear', data: [[['a'], 1]] } });
  assert.deepEqual(await page(), ['t{m="a"} 1']);
  assert.deepEqual(await page('one'), ['t{m="a"} 1']);
  assert.deepEqual(await page('one'), []);
  assert.deepEqual(await page('two'), ['t{m="a"} 1']);
  await assert.rejects(json({ u: { data: [[[], 1]] }, t: { data: [[['a', 'b'], 1]] } }), /2 label values for 1 labels/);
  await assert.rejects(async () => json({ t: { exist_update_type: 'sum', data: [] } }), /expected one of update/);
  assert.deepEqual(await page(), ['t{m="a"} 1']);
});
