import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { UserError } from '#base/errors.ts';
import { parseFlags } from '#base/flags.ts';
import { seeded } from '#base/random.ts';
import { labelsOf } from '#model/labels.ts';
import { Backfill } from '#store/backfill.ts';
import { dump } from '#store/tool/dump.ts';
import { prometheus, startPrometheus } from '../../../test/prometheus.ts';
import { createFromRules } from './backfill-rules.ts';

const HOUR = 3_600_000;

const RULES = `groups:
  - name: loads
    interval: 5m
    rules:
      - {record: 'host:load:sum', expr: sum by (host) (load), labels: {source: backfill}}
      - {alert: High, expr: load > 5}
      - {record: 'load:rate5m', expr: 'rate(requests_total[5m])'}
`;

async function run(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const { flags, operands } = parseFlags(createFromRules.flags, args);
  let [out, err] = ['', ''];
  const streams = {
    out: (text: string) => void (out += text),
    err: (text: string) => void (err += text),
    stdin: async () => '',
  };
  return { code: await createFromRules.run(flags as never, operands, streams), out, err };
}

test('recording rules become blocks of what a server answers for them', { skip: prometheus.skip }, async (t) => {
  const root = mkdtempSync(`${tmpdir()}/pharos-rules-`);
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const start = Math.floor(Date.now() / HOUR) * HOUR - 9 * HOUR;
  nodeDisk.makeFolder(`${root}/data`);
  const backfill = new Backfill({ disk: nodeDisk, folder: `${root}/data`, random: seeded(3), nowMs: start });
  for (let k = 0; k < 480; k++) {
    for (let i = 0; i < 6; i++) {
      const labels = { host: `h${i % 2}`, cpu: String(i) };
      backfill.add(backfill.series(labelsOf({ __name__: 'load', ...labels })), start + k * 60_000, k + i / 4);
      backfill.add(
        backfill.series(labelsOf({ __name__: 'requests_total', ...labels })),
        start + k * 60_000,
        k * 60 * (i + 1),
      );
    }
  }
  backfill.finish();
  writeFileSync(`${root}/rules.yml`, RULES);
  const server = await startPrometheus(`${root}/data`, { flags: ['--storage.tsdb.retention.time=30d'] });
  t.after(() => server.end('SIGKILL'));
  const range = [`--start=${start / 1000 + 3600}`, `--end=${new Date(start + 7 * HOUR).toISOString()}`];
  const done = await run([`--url=${server.url}`, ...range, `--output-dir=${root}/out/`, `${root}/rules.yml`]);
  assert.deepEqual([done.code, done.err], [0, '']);
  assert.match(done.out, /^BLOCK ULID .*\n01/);
  const everything = { range: { min: 0, max: 2 ** 52 }, matchers: [], format: 'lines' as const };
  const lines = [...dump(nodeDisk, `${root}/out`, everything)].join('').trimEnd().split('\n');
  assert.equal(lines.length, 2 * 72 + 6 * 72);
  const random = seeded(9);
  for (let i = 0; i < 20; i++) {
    const line = lines[random.below(lines.length)]!;
    const [, name, host, cpu, value, time] =
      /^\{__name__="([^"]+)"(?:, cpu="(?<cpu>\d)")?, host="(h\d)"(?:, source="backfill")?\} (\S+) (\d+)$/
        .exec(line)!
        .map((part, at, all) => [part, all[1], all[3], all[2], all[4], all[5]][at]);
    const query = name === 'load:rate5m' ? `rate(requests_total{cpu="${cpu}"}[5m])` : `sum(load{host="${host}"})`;
    const answer = (await server.get(
      `/api/v1/query?query=${encodeURIComponent(query)}&time=${Number(time) / 1000}`,
    )) as { result: { value: [number, string] }[] };
    assert.equal(Number(value), Number(answer.result[0]!.value[1]), line);
  }
  await assert.rejects(
    run([`--url=${server.url}`, '--start=2', '--end=1', `${root}/rules.yml`]),
    (error) => error instanceof UserError && /--end must be after --start/.test(error.message),
  );
  await assert.rejects(run([`--url=http://127.0.0.1:1`, ...range, `${root}/rules.yml`]), /refused/);
});
