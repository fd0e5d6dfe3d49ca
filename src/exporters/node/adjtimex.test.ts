// The helpers, each by itself, tell the same of the clock of this host; a host without any is told so.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { test } from 'node:test';
import { peer } from '../../../test/peers.ts';
import { Adjtimex, helpers, readAnswer, readBusybox } from './adjtimex.ts';

const [perl, python] = [peer('perl', 'perl-base'), peer('python3', 'python3-minimal')];
const box = peer('busybox', 'busybox-static');

for (const [i, { skip }] of [perl, python].entries())
  test(`helper ${i === 0 ? 'perl' : 'python3'}: asked twice, it answers twice`, { skip }, async () => {
    const adjtimex = new Adjtimex([helpers(os.arch())[i]!]);
    const [first, second] = await Promise.all([adjtimex.ask(), adjtimex.ask()]);
    assert.ok(first.result >= 0 && first.result <= 5, `result ${first.result}`);
    assert.ok(first.tick >= 9000 && first.tick <= 11_000, `tick ${first.tick}`);
    assert.equal(second.status, first.status);
    assert.ok(first.pps);
  });

test('BusyBox tells what Perl tells', { skip: box.skip || perl.skip }, async () => {
  const theirs = readBusybox(execFileSync(box.path, ['adjtimex'], { encoding: 'utf8' }));
  const { pps, offset: _, maxerror: __, ...ours } = await new Adjtimex([helpers(os.arch())[0]!]).ask();
  assert.ok(pps);
  for (const [name, value] of Object.entries(ours)) assert.equal(theirs[name as keyof typeof ours], value, name);
});

test('a helper that is not there is passed over, one that dies is an error', { skip: perl.skip }, async () => {
  const [first] = helpers(os.arch());
  const missing = { command: 'no-such-program-anywhere', args: [] };
  assert.ok((await new Adjtimex([missing, first!]).ask()).tick > 0);
  await assert.rejects(new Adjtimex([{ command: 'false', args: [] }]).ask(), /false ended with 1/);
});

test('refusals and nonsense are told apart', () => {
  assert.throws(() => readAnswer('-1 1', true), { code: 'no_data' });
  assert.throws(() => readAnswer('-1 22', true), /error 22/);
  assert.throws(() => readAnswer('0 00ff', true), /answer "0 00ff"/);
  assert.throws(() => readBusybox('nothing'), /does not tell return value/);
});
