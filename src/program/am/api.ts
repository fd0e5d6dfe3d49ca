// How `pharos am` talks to an alertmanager: where it is, as whom, and what comes back.

import os from 'node:os';
import path from 'node:path';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { object, optional, string } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { OperatingError, UserError } from '#base/errors.ts';
import type { FlagTable, FlagValues } from '#base/flags.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { httpClientFrom, httpClientSection } from '#clients/http/config.ts';
import { type ToolCommand, toolCommand } from '../tool/command.ts';

export const API_FLAGS = {
  'alertmanager.url': { kind: 'text', default: '', help: 'Alertmanager to talk to.' },
  output: {
    kind: 'text',
    short: 'o',
    default: '',
    values: ['simple', 'extended', 'json', ''],
    help: 'How to print: simple, extended or json.',
  },
  timeout: { kind: 'duration', default: 30_000, help: 'How long the command may take.' },
  'http.config.file': { kind: 'text', default: '', help: 'File with the HTTP client configuration.' },
} as const satisfies FlagTable;

/** The parts of a command in the order in which they are read. */
export const amCommand = <const T extends FlagTable>(
  name: string,
  operands: string,
  summary: string,
  flags: T,
  run: ToolCommand<T>['run'],
): ToolCommand => toolCommand({ name, operands, summary, flags, run });

type ApiFlags = FlagValues<typeof API_FLAGS>;

const settingsSchema = object({
  'alertmanager.url': optional(string()),
  author: optional(string()),
  comment_required: optional(string()),
  output: optional(string()),
  'http.config.file': optional(string()),
  'date.format': optional(string()),
  receiver: optional(string()),
});

/** Defaults that users keep in amtool's files: their own, then the machine's. */
export function settings(): {
  readonly url: string;
  readonly author: string;
  readonly output: string;
  readonly httpConfig: string;
} {
  const files = [path.join(os.homedir(), '.config', 'amtool', 'config.yml'), '/etc/amtool/config.yml'];
  const all = files
    .filter((file) => nodeDisk.exists(file))
    .map((file) => loadYaml(new TextDecoder().decode(nodeDisk.readFile(file)), settingsSchema, file));
  const first = (name: 'alertmanager.url' | 'author' | 'output' | 'http.config.file') =>
    all.map((s) => s[name]).find(Boolean) ?? '';
  return {
    url: first('alertmanager.url'),
    author: first('author'),
    output: first('output'),
    httpConfig: first('http.config.file'),
  };
}

export const outputOf = (flags: Pick<ApiFlags, 'output'>): string => flags.output || settings().output || 'simple';

const REPLY_BYTES = 256 << 20;

export async function callApi<T>(flags: ApiFlags, method: string, what: string, body?: unknown): Promise<T> {
  const base = flags['alertmanager.url'] || settings().url;
  if (base === '') throw new UserError('required flag --alertmanager.url not provided');
  const file = flags['http.config.file'] || settings().httpConfig;
  const config =
    file === ''
      ? undefined
      : httpClientFrom(loadYaml(new TextDecoder().decode(nodeDisk.readFile(file)), httpClientSection, file), (name) =>
          path.resolve(path.dirname(file), name),
        );
  const http = createHttpClient(config, { clock: systemClock, disk: nodeDisk, environment: process.env });
  try {
    const url = new URL(base);
    const credentials = url.username
      ? {
          authorization: `Basic ${Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`).toString('base64')}`,
        }
      : {};
    url.username = '';
    url.password = '';
    const reply = await http.call({
      url: `${url.href.replace(/\/$/, '')}/api/v2/${what}`,
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(credentials as Record<string, string>),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: flags.timeout,
      maxBodyBytes: REPLY_BYTES,
    });
    const text = reply.body.toString('utf8');
    if (reply.status >= 300)
      throw new OperatingError('api', `[${method} /${what.split('?')[0]}][${reply.status}] ${text.trim()}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  } finally {
    http.close();
  }
}

/** Columns of equal width, two blanks apart, as amtool's tables. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, [...cell].length);
  return rows
    .map((row) => row.map((cell, i) => cell + ' '.repeat(widths[i]! - [...cell].length + 2)).join(''))
    .map((line) => `${line}\n`)
    .join('');
}

/** As amtool writes times. */
export const shownTime = (text: string): string => `${new Date(text).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
