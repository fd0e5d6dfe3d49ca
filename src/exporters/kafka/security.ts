// How a broker is reached and who asks, from the URL of the source: TLS, and SASL by PLAIN or SCRAM.
// kafka://user:password@host:9093?sasl=scram-sha-512&tls=on&ca_file=/etc/ca.pem

import { randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import type { Disk } from '#base/disk/disk.ts';
import { OperatingError, UserError } from '#base/errors.ts';
import { type KafkaConnection, KafkaWriter } from './protocol.ts';
import { Scram } from './scram.ts';

const SASL_HANDSHAKE = 17;
const SASL_AUTHENTICATE = 36;
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
type Mechanism = (typeof MECHANISMS)[number];
const PARAMETERS = ['sasl', 'tls', 'ca_file', 'cert_file', 'key_file', 'server_name'];

export type KafkaSecurity = {
  readonly mechanism: Mechanism | undefined;
  readonly user: string;
  readonly password: string;
  readonly tls: 'off' | 'on' | 'insecure';
  readonly files: Readonly<Record<string, string>>;
  readonly serverName: string | undefined;
};

export function readSecurity(url: URL): KafkaSecurity {
  const query = url.searchParams;
  for (const name of query.keys())
    if (!PARAMETERS.includes(name))
      throw new UserError(`unknown parameter ${name} of a Kafka source; expected ${PARAMETERS.join(', ')}`);
  const given = query.get('sasl')?.toUpperCase();
  const mechanism =
    given === undefined ? (url.username === '' ? undefined : 'PLAIN') : MECHANISMS.find((one) => one === given);
  if (given !== undefined && !mechanism)
    throw new UserError(`unknown sasl ${given} of a Kafka source; expected ${MECHANISMS.join(', ')}`);
  const mode = query.get('tls') ?? 'off';
  if (mode !== 'off' && mode !== 'on' && mode !== 'insecure')
    throw new UserError(`invalid tls=${mode} of a Kafka source; expected off, on or insecure`);
  const files = ['ca_file', 'cert_file', 'key_file'].flatMap((name) => {
    const file = query.get(name);
    return file === null ? [] : [[name, file] as const];
  });
  return {
    mechanism,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    tls: mode,
    files: Object.fromEntries(files),
    serverName: query.get('server_name') ?? undefined,
  };
}

/** A socket to a broker; it is written to at once, the handshake comes first. */
export function openSocket(host: string, port: number, security: KafkaSecurity, disk: Disk): net.Socket {
  if (security.tls === 'off') return net.connect({ host, port });
  const file = (name: string) =>
    security.files[name] === undefined ? undefined : Buffer.from(disk.readFile(security.files[name]));
  const [ca, cert, key] = [file('ca_file'), file('cert_file'), file('key_file')];
  const serverName = security.serverName ?? host;
  return tls.connect({
    host,
    port,
    rejectUnauthorized: security.tls === 'on',
    ...(net.isIP(serverName) > 0 ? {} : { servername: serverName }),
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
  });
}

/** Throws when the broker does not take the password, or does not know it. */
export async function authenticate(connection: KafkaConnection, security: KafkaSecurity): Promise<void> {
  const { mechanism, user, password } = security;
  if (mechanism === undefined) return;
  const offered = await connection.ask(SASL_HANDSHAKE, 1, new KafkaWriter().string(mechanism).bytes());
  const error = offered.int16();
  const names = offered.array(() => offered.string());
  if (error !== 0)
    throw new OperatingError('sasl', `cannot authenticate: the broker takes ${names.join(', ')}, not ${mechanism}`);
  const exchange = async (message: string): Promise<string> => {
    const bytes = Buffer.from(message);
    const reply = await connection.ask(
      SASL_AUTHENTICATE,
      0,
      Buffer.concat([new KafkaWriter().int32(bytes.length).bytes(), bytes]),
    );
    const code = reply.int16();
    const text = reply.string();
    if (code !== 0) throw new OperatingError('sasl', `cannot authenticate: ${text || `error ${code}`}`);
    return reply.blob().toString('utf8');
  };
  if (mechanism === 'PLAIN') {
    await exchange(`\0${user}\0${password}`);
    return;
  }
  const nonce = randomBytes(24).toString('base64').replaceAll(',', '');
  const scram = new Scram(mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512', user, password, nonce);
  const challenge = await exchange(scram.first);
  scram.verify(await exchange(await scram.proof(challenge)));
}
