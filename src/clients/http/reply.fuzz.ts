// Replies cut at random places and damaged at random: however a reply arrives, it is read the same, and what is wrong with it is
// an operating error, never anything else. A seed reproduces a run.

import assert from 'node:assert/strict';
import { systemClock } from '#base/clock.ts';
import { OperatingError } from '#base/errors.ts';
import { type Random, seeded, systemRandom } from '#base/random.ts';
import { RawBuffers, ReplyParser } from './reply.ts';

const MAX_BODY_BYTES = 3000;

const pick = <T>(random: Random, from: readonly T[]): T => from[random.below(from.length)]!;

function bodyOf(random: Random): Buffer {
  return Buffer.from(Array.from({ length: random.below(random.below(8) === 0 ? 4000 : 300) }, () => random.below(256)));
}

function chunked(random: Random, body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const size = 1 + random.below(120);
    const part = body.subarray(at, at + size);
    const extension = random.below(6) === 0 ? ';x=y' : '';
    parts.push(Buffer.from(`${part.length.toString(16)}${extension}\r\n`), part, Buffer.from('\r\n'));
    at += size;
  }
  const trailer = random.below(4) === 0 ? 'X-After: 1\r\n' : '';
  return Buffer.concat([...parts, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

function replyOf(random: Random): Buffer {
  const body = bodyOf(random);
  const status = pick(random, ['200 OK', '200', '404 Not Found', '204 No Content', '304 Not Modified', '500 ']);
  const lines = [`HTTP/1.${random.below(2)} ${status}`, 'Content-Type: text/plain; version=0.0.4'];
  if (random.below(3) > 0) lines.push(`Date: Sat, 21 Nov 2026 0${random.below(10)}:00:00 GMT`);
  if (random.below(4) === 0) lines.push(`Connection: ${pick(random, ['close', 'keep-alive', 'Keep-Alive'])}`);
  if (random.below(5) === 0) lines.push('X-Twice: a', 'x-twice:b');
  let sent = body;
  switch (random.below(4)) {
    case 0:
      lines.push('Transfer-Encoding: chunked');
      sent = chunked(random, body);
      break;
    case 1:
      break;
    default:
      lines.push(`${pick(random, ['Content-Length', 'content-length'])}: ${body.length}`);
  }
  const interim = random.below(10) === 0 ? 'HTTP/1.1 100 Continue\r\n\r\n' : '';
  const head = Buffer.from(`${interim}${lines.join('\r\n')}\r\n\r\n`);
  return damaged(random, Buffer.concat([head, sent]));
}

const DAMAGE = [
  '\r\n',
  '\0',
  'Content-Length: 7\r\n',
  'ffffffffffff',
  '-1',
  ': ',
  '\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
];

function damaged(random: Random, bytes: Buffer): Buffer {
  if (random.below(3) > 0) return bytes;
  const at = random.below(bytes.length);
  switch (random.below(4)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(random, DAMAGE)), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8))]);
    default: {
      const copy = Buffer.from(bytes);
      copy[at] = random.below(256);
      return copy;
    }
  }
}

/** What a parser makes of a reply that arrives in these pieces and is then cut off. */
function outcome(parser: ReplyParser, buffers: RawBuffers, pieces: readonly Buffer[], isHead: boolean): unknown {
  parser.reset(MAX_BODY_BYTES, isHead);
  try {
    let left = pieces.length;
    for (const piece of pieces) {
      left--;
      // As a socket's buffer, which is used again at once.
      const passing = Buffer.from(piece);
      const isDone = parser.push(passing);
      passing.fill(0x41);
      if (isDone) return told(parser, buffers, left > 0);
    }
    parser.end();
    return told(parser, buffers, false);
  } catch (error) {
    assert.ok(
      error instanceof OperatingError,
      `not an operating error: ${error instanceof Error ? error.stack : error}`,
    );
    parser.drop();
    return error.message;
  }
}

function told(parser: ReplyParser, buffers: RawBuffers, hasMore: boolean): unknown {
  const { status, statusText, headers, body } = parser.reply();
  const result = {
    ...{ status, statusText, headers: [...headers], body: body.toString('latin1') },
    // What comes behind the reply makes the connection useless, whether it came with it or after it.
    mustClose: parser.mustClose || hasMore,
  };
  buffers.release(body);
  return result;
}

function piecesOf(random: Random, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(random.below(3) === 0 ? 4 : 700);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

/** Throws when a reply is read in two ways. */
export function fuzzReplies(seed: number, replies: number): void {
  const random = seeded(seed);
  const buffers = new RawBuffers();
  const used = new ReplyParser(buffers);
  for (let i = 0; i < replies; i++) {
    const bytes = replyOf(random);
    const isHead = random.below(12) === 0;
    const fresh = outcome(new ReplyParser(buffers), buffers, [bytes], isHead);
    const note = `seed ${seed}, reply ${i}: ${JSON.stringify(bytes.toString('latin1'))}`;
    assert.deepEqual(outcome(used, buffers, piecesOf(random, bytes), isHead), fresh, note);
    assert.deepEqual(outcome(used, buffers, [bytes], isHead), fresh, note);
  }
}

if (process.env['PHAROS_FUZZ_SECONDS']) {
  const end = systemClock.monotonic() + Number(process.env['PHAROS_FUZZ_SECONDS']) * 1000;
  let runs = 0;
  for (; systemClock.monotonic() < end; runs++) fuzzReplies(systemRandom.below(2 ** 31), 200);
  console.log(`  ${runs} runs without a difference`);
}
