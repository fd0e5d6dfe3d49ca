import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from './clock-sim.ts';
import { Progress } from './progress.ts';

async function run(isTerminal: boolean, total: number | undefined): Promise<string[]> {
  const clock = new SimClock();
  const written: string[] = [];
  const progress = new Progress('loading', 'samples', total, clock, {
    isTerminal,
    write: (text) => written.push(text),
  });
  for (let i = 0; i < 4; i++) {
    await clock.advance(3000);
    progress.add(1_500_000);
  }
  progress.end();
  return written;
}

test('a terminal gets one line, redrawn, with rate and time left', async () => {
  const lines = await run(true, 12_000_000);
  assert.equal(lines[1], '\r\x1b[Kloading: 25 %, 3.00M of 12.0M samples, 500k samples/s, 18 s left');
  assert.equal(lines.at(-1), '\r\x1b[Kloading: 6.00M samples in 12 s\n');
});

test('a pipe gets plain lines, fewer of them', async () => {
  assert.deepEqual(await run(false, undefined), [
    'loading: 3.00M samples, 500k samples/s\n',
    'loading: 6.00M samples, 500k samples/s\n',
    'loading: 6.00M samples in 12 s\n',
  ]);
});
