// Bodies of the alertmanager's API and what is wrong with them: answered with statuses and codes of upstream's generated server.

import { errorText, UserError } from '#base/errors.ts';
import type { HttpRequest } from './http.ts';

/** A request that is not what the API describes. */
export class InvalidRequest extends UserError {
  readonly status: number;
  readonly code: number;
  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const missing = (what: string): InvalidRequest => new InvalidRequest(422, 602, `${what} in body is required`);
export const malformed = (what: string): InvalidRequest =>
  new InvalidRequest(400, 400, `parsing the body failed, because ${what}`);

const JSON_TYPES = /^(application\/json|\*\/\*|application\/\*)$/;

/** `name`: what the body is called when there is none. */
export async function readJson(request: HttpRequest, name: string): Promise<unknown> {
  const text = (await request.body()).toString('utf8');
  if (text === '') throw missing(name);
  const [type = ''] = String(request.headers['content-type'] ?? 'application/json').split(';');
  if (!JSON_TYPES.test(type.trim().toLowerCase()))
    throw new InvalidRequest(
      415,
      415,
      `unsupported media type ${JSON.stringify(type)}, only [application/json] are allowed`,
    );
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(errorText(error));
  }
}

/** JSON is all there is. */
export function checkAccepts(request: HttpRequest): void {
  const accepted = String(request.headers['accept'] ?? '*/*').split(',');
  if (accepted.some((one) => JSON_TYPES.test(one.split(';')[0]!.trim().toLowerCase()) || one.trim() === '')) return;
  throw new InvalidRequest(406, 406, 'unsupported media type requested, only [application/json] are available');
}

type Kind = 'string' | 'boolean';

/** A field of this kind; undefined when it is absent. */
export function field(record: Readonly<Record<string, unknown>>, name: string, kind: 'string'): string | undefined;
export function field(record: Readonly<Record<string, unknown>>, name: string, kind: 'boolean'): boolean | undefined;
export function field(record: Readonly<Record<string, unknown>>, name: string, kind: Kind): unknown {
  const value = record[name] ?? undefined;
  if (value !== undefined && typeof value !== kind) throw malformed(`${JSON.stringify(name)} is no ${kind}`);
  return value;
}

export function object(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(`${what} is no object`);
  return value as Record<string, unknown>;
}

/** Names and texts; what is null counts as empty. */
export function texts(value: unknown, what: string): Readonly<Record<string, string>> {
  const record = object(value, what);
  for (const [name, text] of Object.entries(record)) {
    if (typeof text === 'string') continue;
    if (text !== null) throw malformed(`the value of ${JSON.stringify(name)} is not text`);
    return Object.fromEntries(Object.entries(record).map(([key, one]) => [key, one === null ? '' : one])) as never;
  }
  return record as Record<string, string>;
}

/** 0 when it is absent or Go's zero time. */
export function readTime(text: unknown): number {
  if (text === undefined || text === null || text === '') return 0;
  if (typeof text !== 'string') throw malformed('a time is not text');
  if (text.startsWith('0001-01-01')) return 0;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw malformed(`${JSON.stringify(text)} is not a time`);
  return time;
}
