// The dns prober: asks the target server one question over UDP or TCP, and checks the code and the records of the answer.

import dgram from 'node:dgram';
import net from 'node:net';
import { compileSearch } from '../pattern.ts';
import type { DnsModule, RrChecks } from './modules.ts';
import { type ProbeContext, resolveHost } from './probe.ts';

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  DS: 43,
  DNSKEY: 48,
  ANY: 255,
  CAA: 257,
};
const TYPE_NAMES = new Map(Object.entries(TYPES).map(([name, number]) => [number, name] as const));
const CLASSES = { IN: 1, CH: 3, HS: 4, ANY: 255 } as const;
const RCODES = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];

export type DnsRecord = {
  readonly name: string;
  readonly type: number;
  readonly text: string;
  readonly serial: number | undefined;
};
export type DnsAnswer = {
  readonly id: number;
  readonly rcode: string;
  readonly isTruncated: boolean;
  readonly answer: readonly DnsRecord[];
  readonly authority: readonly DnsRecord[];
  readonly additional: readonly DnsRecord[];
};

export async function probeDns(module: DnsModule, target: string, context: ProbeContext): Promise<boolean> {
  const { clock, page, note } = context;
  const bare = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(target);
  const [host, port] = [bare?.[1] ?? bare?.[2] ?? target, Number(bare?.[3] ?? 53)];
  const phase = (name: string, ms: number) =>
    page.gauge('probe_dns_duration_seconds', 'Duration of the probe by phase.', ms / 1000, ['phase', name]);
  const started = clock.monotonic();
  const address = await resolveHost(host, module, context);
  const resolved = clock.monotonic();
  phase('resolve', resolved - started);
  const type = TYPES[module.query_type.toUpperCase()];
  if (type === undefined) throw new Error(`query type ${module.query_type} is not known`);
  // The request's id only has to differ between requests that are under way to one server.
  const id = Math.floor(clock.monotonic() * 1000) & 0xffff;
  const query = buildQuery(id, module.query_name, type, CLASSES[module.query_class], module.recursion_desired);
  const bytes = await (module.transport_protocol === 'tcp' ? askTcp : askUdp)(address, port, query, id, context);
  phase('connect', 0);
  phase('request', clock.monotonic() - resolved);
  const answer = parseAnswer(bytes);
  page.gauge('probe_dns_query_succeeded', 'Whether the server answered.', 1);
  page.gauge('probe_dns_answer_rrs', 'Records in the answer.', answer.answer.length);
  page.gauge('probe_dns_authority_rrs', 'Records of authority.', answer.authority.length);
  page.gauge('probe_dns_additional_rrs', 'Additional records.', answer.additional.length);
  const serial = answer.answer.find((record) => record.serial !== undefined)?.serial;
  if (serial !== undefined) page.gauge('probe_dns_serial', 'Serial number of the zone.', serial);
  note(`answered ${answer.rcode}`);
  const problems = [
    ...(module.valid_rcodes.includes(answer.rcode)
      ? []
      : [`${answer.rcode} is not one of ${module.valid_rcodes.join(', ')}`]),
    ...check('answer', answer.answer, module.validate_answer_rrs),
    ...check('authority', answer.authority, module.validate_authority_rrs),
    ...check('additional', answer.additional, module.validate_additional_rrs),
  ];
  for (const problem of problems) note(problem);
  return problems.length === 0;
}

function check(section: string, records: readonly DnsRecord[], checks: RrChecks | undefined): string[] {
  if (!checks) return [];
  const problems: string[] = [];
  const matches = (pattern: string) => {
    const search = compileSearch(pattern, `validate_${section}_rrs`);
    return records.map((record) => search(record.text));
  };
  for (const pattern of checks.fail_if_matches_regexp)
    if (matches(pattern).includes(true)) problems.push(`a record of the ${section} matches ${pattern}`);
  for (const pattern of checks.fail_if_not_matches_regexp)
    if (matches(pattern).includes(false)) problems.push(`a record of the ${section} does not match ${pattern}`);
  for (const pattern of checks.fail_if_all_match_regexp)
    if (records.length > 0 && !matches(pattern).includes(false))
      problems.push(`all records of the ${section} match ${pattern}`);
  for (const pattern of checks.fail_if_none_matches_regexp)
    if (!matches(pattern).includes(true)) problems.push(`no record of the ${section} matches ${pattern}`);
  return problems;
}

export function buildQuery(id: number, name: string, type: number, queryClass: number, recursion: boolean): Buffer {
  const labels = name.replace(/\.$/, '').split('.').filter(Boolean);
  const parts = labels.flatMap((label) => [Buffer.from([Buffer.byteLength(label)]), Buffer.from(label)]);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(recursion ? 0x0100 : 0, 2);
  head.writeUInt16BE(1, 4);
  const tail = Buffer.alloc(5);
  tail.writeUInt16BE(type, 1);
  tail.writeUInt16BE(queryClass, 3);
  return Buffer.concat([head, ...parts, tail]);
}

/** Throws a RangeError when the message is cut off. */
export function parseAnswer(bytes: Buffer): DnsAnswer {
  const flags = bytes.readUInt16BE(2);
  const counts = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at)) as [number, number, number, number];
  let at = 12;
  for (let i = 0; i < counts[0]; i++) at = readName(bytes, at).end + 4;
  const section = (count: number) =>
    Array.from({ length: count }, () => {
      const record = readRecord(bytes, at);
      at = record.end;
      return record.record;
    });
  return {
    id: bytes.readUInt16BE(0),
    rcode: RCODES[flags & 15] ?? `RCODE${flags & 15}`,
    isTruncated: (flags & 0x0200) !== 0,
    answer: section(counts[1]),
    authority: section(counts[2]),
    additional: section(counts[3]),
  };
}

const MAX_POINTERS = 64;

function readName(bytes: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  let end = -1;
  for (let jumps = 0; ; ) {
    const length = bytes.readUInt8(at);
    if (length >= 0xc0) {
      if (++jumps > MAX_POINTERS) throw new RangeError('a name points at itself');
      if (end < 0) end = at + 2;
      at = bytes.readUInt16BE(at) & 0x3fff;
    } else if (length === 0) return { name: `${labels.join('.')}.`, end: end < 0 ? at + 1 : end };
    else {
      labels.push(bytes.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
  }
}

function readRecord(bytes: Buffer, start: number): { record: DnsRecord; end: number } {
  const { name, end: at } = readName(bytes, start);
  const [type, seconds, length] = [bytes.readUInt16BE(at), bytes.readUInt32BE(at + 4), bytes.readUInt16BE(at + 8)];
  const data = at + 10;
  const end = data + length;
  if (end > bytes.length) throw new RangeError('a record is cut off');
  const { text, serial } = readData(bytes, type, data, end);
  const typeName = TYPE_NAMES.get(type) ?? `TYPE${type}`;
  return { record: { name, type, text: `${name}\t${seconds}\tIN\t${typeName}\t${text}`, serial }, end };
}

function readData(bytes: Buffer, type: number, at: number, end: number): { text: string; serial: number | undefined } {
  const plain = (text: string) => ({ text, serial: undefined });
  switch (type) {
    case 1:
      return plain([...bytes.subarray(at, end)].join('.'));
    case 28: {
      const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + i * 2).toString(16));
      return plain(new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1));
    }
    case 2:
    case 5:
    case 12:
      return plain(readName(bytes, at).name);
    case 6: {
      const primary = readName(bytes, at);
      const mail = readName(bytes, primary.end);
      const numbers = Array.from({ length: 5 }, (_, i) => bytes.readUInt32BE(mail.end + i * 4));
      return { text: `${primary.name} ${mail.name} ${numbers.join(' ')}`, serial: numbers[0] };
    }
    case 15:
      return plain(`${bytes.readUInt16BE(at)} ${readName(bytes, at + 2).name}`);
    case 16: {
      const texts: string[] = [];
      for (let i = at; i < end; i += 1 + bytes.readUInt8(i))
        texts.push(JSON.stringify(bytes.toString('utf8', i + 1, i + 1 + bytes.readUInt8(i))));
      return plain(texts.join(' '));
    }
    case 33:
      return plain(
        `${[0, 2, 4].map((offset) => bytes.readUInt16BE(at + offset)).join(' ')} ${readName(bytes, at + 6).name}`,
      );
    default:
      return plain(bytes.toString('hex', at, end));
  }
}

function askUdp(address: string, port: number, query: Buffer, id: number, { signal }: ProbeContext): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket({ type: net.isIP(address) === 6 ? 'udp6' : 'udp4', signal });
    const done = (action: () => void) => {
      if (!signal.aborted) socket.close();
      action();
    };
    socket.on('error', (error) => done(() => reject(error)));
    socket.on('message', (bytes) => {
      if (bytes.length >= 12 && bytes.readUInt16BE(0) === id) done(() => resolve(bytes));
    });
    socket.connect(port, address, () => socket.send(query));
  });
}

function askTcp(address: string, port: number, query: Buffer, _id: number, { signal }: ProbeContext): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: address, port });
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
    let received = Buffer.alloc(0);
    socket.on('connect', () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(query.length);
      socket.write(Buffer.concat([length, query]));
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the connection')));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      socket.end();
    });
  });
}
