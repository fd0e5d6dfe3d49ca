// A real Prometheus for tests: started on a data folder and a free port, fed by remote write, asked over its API, ended
// gently or not.

import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { peer } from './peers.ts';

export const prometheus = peer('prometheus', 'prometheus');

export type RunningPrometheus = {
  readonly url: string;
  get(path: string): Promise<unknown>;
  post(path: string, headers: Record<string, string>, body: Uint8Array): Promise<number>;
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
};

export async function startPrometheus(
  folder: string,
  { config = 'global: {}\n', flags = [] as readonly string[] } = {},
): Promise<RunningPrometheus> {
  const port = await freePort();
  const file = `${folder}.yml`;
  fs.writeFileSync(file, config);
  const child = spawn(
    prometheus.path,
    [
      `--config.file=${file}`,
      `--storage.tsdb.path=${folder}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      '--web.enable-admin-api',
      ...flags,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr!.on('data', (data) => {
    log += data;
  });
  const url = `http://127.0.0.1:${port}`;
  const running: RunningPrometheus = {
    url,
    async get(path) {
      const { status, body } = await request(`${url}${path}`, 'GET', {});
      const answer = JSON.parse(body.toString()) as { status: string; error?: string; data: unknown };
      if (status !== 200) throw new Error(`${path}: ${answer.error}`);
      return answer.data;
    },
    post: async (path, headers, body) => {
      const answer = await request(`${url}${path}`, 'POST', headers, body);
      if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.body}`);
      return answer.status;
    },
    end: (signal) => ended(child, signal),
  };
  for (let attempt = 0; attempt < 300; attempt++) {
    if (child.exitCode !== null) throw new Error(`prometheus has ended:\n${log}`);
    const ready = await request(`${url}/-/ready`, 'GET', {}).catch(() => undefined);
    if (ready?.status === 200) return running;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await ended(child, 'SIGKILL');
  throw new Error(`prometheus does not become ready:\n${log}`);
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function request(
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: Uint8Array,
): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts) }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
