// Trying a data source before it is kept, and keeping its secrets write-only: what a form gets has none, and what it sends
// without one keeps the one before, unless the address changed, because then it would go to somebody else.

import { OperatingError, UserError } from '#base/errors.ts';
import { type HttpSourceContext, passToPrometheus } from './http.ts';
import type { Ask, Source, SourceKind } from './source.ts';
import type { SourceTls } from './tls.ts';

/** A source as its form shows it: headers keep their names only. */
export type EditableSource = Omit<Source, 'password' | 'tls'> & {
  readonly tls?: Omit<SourceTls, 'key'>;
  readonly hasPassword: boolean;
  readonly hasKey: boolean;
};

export function editable({ password, tls, ...source }: Source): EditableSource {
  const headers = source.headers && Object.fromEntries(Object.keys(source.headers).map((name) => [name, '']));
  const { key, ...shown } = tls ?? {};
  return {
    ...{ ...source, ...(headers ? { headers } : {}), ...(tls ? { tls: shown as SourceTls } : {}) },
    hasPassword: (password ?? '') !== '',
    hasKey: key !== undefined,
  };
}

export function withKeptSecrets(given: Source, kept: Source | undefined): Source {
  if (!kept) return given;
  const secrets = [
    ...(given.password === undefined && kept.password ? ['password'] : []),
    ...Object.entries(given.headers ?? {})
      .filter(([name, value]) => value === '' && kept.headers?.[name])
      .map(([name]) => `header ${name}`),
    ...(keptKey(given, kept) ? ['TLS key'] : []),
  ];
  if (secrets.length === 0) return given;
  if (given.url !== kept.url || given.kind !== kept.kind)
    throw new UserError(
      `cannot keep the ${secrets.join(', ')} of data source "${kept.name}": its address changed, so give it again`,
    );
  const headers =
    given.headers &&
    Object.fromEntries(
      Object.entries(given.headers).map(([name, value]) => [name, value || (kept.headers?.[name] ?? '')]),
    );
  return {
    ...given,
    ...(headers ? { headers } : {}),
    ...(given.password === undefined && kept.password ? { password: kept.password } : {}),
    ...(keptKey(given, kept) ? { tls: { ...given.tls!, key: keptKey(given, kept)! } } : {}),
  };
}

/** The key goes with its certificate. */
const keptKey = (given: Source, kept: Source): string | undefined =>
  given.tls?.cert !== undefined && given.tls.key === undefined && given.tls.cert === kept.tls?.cert
    ? kept.tls.key
    : undefined;

const SPAN_MS = 60_000;

/** Asks the least that needs address, credentials and database to be right; fails as a query would. */
export async function probe(
  source: Source,
  ask: Readonly<Partial<Record<SourceKind, Ask>>>,
  http: HttpSourceContext,
  nowMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (source.kind === 'prometheus') {
    const query = new URLSearchParams({ query: '1' });
    const reply = await passToPrometheus(http, source, { method: 'GET', path: 'api/v1/query', query, signal });
    const text = reply.body.toString('utf8');
    if (reply.status !== 200 || !/"status"\s*:\s*"success"/.test(text))
      throw new OperatingError(
        'source_failed',
        `cannot ask data source "${source.name}": it answered ${reply.status}: ${text.trim().slice(0, 300)}`,
      );
    return;
  }
  const asking = ask[source.kind];
  if (!asking) throw new UserError(`cannot try data source "${source.name}": nothing asks kind ${source.kind}`);
  const first = source.allow?.[0];
  const isSql = source.kind !== 'elasticsearch' && source.kind !== 'json';
  await asking(source, {
    ref: 'test',
    expr: isSql ? 'SELECT 1 AS one' : source.kind === 'json' ? (first ?? '') : '',
    format: 'table',
    extra: source.kind === 'elasticsearch' && first !== undefined && !source.database ? { index: first } : {},
    fromMs: nowMs - SPAN_MS,
    toMs: nowMs,
    intervalMs: SPAN_MS,
    signal,
  });
}
