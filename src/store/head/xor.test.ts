import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KernelMemory, loadKernel } from '#base/kernel.ts';
import { type Random, seeded } from '#base/random.ts';

// The reference: bits in a string, as plainly as the format can be written.

type Sample = { readonly time: bigint; readonly bits: bigint; readonly start: bigint };

const binary = (value: bigint, count: number) => BigInt.asUintN(count, value).toString(2).padStart(count, '0');

function varint(value: bigint): string {
  let text = '';
  for (; value >= 0x80n; value >>= 7n) text += binary((value & 0x7fn) | 0x80n, 8);
  return text + binary(value, 8);
}

const within = (x: bigint, bits: number) => -((1n << BigInt(bits - 1)) - 1n) <= x && x <= 1n << BigInt(bits - 1);

function reference(samples: readonly Sample[], withStarts: boolean): Uint8Array {
  let text = binary(BigInt(samples.length), 16);
  let before: Sample | undefined;
  let delta = 0n;
  let window: [number, number] | undefined;
  for (const [i, sample] of samples.entries()) {
    if (!before) {
      text += varint(BigInt.asUintN(64, (sample.time << 1n) ^ (sample.time >> 63n))) + binary(sample.bits, 64);
      if (withStarts) text += binary(sample.start, 64);
      before = sample;
      continue;
    }
    const next = sample.time - before.time;
    const change = next - delta;
    if (i === 1) text += varint(next);
    else if (change === 0n) text += '0';
    else if (within(change, 14)) text += `10${binary(change, 14)}`;
    else if (within(change, 17)) text += `110${binary(change, 17)}`;
    else if (within(change, 20)) text += `1110${binary(change, 20)}`;
    else text += `1111${binary(change, 64)}`;
    delta = next;
    const xor = binary(sample.bits ^ before.bits, 64);
    if (!xor.includes('1')) text += '0';
    else {
      const leading = Math.min(31, xor.indexOf('1'));
      const trailing = 63 - xor.lastIndexOf('1');
      if (window && leading >= window[0] && trailing >= window[1]) text += `10${xor.slice(window[0], 64 - window[1])}`;
      else {
        window = [leading, trailing];
        const middle = xor.slice(leading, 64 - trailing);
        text += `11${binary(BigInt(leading), 5)}${binary(BigInt(middle.length), 6)}${middle}`;
      }
    }
    if (withStarts) text += sample.start === before.start ? '0' : `1${binary(sample.start, 64)}`;
    before = sample;
  }
  text = text.padEnd(Math.ceil(text.length / 8) * 8, '0');
  return Uint8Array.from({ length: text.length / 8 }, (_, i) => Number.parseInt(text.slice(i * 8, i * 8 + 8), 2));
}

const floatBits = (value: number) => new BigUint64Array(Float64Array.of(value).buffer)[0]!;

function randomSamples(random: Random): Sample[] {
  const count = 1 + random.below(240);
  const steps = [1, 15_000, 15_001, 9000, 100_000, 700_000, 2 ** 31, 2 ** 45];
  const kind = random.below(6);
  const jumpy = random.below(4) === 0;
  let time = BigInt(random.below(3) === 0 ? -random.below(2 ** 31) : random.below(2 ** 41));
  let value = random.below(1000);
  let start = 0n;
  return Array.from({ length: count }, () => {
    time += BigInt(
      jumpy ? steps[random.below(steps.length)]! : 15_000 + (random.below(10) === 0 ? random.below(9) : 0),
    );
    if (kind === 1) value += random.below(100);
    if (kind === 2) value = random.next();
    if (kind === 3) value = -value * 1.5;
    if (random.below(50) === 0) start = time - BigInt(random.below(1e9));
    let bits = floatBits(value);
    if (kind === 4) bits = new BigUint64Array(Uint8Array.from(random.bytes(8)).buffer)[0]!;
    if (random.below(40) === 0) bits = 0x7ff0000000000002n;
    return { time, bits, start };
  });
}

type Kernel = {
  xorEncode(times: number, values: number, starts: number, count: number, chunk: number, state: number): number;
  xorDecode(chunk: number, bytes: number, times: number, values: number, starts: number, state: number): number;
};

function setUp() {
  const memory = new KernelMemory();
  const kernel = loadKernel<Kernel>('store', memory, { moreArena: () => assert.fail('decoding takes no memory') });
  const [times, values, starts] = [memory.region(8 * 256), memory.region(8 * 256), memory.region(8 * 256)];
  const chunk = memory.region(40 * 256 + 64);
  const state = memory.region(128);
  return { memory, kernel, times, values, starts, chunk, state };
}

function load(at: ReturnType<typeof setUp>, samples: readonly Sample[]) {
  for (const [i, s] of samples.entries()) {
    at.memory.f64[at.times / 8 + i] = Number(s.time);
    at.memory.f64[at.starts / 8 + i] = Number(s.start);
    new DataView(at.memory.memory.buffer).setBigUint64(at.values + i * 8, s.bits, true);
  }
}

test('chunks are bit for bit those of the reference, and decode to what went in', () => {
  const seed = 20_261;
  const random = seeded(seed);
  const at = setUp();
  for (let round = 0; round < 300; round++) {
    const samples = randomSamples(random);
    for (const starts of [0, at.starts]) {
      load(at, samples);
      at.memory.u8.fill(random.below(256), at.chunk, at.chunk + 40 * 256);
      const length = at.kernel.xorEncode(at.times, at.values, starts, samples.length, at.chunk, at.state);
      const bytes = at.memory.u8.slice(at.chunk, at.chunk + length);
      assert.deepEqual(bytes, reference(samples, starts !== 0), `seed ${seed} round ${round}`);

      // All but where the pieces of an open chunk are; the last start time is behind that.
      const stateNow = () => [0, 48].map((from) => at.memory.u8.slice(at.state + from, at.state + (from ? 56 : 40)));
      const state = stateNow();
      for (const address of [at.times, at.values, at.starts]) at.memory.u8.fill(0, address, address + 8 * 256);
      at.memory.u8.fill(0, at.state, at.state + 56);
      const count = at.kernel.xorDecode(at.chunk, length, at.times, at.values, starts, at.state);
      assert.equal(count, samples.length);
      const view = new DataView(at.memory.memory.buffer);
      for (const [i, s] of samples.entries()) {
        assert.equal(at.memory.f64[at.times / 8 + i], Number(s.time));
        assert.equal(view.getBigUint64(at.values + i * 8, true), s.bits);
        if (starts) assert.equal(at.memory.f64[at.starts / 8 + i], Number(s.start));
      }
      assert.deepEqual(stateNow(), state, `state, seed ${seed} round ${round}`);
    }
  }
});

test('a chunk that ends early is refused at every length', () => {
  const random = seeded(7);
  const at = setUp();
  const samples = randomSamples(random);
  load(at, samples);
  const length = at.kernel.xorEncode(at.times, at.values, 0, samples.length, at.chunk, at.state);
  const whole = at.memory.u8.slice(at.chunk, at.chunk + length);
  for (let cut = 0; cut < length; cut++) {
    at.memory.u8.fill(0xff, at.chunk, at.chunk + length + 32);
    at.memory.u8.set(whole.subarray(0, cut), at.chunk);
    assert.equal(at.kernel.xorDecode(at.chunk, cut, at.times, at.values, 0, 0), -1, `cut at ${cut}`);
  }
});

test('random bytes never make the decoder write more than it was given', () => {
  const random = seeded(11);
  const at = setUp();
  for (let round = 0; round < 2000; round++) {
    const bytes = random.bytes(2 + random.below(400));
    bytes[0] = 0;
    at.memory.u8.set(bytes, at.chunk);
    const count = at.kernel.xorDecode(at.chunk, bytes.length, at.times, at.values, at.starts, at.state);
    assert.ok(count === -1 || count === bytes[1]);
  }
});
