// What scraping costs a whole program, Pharos or its peer: targets that are paths of one server, CPU time per scrape and per sample,
// memory, and whether scrapes were missed or late. By default a small run of Pharos; see docs/performance.md for the large ones.

import { type ChildProcess, fork, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { peer } from './peers.ts';
import { freePort, PHAROS } from './programs.ts';

const isFull = process.env['PHAROS_BENCH'] === 'full';
const setting = (name: string, tiny: number, full: number) =>
  Number(process.env[`SCRAPING_${name}`] ?? (isFull ? full : tiny));
const TARGETS = setting('TARGETS', 5, 10_000);
const SERIES = setting('SERIES', 20, 100);
const INTERVAL_S = setting('INTERVAL', 1, 15);
const WARM_S = setting('WARM', 1, 45);
const SECONDS = setting('SECONDS', 2, 60);
const ENCODING = process.env['SCRAPING_ENCODING'] ?? '';
const PROGRAM = process.env['SCRAPING_PROGRAM'] ?? 'pharos';

type Report = { readonly scrapes: number; readonly missed: number; readonly late: number };

/** The targets: a process of its own, so that its CPU time is not the program's. */
function serve(): void {
  const times: number[][] = Array.from({ length: TARGETS }, () => []);
  const names = Array.from({ length: SERIES }, (_, i) =>
    i % 10 === 0
      ? `# HELP work_${i / 10}_seconds_total Time spent at work of kind ${i / 10}.\n# TYPE work_${i / 10}_seconds_total counter\n`
      : '',
  ).map((head, i) => `${head}work_${Math.floor(i / 10)}_seconds_total{kind="k${i % 10}",mode="ordinary"} `);
  const server = http.createServer((request, response) => {
    const target = Number(request.url!.slice(1));
    const mine = times[target]!;
    mine.push(performance.now());
    let text = '';
    for (let i = 0; i < names.length; i++)
      text += `${names[i]}${mine.length * (i + 1) + ((target * 7 + i) % 10) / 4}\n`;
    const headers: http.OutgoingHttpHeaders = { 'content-type': 'text/plain; version=0.0.4' };
    let body = Buffer.from(text);
    if (ENCODING !== '' && request.headers['accept-encoding']?.includes(ENCODING)) {
      headers['content-encoding'] = ENCODING;
      if (ENCODING === 'gzip') body = zlib.gzipSync(body, { level: 1 });
      else if (ENCODING === 'zstd') body = zlib.zstdCompressSync(body);
      else body = zlib.deflateSync(body, { level: 1 });
    }
    response.writeHead(200, { ...headers, 'content-length': body.length }).end(body);
  });
  server.keepAliveTimeout = 120_000;
  server.listen(0, '127.0.0.1', 4096, () => process.send!({ port: (server.address() as AddressInfo).port }));
  let from = 0;
  process.on('message', (message) => {
    if (message === 'begin') {
      from = performance.now();
      return;
    }
    if (message === 'seen') {
      process.send!({ seen: times.filter((list) => list.length > 0).length });
      return;
    }
    const to = performance.now();
    let [scrapes, late, missed] = [0, 0, 0];
    for (const list of times) {
      const own = list.filter((time) => time >= from && time < to).length;
      scrapes += own;
      missed += Math.max(0, Math.floor((to - from) / 1000 / INTERVAL_S) - own);
      for (let i = 1; i < list.length; i++) {
        if (list[i]! >= from && list[i]! - list[i - 1]! > INTERVAL_S * 1100) late++;
      }
    }
    process.send!({ scrapes, missed, late } satisfies Report);
  });
}

const answer = <T>(child: ChildProcess, question?: string) =>
  new Promise<T>((resolve) => {
    child.once('message', (message) => resolve(message as T));
    if (question !== undefined) child.send(question);
  });
const wait = (seconds: number) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

function used(pid: number): { readonly cpuSeconds: number; readonly rssMb: number } {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  const rss = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))![1]!;
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, rssMb: Number(rss) / 1024 };
}

async function run(): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-scraping-'));
  const generator = fork(import.meta.filename, { env: { ...process.env, SCRAPING_SERVE: '1' } });
  const { port } = await answer<{ port: number }>(generator);
  const groups = Array.from(
    { length: TARGETS },
    (_, i) => `      - targets: ['127.0.0.1:${port}']\n        labels: {__metrics_path__: /${i}, number: '${i}'}\n`,
  );
  const config = `global:\n  scrape_interval: ${INTERVAL_S}s\n  scrape_timeout: ${INTERVAL_S}s\nscrape_configs:\n  - job_name: bench\n    static_configs:\n${groups.join('')}`;
  fs.writeFileSync(`${folder}/config.yml`, config);
  const web = await freePort();
  const [command, ...first] = PROGRAM === 'pharos' ? [PHAROS, 'server'] : [peer(PROGRAM, PROGRAM).path];
  const flags = ['--config.file', `${folder}/config.yml`, '--storage.tsdb.path', `${folder}/data`];
  const program = spawn(
    command!,
    [...first, ...flags, '--web.listen-address', `127.0.0.1:${web}`, '--log.level', 'warn'],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  try {
    while ((await answer<{ seen: number }>(generator, 'seen')).seen < TARGETS) await wait(0.2);
    const first = used(program.pid!);
    await wait(WARM_S);
    generator.send('begin');
    const before = used(program.pid!);
    await wait(SECONDS);
    const after = used(program.pid!);
    const { scrapes, missed, late } = await answer<Report>(generator, 'report');
    const cpu = after.cpuSeconds - before.cpuSeconds;
    if (scrapes === 0) throw new Error('nothing was scraped');
    console.log(
      `  ${PROGRAM}: ${TARGETS} targets of ${SERIES} series every ${INTERVAL_S} s: ${((cpu / scrapes) * 1e6).toFixed(0)} us CPU a scrape, ` +
        `${((cpu / scrapes / SERIES) * 1e6).toFixed(2)} s a million samples, ${(cpu / SECONDS).toFixed(3)} cores, ${after.rssMb.toFixed(0)} MiB, ` +
        `${missed} missed, ${late} late of ${scrapes}; ${first.cpuSeconds.toFixed(2)} s CPU until all were seen`,
    );
  } finally {
    const ended = new Promise((resolve) => program.once('exit', resolve));
    program.kill('SIGTERM');
    await ended;
    generator.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

if (process.env['SCRAPING_SERVE']) serve();
else await run();
