// DNS messages (RFC 1035): a question as bytes, and an answer with its records as the text that zone files have.

export const DNS_TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  CERT: 37,
  DNAME: 39,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  ANY: 255,
  URI: 256,
  CAA: 257,
};
const TYPE_NAMES = new Map(Object.entries(DNS_TYPES).map(([name, number]) => [number, name] as const));
export const DNS_CLASSES = { IN: 1, CH: 3, HS: 4, ANY: 255 } as const;
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
