// How `pharos am` talks to an alertmanager: where it is, as whom, and what comes back.

import path from 'node:path';
import type { MatcherMode } from '#alert/match/parse.ts';
import { GoTime } from '#alert/template/time.ts';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { OperatingError, UserError } from '#base/errors.ts';
import type { FlagTable, FlagValues } from '#base/flags.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { httpClientFrom, httpClientSection } from '#clients/http/config.ts';
import { ALERTMANAGER_FEATURES } from '../alertmanager-flags.ts';
import { type ToolCommand, toolCommand } from '../tool/command.ts';
import { alertmanagerBuildInfo } from '../version.ts';

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
  'date.format': {
    kind: 'text',
    default: '2006-01-02 15:04:05 MST',
    help: "How to print times, as a layout of Go's package time.",
  },
  'version-check': { kind: 'boolean', default: true, help: "Warn when the alertmanager's version is another one." },
  'enable-feature': {
    kind: 'text',
    default: '',
    help: 'How matchers are read, and nothing else: classic-mode or utf8-strict-mode.',
  },
  verbose: { kind: 'boolean', short: 'v', default: false, hidden: true, help: 'Accepted; there is no more to tell.' },
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

export const outputOf = (flags: Pick<ApiFlags, 'output'>): string => flags.output || 'simple';

/** How the command reads matchers. */
export function modeOf(flags: Pick<ApiFlags, 'enable-feature'>): MatcherMode {
  const features = flags['enable-feature'].split(',').filter(Boolean);
  for (const name of features)
    if (!ALERTMANAGER_FEATURES.some((known) => known === name))
      throw new UserError(`unknown option '${name}' for --enable-feature`);
  if (features.includes('classic-mode')) return 'classic';
  return features.includes('utf8-strict-mode') ? 'utf8-strict' : 'fallback';
}

/** Says so when the alertmanager is of another release; one that cannot be asked will be heard of soon enough. */
export async function checkVersion(flags: ApiFlags, err: (text: string) => void): Promise<void> {
  const own = alertmanagerBuildInfo().version;
  const release = (version: string) => version.split('.').slice(0, 2).join('.');
  try {
    const { versionInfo } = await callApi<{ versionInfo: { version: string } }>(flags, 'GET', 'status');
    if (release(versionInfo.version) === release(own)) return;
    err(`Warning: amtool version (${own}) and alertmanager version (${versionInfo.version}) are different.\n`);
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error;
  }
}

const REPLY_BYTES = 256 << 20;

export async function callApi<T>(flags: ApiFlags, method: string, what: string, body?: unknown): Promise<T> {
  const base = flags['alertmanager.url'];
  if (base === '') throw new UserError('required flag --alertmanager.url not provided');
  const file = flags['http.config.file'];
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

/** As the flag has it; amtool's own way if it says nothing. */
export const shownTime = (text: string, flags: Pick<ApiFlags, 'date.format'>): string =>
  new GoTime(Date.parse(text)).format(flags['date.format']);
