// Starts programs for tests, ours and others', waits until they answer, and ends them with the test. Ports are asked of the system.

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';

export const PHAROS = path.join(import.meta.dirname, '..', 'pharos');
const START_LIMIT_MS = 60_000;
const POLL_MS = 50;

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

export function temporaryFolder(t: TestContext): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-test-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export type Running = {
  readonly pid: number;
  /** What it has written to both outputs so far. */
  output(): string;
  /** Resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
};

/** Resolves when `ready` does not throw or give false any more; fails when the program ends before. */
export async function start(
  t: TestContext,
  command: string,
  args: readonly string[],
  ready: () => Promise<unknown>,
  options: { env?: NodeJS.ProcessEnv; uid?: number; gid?: number; cwd?: string } = {},
): Promise<Running> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  let ended = false;
  const end = new Promise<void>((resolve) => {
    child.on('exit', () => {
      ended = true;
      resolve();
    });
    child.on('error', (error) => {
      output += String(error);
      ended = true;
      resolve();
    });
  });
  const running: Running = {
    pid: child.pid ?? -1,
    output: () => output,
    stop(signal = 'SIGTERM') {
      if (!ended) child.kill(signal);
      return end;
    },
  };
  t.after(() => running.stop('SIGKILL'));
  const limit = Date.now() + START_LIMIT_MS;
  for (;;) {
    if (ended) throw new Error(`${command} ended before it was ready:\n${output}`);
    try {
      if ((await ready()) !== false) return running;
    } catch (error) {
      if (Date.now() > limit) throw new Error(`${command} is not ready: ${error}\n${output}`);
    }
    if (Date.now() > limit) throw new Error(`${command} is not ready\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Ready when the URL answers with a success. */
export const answers = (url: string) => async (): Promise<boolean> => (await fetch(url)).ok;
