// MySQL/MariaDB and PostgreSQL as data sources: a connection per query inside a read-only transaction with a time limit.
// Dashboards ask rarely; keeping connections open would hold slots of somebody else's database.

import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type mysql from 'mysql2/promise';
import type pg from 'pg';
import type { Disk } from '#base/disk/disk.ts';
import { errorText, OperatingError, UserError } from '#base/errors.ts';
import type { Frame } from '../frame.ts';
import { type Ask, DEFAULT_TIMEOUT_MS, passwordOf, type Source } from './source.ts';
import { prepare, toFrame, toSeries } from './sql.ts';
import { databaseTls } from './tls.ts';

type Environment = Readonly<Record<string, string | undefined>>;

function address(source: Source, port: number): { host: string; port: number } {
  const match = /^(?:\w+:\/\/)?(\[[^\]]+\]|[^:/]+)(?::(\d+))?/.exec(source.url);
  if (!match)
    throw new UserError(
      `cannot reach data source "${source.name}": its address ${JSON.stringify(source.url)} is no host and port`,
    );
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port: match[2] === undefined ? port : Number(match[2]) };
}

const failed = (source: Source, error: unknown) =>
  new OperatingError('source_failed', `cannot ask data source "${source.name}": ${errorText(error)}`, { cause: error });

/** MySQL's numeric column types: decimals, integers of all sizes, floats. */
const MYSQL_NUMBERS = new Set([0, 1, 2, 3, 4, 5, 8, 9, 13, 246]);

/** The name is checked by its client against the host only, and not at all for an address of digits. */
function mysqlTls(source: Source, host: string | undefined, disk: Disk): Record<string, unknown> | undefined {
  const options = databaseTls(source, disk);
  if (!options) return undefined;
  const { check, serverName } = source.tls!;
  const cannot = (why: string) => new UserError(`cannot reach data source "${source.name}": ${why}`);
  if (host === undefined) throw cannot('a Unix socket has no TLS');
  if (check === 'full' && isIP(host) !== 0)
    throw cannot(
      `the certificate's name cannot be checked for ${host}; give the server's name, or check the chain only`,
    );
  if (check === 'full' && serverName !== undefined && serverName !== host)
    throw cannot(
      `the certificate's name is checked against the address, ${host}; leave "serverName" out, or check the chain only`,
    );
  return { ...options, verifyIdentity: check === 'full' };
}

export function askMysql(environment: Environment, disk: Disk): Ask {
  return async (source, query) => {
    const sql = prepare(source, query, 'mysql');
    const timeoutMs = source.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const socketPath = /^unix:(.*)$/.exec(source.url)?.[1];
    let connection: mysql.Connection | undefined;
    const abort = () => connection?.destroy();
    query.signal.addEventListener('abort', abort, { once: true });
    try {
      const at = socketPath ? undefined : address(source, 3306);
      const ssl = mysqlTls(source, at?.host, disk);
      connection = await (await import('mysql2/promise')).default.createConnection({
        ...(at ?? { socketPath }),
        ...(ssl ? { ssl } : {}),
        ...(source.user === undefined ? {} : { user: source.user }),
        password: passwordOf(source, environment),
        ...(source.database === undefined ? {} : { database: source.database }),
        connectTimeout: timeoutMs,
        multipleStatements: false,
        timezone: 'Z',
        supportBigNumbers: true,
      });
      await connection.query("SET SESSION time_zone = '+00:00'");
      await connection.query('START TRANSACTION READ ONLY');
      const [rows, fields] = await connection.query<mysql.RowDataPacket[][]>({
        sql,
        rowsAsArray: true,
        timeout: timeoutMs,
      });
      const frame = toFrame(
        query.ref,
        fields.map((field) => field.name),
        rows,
        (index) => MYSQL_NUMBERS.has(fields[index]?.columnType ?? -1),
      );
      return shaped(frame, query.format);
    } catch (error) {
      if (error instanceof UserError || error instanceof OperatingError) throw error;
      throw failed(source, error);
    } finally {
      query.signal.removeEventListener('abort', abort);
      connection?.destroy();
    }
  };
}

/** PostgreSQL's type ids of numbers that its client gives as texts. */
const PG_NUMBERS = new Set([20, 21, 23, 26, 700, 701, 790, 1700]);

/** Its client checks the name of the address; another one, or none, is a check of ours. */
function postgresTls(source: Source, isSocket: boolean, disk: Disk): Record<string, unknown> | undefined {
  const options = databaseTls(source, disk);
  if (!options) return undefined;
  if (isSocket) throw new UserError(`cannot reach data source "${source.name}": a Unix socket has no TLS`);
  const { check, serverName } = source.tls!;
  if (check === 'chain') return { ...options, checkServerIdentity: () => undefined };
  if (serverName === undefined) return options;
  return {
    ...options,
    checkServerIdentity: (_: string, cert: PeerCertificate) => checkServerIdentity(serverName, cert),
  };
}

export function askPostgres(environment: Environment, disk: Disk): Ask {
  return async (source, query) => {
    const sql = prepare(source, query, 'postgres');
    const timeoutMs = source.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const socket = /^unix:(.*)$/.exec(source.url)?.[1];
    const ssl = postgresTls(source, socket !== undefined, disk);
    const { Client } = (await import('pg')).default;
    const client = new Client({
      ...(socket ? { host: socket } : address(source, 5432)),
      user: source.user,
      password: passwordOf(source, environment),
      database: source.database,
      ...(ssl ? { ssl } : {}),
      connectionTimeoutMillis: timeoutMs,
      statement_timeout: timeoutMs,
      application_name: 'pharos',
    });
    // Errors of an idle connection come as events; the query's own error is what is reported.
    let lost: unknown;
    client.on('error', (error) => {
      lost = error;
    });
    const abort = () => void client.end();
    query.signal.addEventListener('abort', abort, { once: true });
    try {
      await client.connect();
      await client.query('BEGIN READ ONLY');
      const answer = await client.query({ text: sql, rowMode: 'array', queryMode: 'extended' } as pg.QueryArrayConfig);
      const frame = toFrame(
        query.ref,
        answer.fields.map((field) => field.name),
        answer.rows,
        (index) => PG_NUMBERS.has(answer.fields[index]?.dataTypeID ?? -1),
      );
      return shaped(frame, query.format);
    } catch (error) {
      if (error instanceof UserError || error instanceof OperatingError) throw error;
      throw failed(source, lost ?? error);
    } finally {
      query.signal.removeEventListener('abort', abort);
      await client.end().catch((error: unknown) => {
        lost = error;
      });
    }
  };
}

const shaped = (frame: Frame, format: 'series' | 'table'): Frame[] => (format === 'table' ? [frame] : toSeries(frame));
