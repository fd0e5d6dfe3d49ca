// Replies of servers that lie, and of those that say the same again and again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzReplies } from './reply.fuzz.ts';
import { RawBuffers, ReplyParser } from './reply.ts';

const MAX_BODY_BYTES = 1000;

function read(parser: ReplyParser, text: string) {
  parser.reset(MAX_BODY_BYTES, false);
  const isDone = parser.push(Buffer.from(text, 'latin1'));
  return { isDone, mustClose: parser.mustClose };
}

test('replies are read the same however they arrive', () => {
  for (let seed = 1; seed <= 40; seed++) fuzzReplies(seed, 50);
});

test('lengths that cannot be', () => {
  const parser = new ReplyParser(new RawBuffers());
  const head = (more: string) => `HTTP/1.1 200 OK\r\n${more}\r\n\r\n`;
  const cases: [string, RegExp][] = [
    [head('Content-Length: -1'), /^bad Content-Length "-1"$/],
    [head('Content-Length: 1e3'), /^bad Content-Length "1e3"$/],
    [head('Content-Length: 99999999999999999999'), /^bad Content-Length/],
    [head('Content-Length: 3\r\nContent-Length: 4'), /^bad Content-Length "3, 4"$/],
    [head('Content-Length: 1001'), /^body size limit exceeded$/],
    [head('Transfer-Encoding: gzip'), /^unsupported transfer encoding: "gzip"$/],
    [head('Transfer-Encoding: chunked').concat('fffffffffffff\r\n'), /^invalid byte in chunk length$/],
    [head('Transfer-Encoding: chunked').concat('-5\r\n'), /^invalid byte in chunk length$/],
    [head('Transfer-Encoding: chunked').concat('2\r\nabc\r\n'), /^malformed chunked encoding$/],
    ['HTTP/2 200\r\n\r\n', /^malformed HTTP response "HTTP\/2 200"$/],
    ['\r\n\r\n', /^malformed HTTP response ""$/],
    [head('no colon'), /^malformed MIME header line: no colon$/],
    ['HTTP/1.1 100 Continue\r\n\r\n'.repeat(9), /^too many 1xx informational responses$/],
    [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(300_000)}`, /^server sent more than 262144 bytes of headers$/],
  ];
  for (const [text, expected] of cases)
    assert.throws(() => read(parser, text), { message: expected }, text.slice(0, 80));
  // A head that was taken as good does not excuse the next.
  assert.deepEqual(read(parser, `${head('Content-Length: 2')}ab`), { isDone: true, mustClose: false });
  assert.throws(() => read(parser, head('Content-Length: 2\r\nContent-Length: 3')), { message: /"2, 3"/ });
  assert.throws(() => read(parser, head('Content-Length: 1001')), { code: 'body_too_large' });
  assert.deepEqual(read(parser, `${head('Content-Length: 2')}abc`), { isDone: true, mustClose: true });
  assert.deepEqual(read(parser, `${head('Transfer-Encoding: chunked')}400\r\n`), { isDone: false, mustClose: false });
  assert.throws(() => parser.push(Buffer.alloc(1024)), { code: 'body_too_large' });
});

test('a head that repeats is not taken apart again, and what differs is noticed', () => {
  const parser = new ReplyParser(new RawBuffers());
  const reply = (date: string, more: string, length: number) => {
    read(parser, `HTTP/1.1 200 OK\r\nDate: ${date}\r\n${more}Content-Length: ${length}\r\n\r\n${'x'.repeat(length)}`);
    return parser.reply();
  };
  const first = reply('a', 'Content-Type: text/plain\r\n', 5);
  const second = reply('b', 'Content-Type: text/plain\r\n', 7);
  assert.equal(second.headers, first.headers);
  assert.equal(second.body.length, 7);
  const third = reply('b', 'Content-Type: text/html\r\n', 7);
  assert.equal(third.headers.get('content-type'), 'text/html');
  assert.equal(first.headers.get('content-type'), 'text/plain');
});
