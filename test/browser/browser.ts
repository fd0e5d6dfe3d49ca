// For tests of the pages: a role of Pharos that ends with its test file, a browser beside it, and pages that note every
// fault of their own and every request that leaves the server.

import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { peer } from '../peers.ts';
import { eventually, freePort } from '../running.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const AXE = fs.readFileSync(path.join(ROOT, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
const READY_MS = 60_000;
const browserPeer = peer('chromium', 'chromium');

export const skip = browserPeer.skip;

export type Visit = { readonly page: Page; readonly faults: string[]; close(): Promise<void> };

export type Pages = {
  /** Where the pages begin, without a slash at the end. */
  base(): string;
  port(): number;
  folder: string;
  visit(address: string, options?: BrowserContextOptions & { base?: string }): Promise<Visit>;
  /** Asks the API below the prefix; fails on anything but success. */
  call(method: string, address: string, body?: unknown): Promise<unknown>;
};

export type PagesOptions = {
  readonly role: 'up' | 'server' | 'alertmanager';
  readonly args?: (folder: string, port: number) => readonly string[];
  readonly prefix?: string;
  /** Below the prefix: answers with success once there is something to see. */
  readonly ready: string;
  readonly isReady?: (answer: string) => boolean;
};

/** Registers the start before the file's tests and the end after them. */
export function pagesOf({ role, args, prefix = '', ready, isReady = () => true }: PagesOptions): Pages {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-browser-'));
  let server: ChildProcess | undefined;
  let browser: Browser | undefined;
  let port = 0;
  let base = '';
  before(async () => {
    if (skip) return;
    port = await freePort();
    base = `http://127.0.0.1:${port}${prefix}`;
    const given = args?.(folder, port) ?? [`--storage.tsdb.path=${folder}/data`, '--storage.shards=1'];
    server = spawn(
      path.join(ROOT, 'pharos'),
      [role, `--web.listen-address=127.0.0.1:${port}`, ...(prefix ? [`--web.route-prefix=${prefix}`] : []), ...given],
      { stdio: 'ignore' },
    );
    await eventually(
      `pharos ${role}`,
      async () => {
        const answer = await fetch(base + ready);
        return answer.ok && isReady(await answer.text());
      },
      READY_MS,
    );
    browser = await chromium.launch({
      executablePath: browserPeer.path,
      args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
    });
  });
  after(async () => {
    await browser?.close();
    if (server && server.exitCode === null) {
      const ended = new Promise((resolve) => server!.once('exit', resolve));
      server.kill('SIGTERM');
      await ended;
    }
    fs.rmSync(folder, { recursive: true, force: true });
  });
  return {
    base: () => base,
    port: () => port,
    folder,
    visit: async (address, { base: from = base, ...options } = {}) => {
      const context = await browser!.newContext({
        viewport: { width: 1300, height: 900 },
        locale: 'en-US',
        reducedMotion: 'reduce',
        ...options,
      });
      const page = await context.newPage();
      // A guard against hanging, not a measure: machines may be busy.
      page.setDefaultTimeout(120_000);
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(String(error)));
      page.on('request', (request) => {
        const url = request.url();
        if (!url.startsWith(from) && !/^(data|blob):/.test(url)) faults.push(`asks elsewhere: ${url}`);
      });
      await page.goto(from + address);
      return { page, faults, close: () => context.close() };
    },
    call: async (method, address, body) => {
      const answer = await fetch(base + address, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${address}: ${answer.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
  };
}

/** What axe finds against WCAG 2.1 A and AA. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const result = await page.evaluate(async () => {
    // biome-ignore lint/suspicious/noExplicitAny: a global of the page, where this function runs
    const page = globalThis as any;
    const found = await page.axe.run(page.document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
    });
    return found.violations.map(
      (one: { id: string; nodes: { target: string[]; failureSummary: string }[] }) =>
        `${one.id}: ${one.nodes
          .slice(0, 3)
          .map((node) => `${node.target.join(' ')} (${node.failureSummary.split('\n').at(-1)?.trim()})`)
          .join('; ')}`,
    );
  });
  return result as string[];
}
