// Commands that came with later promtools, against Debian's promtool where it has them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { decodeWriteV1 } from '#wire/remote/write-v1.ts';
import { snappyDecode } from '#wire/snappy.ts';
import { SUCCESS } from './command.ts';
import { lintPage } from './page-lint.ts';
import { TOOL_COMMANDS } from './tool.ts';

const PROMTOOL = ['/usr/bin/promtool'].find((file) => fs.existsSync(file));

const PAGE = `# HELP foo_milliseconds x
# TYPE foo_milliseconds gauge
foo_milliseconds 1
# TYPE bar counter
bar{camelCase="x"} 2
# HELP baz_total t
# TYPE baz_total gauge
baz_total 3
# HELP h_bucket h
# TYPE h_bucket gauge
h_bucket{le="1"} 3
# HELP q q
# TYPE q gauge
q{quantile="0.5"} 3
# HELP my_counter_x c
# TYPE my_counter_x counter
my_counter_x 1
# HELP a:b c
# TYPE a:b gauge
a:b 1
# HELP camelName c
# TYPE camelName gauge
camelName 1
# HELP x_ms c
# TYPE x_ms gauge
x_ms 1
# HELP lat_seconds c
# TYPE lat_seconds histogram
lat_seconds_bucket{le="1"} 1
lat_seconds_bucket{le="+Inf"} 1
lat_seconds_sum 1
lat_seconds_count 1
untyped_thing_minutes 5
`;

async function run(name: string, flags: Record<string, unknown>, operands: readonly string[], stdin = '') {
  const command = TOOL_COMMANDS.find((one) => one.name === name)!;
  const defaults = Object.fromEntries(
    Object.entries(command.flags).map(([key, flag]) => [key, flag.default ?? (flag.kind === 'texts' ? [] : undefined)]),
  );
  const written = { out: '', err: '' };
  const code = await command.run({ ...defaults, ...flags } as Parameters<typeof command.run>[0], operands, {
    out: (text) => void (written.out += text),
    err: (text) => void (written.err += text),
    stdin: async () => stdin,
  });
  return { code, ...written };
}

test('check metrics finds what promtool finds', {
  skip: PROMTOOL ? false : 'promtool is not installed (Debian: prometheus)',
}, async () => {
  const theirs = spawnSync(PROMTOOL!, ['check', 'metrics'], { input: PAGE });
  const ours = await run('check metrics', {}, [], PAGE);
  assert.deepEqual([ours.code, ours.err], [theirs.status, theirs.stderr.toString()]);
});

test('check metrics: cardinality, nothing to do, nonsense', async () => {
  const extended = await run('check metrics', { extended: true, lint: 'none' }, [], PAGE);
  assert.equal(extended.code, SUCCESS);
  assert.match(
    extended.out,
    /^Metric +Cardinality +Percentage +\nlat_seconds +4 +28\.57% +\n[\s\S]*\nTotal +14 +100% +\n$/,
  );
  assert.equal((await run('check metrics', { lint: 'none' }, [], PAGE)).code, 1);
  assert.match((await run('check metrics', {}, [], 'a{\n')).err, /^error while linting: /);
  assert.deepEqual(lintPage([]), []);
});

test('push metrics sends every series with its labels; a refusal fails', async (t) => {
  const seen: { labels: readonly string[]; value: number }[] = [];
  const headers: http.IncomingHttpHeaders[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (bytes: Buffer) => chunks.push(bytes));
    request.on('end', () => {
      headers.push(request.headers);
      if (request.url !== '/api/v1/write') return response.writeHead(400).end('no');
      let labels: readonly string[] = [];
      const nothing = () => {};
      decodeWriteV1(snappyDecode(Buffer.concat(chunks), 1 << 20), {
        series: (own) => void (labels = own),
        sample: (_, __, low, high) =>
          void seen.push({ labels, value: new Float64Array(new Uint32Array([low, high]).buffer)[0]! }),
        ...{ histogram: nothing, exemplar: nothing, metadata: nothing, seriesMetadata: nothing, invalid: nothing },
      });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const page = 'a{job="x",b="c"} 5\nh_bucket{le="1"} 2\n';
  const pushed = await run('push metrics', { label: ['job=j'], header: ['x-own=1'] }, [url], page);
  assert.deepEqual([pushed.code, pushed.err], [SUCCESS, '']);
  assert.deepEqual(seen, [
    { labels: ['__name__', 'a', 'b', 'c', 'exported_job', 'x', 'job', 'j'], value: 5 },
    { labels: ['__name__', 'h_bucket', 'job', 'j', 'le', '1'], value: 2 },
  ]);
  assert.equal(headers[0]!['x-own'], '1');
  assert.match(pushed.out, /Parsing standard input\n {2}SUCCESS: metrics pushed to remote write\.\n/);
  const refused = await run('push metrics', {}, [`${url}/elsewhere`], page);
  assert.deepEqual([refused.code, refused.err], [1, '  FAILED: server returned HTTP status 400: no\n']);
  const two = await run('push metrics', { protobuf_message: 'x' }, [url], page);
  assert.match(two.err, /invalid protobuf message "x"/);
});

test('debug metrics makes an archive that tar reads', async (t) => {
  const server = http.createServer((_, response) => response.end('up 1\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-debug-'));
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => {
    process.chdir(before);
    server.close();
    fs.rmSync(folder, { recursive: true });
  });
  const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  assert.equal((await run('debug metrics', {}, [url])).code, SUCCESS);
  const archive = zlib.gunzipSync(fs.readFileSync('debug.tar.gz'));
  assert.equal(archive.subarray(0, 11).toString(), 'metrics.txt');
  assert.equal(archive.subarray(512, 517).toString(), 'up 1\n');
  const shown = spawnSync('tar', ['xzOf', 'debug.tar.gz', 'metrics.txt']);
  assert.equal(shown.stdout.toString(), 'up 1\n');
});

test('query analyze counts populated buckets', async (t) => {
  const series = (le: string, values: number[]) => ({
    metric: { __name__: 'h_bucket', job: 'j', le },
    values: values.map((value, i) => [i, String(value)]),
  });
  const native = (counts: number[]) => ({
    metric: { __name__: 'n' },
    histograms: counts.map((count, i) => [
      i,
      { buckets: Array.from({ length: count }, (_, b) => [0, String(b), String(b + 1), '1']) },
    ]),
  });
  const result = [series('+Inf', [3, 4]), series('1', [1, 1]), series('2', [1, 3]), native([1, 3])];
  const server = http.createServer((_, response) =>
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } })),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const { code, out } = await run('query analyze', { server: url, type: 'histogram', match: ['h_bucket'] }, []);
  assert.equal(code, SUCCESS);
  assert.match(out, /- n \(native\): 1\/2\.000\/3\n- h_bucket\{job="j"\} \(classic\): 2\/2\.500\/3\n/);
  assert.match(out, /Native histogram series \(1 in total\):\n- min populated: 1\/1\.000\/1\n/);
});

test('check service-discovery shows targets before and after relabeling', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-sd-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'p.yml');
  fs.writeFileSync(
    file,
    `scrape_configs:
- job_name: one
  static_configs: [{ targets: ['a:1'], labels: { x: y } }, { targets: ['b:1'] }]
  relabel_configs: [{ source_labels: [__address__], regex: 'b.*', action: drop }]
`,
  );
  const { code, out } = await run('check service-discovery', { timeout: 1 }, [file, 'one']);
  const results = JSON.parse(out) as { discoveredLabels: Record<string, string>; labels: Record<string, string> }[];
  assert.equal(code, SUCCESS);
  assert.deepEqual(
    results.map(({ discoveredLabels, labels }) => [discoveredLabels['__address__'], labels['instance'], labels['x']]),
    [
      ['a:1', 'a:1', 'y'],
      ['b:1', undefined, undefined],
    ],
  );
  const unknown = await run('check service-discovery', {}, [file, 'two']);
  assert.deepEqual([unknown.code, unknown.err], [1, 'Job two not found. Select one of:\n\tone\n']);
});
