// How commands ask a running server: its address, the client's configuration file, what its API answers.

import path from 'node:path';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { FlagTable } from '#base/flags.ts';
import { createHttpClient, type HttpClient } from '#clients/http/client.ts';
import { httpClientFrom, httpClientSection } from '#clients/http/config.ts';
import { goQuote } from '#query/parse/quote.ts';
import type { Streams } from './command.ts';

const TIMEOUT_MS = 120_000;
const MAX_REPLY_BYTES = 1 << 30;

export const HTTP_FLAGS = {
  'http.config.file': { kind: 'text', default: '', help: 'File with the HTTP client configuration.' },
} as const satisfies FlagTable;

export const HEADER_FLAG = {
  header: { kind: 'texts', default: [], help: 'Header for the server, as name=value. Can be repeated.' },
} as const satisfies FlagTable;

export type LabelRecord = Readonly<Record<string, string>>;

/** With the configuration in a file; '' for none. */
export function clientFor(configFile: string): HttpClient {
  const config =
    configFile === ''
      ? undefined
      : httpClientFrom(
          loadYaml(new TextDecoder().decode(nodeDisk.readFile(configFile)), httpClientSection, configFile),
          (name) => path.resolve(path.dirname(configFile), name),
        );
  return createHttpClient(config, { clock: systemClock, disk: nodeDisk, environment: process.env });
}

export function headersOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 0) throw new UserError(`expected KEY=VALUE but got ${JSON.stringify(text)}`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

export async function fetchBytes(
  url: string,
  configFile: string,
  form?: URLSearchParams,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: Buffer }> {
  const http = clientFor(configFile);
  try {
    const reply = await http.call({
      url,
      method: form ? 'POST' : 'GET',
      headers: { ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}), ...headers },
      ...(form ? { body: form.toString() } : {}),
      timeoutMs: TIMEOUT_MS,
      maxBodyBytes: MAX_REPLY_BYTES,
    });
    return { status: reply.status, body: reply.body };
  } finally {
    http.close();
  }
}

export const withScheme = (server: string): string =>
  (/^https?:\/\//.test(server) ? server : `http://${server}`).replace(/\/$/, '');

/** The `data` of an answer; what the server refuses is printed as promtool prints it, and gives undefined. */
export async function askServer(
  server: string,
  what: string,
  form: URLSearchParams | undefined,
  configFile: string,
  streams: Streams,
  headers?: Readonly<Record<string, string>>,
): Promise<unknown> {
  const failed = (why: string) => {
    streams.err(`query error: ${why}\n`);
    return undefined;
  };
  try {
    const { status, body } = await fetchBytes(`${withScheme(server)}/api/v1/${what}`, configFile, form, headers);
    const text = body.toString('utf8');
    const answer = JSON.parse(text) as { status: string; errorType?: string; error?: string; data?: unknown };
    if (answer.status !== 'success') return failed(`${answer.errorType ?? status}: ${answer.error ?? text.trim()}`);
    return answer.data ?? [];
  } catch (error) {
    return failed(errorText(error));
  }
}

/** Seconds since 1970. */
export function timeOf(text: string, what: string): number {
  const asNumber = Number(text);
  const value = text.trim() !== '' && Number.isFinite(asNumber) ? asNumber : Date.parse(text) / 1000;
  if (!Number.isFinite(value)) {
    throw new UserError(`error parsing ${what} time: cannot parse ${goQuote(text)} to a valid timestamp`);
  }
  return value;
}

export function labelsText(labels: LabelRecord, withName: boolean): string {
  const name = withName ? (labels['__name__'] ?? '') : '';
  const rest = Object.entries(labels)
    .filter(([key]) => !withName || key !== '__name__')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${goQuote(value)}`);
  return rest.length === 0 && name !== '' ? name : `${name}{${rest.join(', ')}}`;
}

export function required(operands: readonly string[], ...names: string[]): string[] {
  names.forEach((name, i) => {
    if (operands[i] === undefined) throw new UserError(`required argument '${name}' not provided`);
  });
  return [...operands];
}
