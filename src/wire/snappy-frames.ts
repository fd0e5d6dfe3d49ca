// Snappy's framing format: a stream of chunks, compressed or not, each with a masked CRC-32C. Pushes with Content-Encoding snappy use
// it; remote write and read use bare blocks (snappy.ts).

import { crc32c } from '#base/crc32c.ts';
import { OperatingError } from '#base/errors.ts';
import { snappyDecode } from './snappy.ts';

const IDENTIFIER = 0xff;
const COMPRESSED = 0x00;
const UNCOMPRESSED = 0x01;
const FIRST_SKIPPABLE = 0x80;
const MAX_CHUNK_BYTES = 65_536;

const masked = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
const fail = (cause: string): never => {
  throw new OperatingError('snappy_corrupt', `cannot decode snappy stream: ${cause}`);
};

export function snappyDecodeFrames(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  let isIdentified = false;
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) fail('a chunk header is cut off');
    const type = bytes[at]!;
    const size = bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16);
    const body = bytes.subarray(at + 4, at + 4 + size);
    if (body.length < size) fail('a chunk is cut off');
    at += 4 + size;
    if (type === IDENTIFIER) isIdentified = true;
    else if (!isIdentified) fail('the stream identifier is missing');
    else if (type === COMPRESSED || type === UNCOMPRESSED) {
      if (size < 4) fail('a chunk has no checksum');
      const data = type === COMPRESSED ? snappyDecode(body.subarray(4), MAX_CHUNK_BYTES) : body.subarray(4);
      const expected = (body[0]! | (body[1]! << 8) | (body[2]! << 16) | (body[3]! << 24)) >>> 0;
      if (masked(crc32c(data)) !== expected) fail('a checksum does not match');
      length += data.length;
      if (length > maxBytes) throw new OperatingError('too_large', `the body is larger than ${maxBytes} bytes`);
      parts.push(data);
    } else if (type < FIRST_SKIPPABLE) fail(`unknown chunk type ${type}`);
  }
  return Buffer.concat(parts, length);
}
