// The data sources that dashboards ask beside this server: what is configured, kept in one file; what the browser may
// know of it (never credentials); and the contract that every kind of source fulfils.

import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { UserError } from '#base/errors.ts';
import type { Frame } from '../frame.ts';
import { toUid } from '../uid.ts';
import { readTls, type SourceTls } from './tls.ts';

export const KINDS = ['prometheus', 'mysql', 'postgres', 'clickhouse', 'elasticsearch', 'json'] as const;
export type SourceKind = (typeof KINDS)[number];

export type Source = {
  readonly uid: string;
  readonly name: string;
  readonly kind: SourceKind;
  /** http(s)://... or host:port for databases. */
  readonly url: string;
  readonly user?: string;
  /** As written, or `${NAME}` of the environment. */
  readonly password?: string;
  readonly database?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isDefault?: boolean;
  /** Tables, indexes or paths that may be read; all when it is absent. */
  readonly allow?: readonly string[];
  readonly timeoutMs?: number;
  /** How often it scrapes, for $__rate_interval. */
  readonly scrapeMs?: number;
  readonly tls?: SourceTls;
};

/** What the browser sees. */
export type PublicSource = Pick<Source, 'uid' | 'name' | 'kind' | 'scrapeMs'> & {
  readonly isDefault: boolean;
  readonly builtIn?: boolean;
};

export type SourceQuery = {
  readonly ref: string;
  /** Variables are already filled in. */
  readonly expr: string;
  readonly format: 'series' | 'table';
  readonly extra: Readonly<Record<string, unknown>>;
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
};

/** Answers one query with frames; fails with an OperatingError or UserError that names the cause. */
export type Ask = (source: Source, query: SourceQuery) => Promise<Frame[]>;

/** Rows beyond this are refused: a dashboard is no export. */
export const MAX_ROWS = 100_000;
export const DEFAULT_TIMEOUT_MS = 30_000;

export const SELF: PublicSource = { uid: 'pharos', name: 'Pharos', kind: 'prometheus', isDefault: true, builtIn: true };

export class Sources {
  readonly #disk: Disk;
  readonly #file: string;
  #list: Source[];

  constructor(disk: Disk, file: string) {
    this.#disk = disk;
    this.#file = file;
    this.#list = disk.exists(file) ? (JSON.parse(Buffer.from(disk.readFile(file)).toString('utf8')) as Source[]) : [];
  }

  list(): PublicSource[] {
    const hasDefault = this.#list.some((source) => source.isDefault && source.kind === 'prometheus');
    return [
      { ...SELF, isDefault: !hasDefault },
      ...this.#list.map(({ uid, name, kind, isDefault, scrapeMs }) => ({
        ...{ uid, name, kind, isDefault: isDefault ?? false },
        ...(scrapeMs === undefined ? {} : { scrapeMs }),
      })),
    ];
  }

  /** By uid or by name. */
  find(id: string): Source | undefined {
    return this.byUid(id) ?? this.#list.find((source) => source.name === id);
  }

  byUid(uid: string): Source | undefined {
    return this.#list.find((source) => source.uid === uid);
  }

  /** The complete list, for who may change it. */
  all(): readonly Source[] {
    return this.#list;
  }

  put(source: Source): void {
    if ((source.tls?.cert === undefined) !== (source.tls?.key === undefined))
      throw new UserError(`cannot keep data source "${source.name}": "tls.cert" and "tls.key" belong together`);
    this.#list = [
      ...this.#list
        .filter((one) => one.uid !== source.uid)
        .map((one) => (source.isDefault && one.kind === source.kind ? { ...one, isDefault: false } : one)),
      source,
    ];
    this.#write();
  }

  delete(uid: string): boolean {
    const before = this.#list.length;
    this.#list = this.#list.filter((one) => one.uid !== uid);
    if (this.#list.length === before) return false;
    this.#write();
    return true;
  }

  #write(): void {
    this.#disk.makeFolder(this.#file.replace(/\/[^/]*$/, ''));
    replaceFile(this.#disk, this.#file, Buffer.from(`${JSON.stringify(this.#list, null, 1)}\n`, 'utf8'));
  }
}

/** Reads a source from an API's body; the message names the field. */
export function readSource(value: unknown): Source {
  if (typeof value !== 'object' || value === null)
    throw new UserError('cannot read the data source: it is not an object');
  const given = value as Record<string, unknown>;
  const { uid, name, kind, url, user, password, database, headers, isDefault, allow, timeoutMs, scrapeMs } = given;
  if (typeof name !== 'string' || name.trim() === '')
    throw new UserError('cannot read the data source: "name" is missing');
  if (!KINDS.includes(kind as SourceKind))
    throw new UserError(
      `cannot read the data source: "kind" is ${JSON.stringify(kind)}, expected one of ${KINDS.join(', ')}`,
    );
  if (typeof url !== 'string' || url === '') throw new UserError('cannot read the data source: "url" is missing');
  const isHttp = kind !== 'mysql' && kind !== 'postgres';
  if (isHttp && !/^https?:\/\/[^/]/.test(url))
    throw new UserError(
      `cannot read the data source: "url" must begin with http:// or https://, it is ${JSON.stringify(url)}`,
    );
  const text = (field: string, given: unknown) => {
    if (given !== undefined && typeof given !== 'string')
      throw new UserError(`cannot read the data source: "${field}" must be a text`);
    return given as string | undefined;
  };
  const found = {
    uid: text('uid', uid) || toUid(name),
    name,
    kind: kind as SourceKind,
    url: url.replace(/\/+$/, ''),
    user: text('user', user),
    password: text('password', password),
    database: text('database', database),
    headers: headers as Record<string, string> | undefined,
    isDefault: isDefault === true || undefined,
    allow: Array.isArray(allow) ? allow.map(String) : undefined,
    timeoutMs: typeof timeoutMs === 'number' ? timeoutMs : undefined,
    scrapeMs: typeof scrapeMs === 'number' && scrapeMs > 0 ? scrapeMs : undefined,
    tls: readTls(given.tls),
  };
  if (isHttp && found.tls?.check === 'chain')
    throw new UserError(
      'cannot read the data source: over HTTP "tls.check" is "full" or "none"; give "tls.serverName" for a certificate of another name',
    );
  if (isHttp && found.tls && !url.startsWith('https://'))
    throw new UserError('cannot read the data source: "tls" needs a "url" that begins with https://');

  if (found.uid === SELF.uid)
    throw new UserError(`cannot read the data source: the uid "${SELF.uid}" is this server itself`);
  return Object.fromEntries(Object.entries(found).filter(([, one]) => one !== undefined)) as unknown as Source;
}

/** The password itself, from the environment where it says so. */
export function passwordOf(source: Source, environment: Readonly<Record<string, string | undefined>>): string {
  return (source.password ?? '').replace(/\$\{(\w+)\}/g, (_, name: string) => environment[name] ?? '');
}
