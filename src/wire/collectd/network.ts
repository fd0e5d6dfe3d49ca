// collectd's binary network protocol: a packet is a row of parts (type, length, data, big-endian) that set the name, the
// time and then bring values. Packets may be signed or encrypted with a user's password.

import { createDecipheriv, createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { OperatingError } from '#base/errors.ts';
import { type CollectdValues, KINDS } from './values.ts';

export type SecurityLevel = 'none' | 'sign' | 'encrypt';

export type CollectdSecurity = {
  readonly level: SecurityLevel;
  /** Undefined for a user that is not known. */
  readonly passwordOf: (user: string) => string | undefined;
};

const HOST = 0x0000;
const TIME = 0x0001;
const PLUGIN = 0x0002;
const PLUGIN_INSTANCE = 0x0003;
const TYPE = 0x0004;
const TYPE_INSTANCE = 0x0005;
const VALUES = 0x0006;
const TIME_HIRES = 0x0008;
const SIGNATURE = 0x0200;
const ENCRYPTION = 0x0210;
const MAC_BYTES = 32;
const SHA1_BYTES = 20;
const IV_BYTES = 16;

const bad = (cause: string) => new OperatingError('collectd_packet', `cannot decode collectd packet: ${cause}`);

export function decodeCollectd(packet: Uint8Array, security: CollectdSecurity): CollectdValues[] {
  const values: CollectdValues[] = [];
  decodeParts(Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength), security, 'none', values);
  return values;
}

function decodeParts(bytes: Buffer, security: CollectdSecurity, proven: SecurityLevel, out: CollectdValues[]): void {
  let host = '';
  let plugin = '';
  let pluginInstance = '';
  let type = '';
  let typeInstance = '';
  let time = 0;
  const text = (start: number, end: number): string => {
    if (end <= start || bytes[end - 1] !== 0) throw bad(`text at byte ${start} does not end with 0`);
    return bytes.toString('utf8', start, end - 1);
  };
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw bad(`a part at byte ${at} is cut off`);
    const kind = bytes.readUInt16BE(at);
    const length = bytes.readUInt16BE(at + 2);
    if (length < 4 || at + length > bytes.length) throw bad(`a part of ${length} bytes at byte ${at} does not fit`);
    const start = at + 4;
    const end = at + length;
    at = end;
    if (kind === SIGNATURE) {
      checkSignature(bytes, start, end, security);
      if (proven === 'none') proven = 'sign';
      continue;
    }
    if (kind === ENCRYPTION) {
      decodeParts(decrypt(bytes, start, end, security), security, 'encrypt', out);
      continue;
    }
    if (security.level === 'encrypt' && proven !== 'encrypt') throw bad('it is not encrypted');
    if (security.level === 'sign' && proven === 'none') throw bad('it is not signed');
    switch (kind) {
      case HOST:
        host = text(start, end);
        break;
      case PLUGIN:
        plugin = text(start, end);
        pluginInstance = '';
        break;
      case PLUGIN_INSTANCE:
        pluginInstance = text(start, end);
        break;
      case TYPE:
        type = text(start, end);
        typeInstance = '';
        break;
      case TYPE_INSTANCE:
        typeInstance = text(start, end);
        break;
      case TIME:
        if (length !== 12) throw bad('a time of the wrong length');
        time = Number(bytes.readBigUInt64BE(start)) * 1000;
        break;
      case TIME_HIRES:
        if (length !== 12) throw bad('a time of the wrong length');
        // Units of 2^-30 seconds.
        time = Number((bytes.readBigUInt64BE(start) * 1000n) >> 30n);
        break;
      case VALUES: {
        const { values, kinds } = readValues(bytes, start, end);
        out.push({ host, plugin, pluginInstance, type, typeInstance, time, values, kinds, names: undefined });
        break;
      }
      default:
      // Intervals, notifications and what later versions add.
    }
  }
}

function readValues(bytes: Buffer, start: number, end: number): Pick<CollectdValues, 'values' | 'kinds'> {
  if (end - start < 2) throw bad('values without a count');
  const count = bytes.readUInt16BE(start);
  if (end - start !== 2 + count * 9) throw bad(`${count} values in ${end - start} bytes`);
  const kinds = Array.from({ length: count }, (_, i) => {
    const kind = KINDS[bytes[start + 2 + i]!];
    if (!kind) throw bad(`value of kind ${bytes[start + 2 + i]}`);
    return kind;
  });
  const first = start + 2 + count;
  const values = kinds.map((kind, i) => {
    const at = first + i * 8;
    // Gauges are little-endian, alone in the protocol.
    if (kind === 'gauge') return bytes.readDoubleLE(at);
    return Number(kind === 'derive' ? bytes.readBigInt64BE(at) : bytes.readBigUInt64BE(at));
  });
  return { values, kinds };
}

/** The signature covers the user's name and everything behind the part. */
function checkSignature(bytes: Buffer, start: number, end: number, security: CollectdSecurity): void {
  if (end - start < MAC_BYTES) throw bad('a signature that is too short');
  const user = bytes.toString('utf8', start + MAC_BYTES, end);
  const password = security.passwordOf(user);
  if (password === undefined) {
    if (security.level === 'none') return;
    throw bad(`user ${JSON.stringify(user)} is not known`);
  }
  const mac = createHmac('sha256', password)
    .update(bytes.subarray(start + MAC_BYTES))
    .digest();
  if (!timingSafeEqual(mac, bytes.subarray(start, start + MAC_BYTES))) throw bad('the signature is wrong');
}

function decrypt(bytes: Buffer, start: number, end: number, security: CollectdSecurity): Buffer {
  if (end - start < 2) throw bad('an encrypted part that is too short');
  const nameBytes = bytes.readUInt16BE(start);
  const ivAt = start + 2 + nameBytes;
  if (ivAt + IV_BYTES + SHA1_BYTES > end) throw bad('an encrypted part that is too short');
  const user = bytes.toString('utf8', start + 2, ivAt);
  const password = security.passwordOf(user);
  if (password === undefined) throw bad(`user ${JSON.stringify(user)} is not known`);
  const key = createHash('sha256').update(password).digest();
  const decipher = createDecipheriv('aes-256-ofb', key, bytes.subarray(ivAt, ivAt + IV_BYTES));
  const plain = Buffer.concat([decipher.update(bytes.subarray(ivAt + IV_BYTES, end)), decipher.final()]);
  const content = plain.subarray(SHA1_BYTES);
  if (!createHash('sha1').update(content).digest().equals(plain.subarray(0, SHA1_BYTES))) {
    throw bad('it does not decrypt with the password of its user');
  }
  return content;
}
