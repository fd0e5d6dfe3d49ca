// Chunks of native histograms, integer and float, as Prometheus encodes them. The layout of buckets stands once at the
// chunk's head; counts follow as deltas of deltas (integer) or XORs (float).

import { type CounterReset, CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '#model/histogram.ts';
import { BitReader, BitWriter, XorValue } from './bits.ts';
import { bucketIndexes, equalSpans, spansOf, spread, unionIndexes } from './histogram-layout.ts';
import type { SampleColumns } from './samples.ts';

/** The two upper bits of a chunk's third byte. */
export const RESET_BITS: Readonly<Record<CounterReset, number>> = { unknown: 0, notReset: 1, reset: 2, gauge: 3 };

const STALE_HIGH = 0x7ff00000;
const STALE_LOW = 2;

type Layout = {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly positiveSpans: readonly Span[];
  readonly negativeSpans: readonly Span[];
  readonly customValues: Float64Array | undefined;
};

/** Encodes histograms of one kind that continue each other. */
export function encodeHistograms(samples: SampleColumns, start: number, end: number, header: CounterReset): Uint8Array {
  const histograms = samples.histograms!.slice(start, end) as Histogram[];
  const layout = layoutOf(histograms);
  const out = new BitWriter(512);
  out.bits(end - start, 16);
  out.bits(RESET_BITS[header], 2);
  out.bits(0, 6);
  writeLayout(out, layout);
  if (histograms[0]!.integer) writeIntegers(out, samples.timestamps.subarray(start, end), histograms, layout);
  else writeFloats(out, samples.timestamps.subarray(start, end), histograms, layout);
  return out.finish();
}

/** The buckets of all histograms; a stale marker at the beginning means that there are none. */
function layoutOf(histograms: readonly Histogram[]): Layout {
  const first = histograms[0]!;
  if (first.stale) {
    return { schema: 0, zeroThreshold: 0, positiveSpans: [], negativeSpans: [], customValues: undefined };
  }
  const live = histograms.filter((histogram) => !histogram.stale);
  const merged = (spans: readonly (readonly Span[])[]) =>
    spans.every((other) => equalSpans(other, spans[0]!))
      ? spans[0]!
      : spansOf(spans.map(bucketIndexes).reduce((all, indexes) => unionIndexes(all, indexes)));
  return {
    schema: first.schema,
    zeroThreshold: first.zeroThreshold,
    positiveSpans: merged(live.map((histogram) => histogram.positiveSpans)),
    negativeSpans: merged(live.map((histogram) => histogram.negativeSpans)),
    customValues: first.customValues,
  };
}

function laidOut(buckets: Float64Array, spans: readonly Span[], layout: readonly Span[]): Float64Array {
  return equalSpans(spans, layout) ? buckets : spread(buckets, bucketIndexes(spans), bucketIndexes(layout));
}

function writeLayout(out: BitWriter, layout: Layout): void {
  writeThreshold(out, layout.zeroThreshold);
  out.varbitInt(layout.schema);
  for (const spans of [layout.positiveSpans, layout.negativeSpans]) {
    out.varbitUint(spans.length);
    for (const { offset, length } of spans) {
      out.varbitUint(length);
      out.varbitInt(offset);
    }
  }
  if (layout.schema !== CUSTOM_BUCKETS_SCHEMA) return;
  const bounds = layout.customValues ?? new Float64Array(0);
  out.varbitUint(bounds.length);
  for (const bound of bounds) {
    const thousandths = bound * 1000;
    const whole = Math.round(thousandths);
    if (thousandths >= 0 && thousandths <= 33_554_430 && whole / 1000 === bound) out.varbitUint(whole + 1);
    else {
      out.bits(0, 1);
      writeDouble(out, bound);
    }
  }
}

const doubles = () => new DataView(new ArrayBuffer(8));

function writeDouble(out: BitWriter, value: number): void {
  const view = doubles();
  view.setFloat64(0, value);
  out.words(view.getUint32(0), view.getUint32(4), 64);
}

function readDouble(reader: BitReader): number {
  reader.words(64);
  const view = doubles();
  view.setUint32(0, reader.high);
  view.setUint32(4, reader.low);
  return view.getFloat64(0);
}

/** Powers of two from 2^-243 to 2^10 take one byte. */
function writeThreshold(out: BitWriter, threshold: number): void {
  if (threshold === 0) {
    out.bits(0, 8);
    return;
  }
  const exponent = Math.round(Math.log2(threshold)) + 1;
  if (threshold === 2 ** (exponent - 1) && exponent >= -242 && exponent <= 11) out.bits(exponent + 243, 8);
  else {
    out.bits(255, 8);
    writeDouble(out, threshold);
  }
}

function readThreshold(reader: BitReader): number {
  const byte = reader.bits(8);
  return byte === 0 ? 0 : byte === 255 ? readDouble(reader) : 2 ** (byte - 244);
}

/** Sums may be stale markers, which a plain number would lose. */
function writeSum(out: BitWriter, sum: XorValue, histogram: Histogram, first: boolean): void {
  const view = doubles();
  view.setFloat64(0, histogram.sum);
  const high = histogram.stale ? STALE_HIGH : view.getUint32(0);
  const low = histogram.stale ? STALE_LOW : view.getUint32(4);
  if (first) sum.writeFirst(out, high, low);
  else sum.write(out, high, low);
}

/** Of absolute counts: the first, then each one's difference to the one before. */
function bucketDeltas(buckets: Float64Array): Float64Array {
  const deltas = new Float64Array(buckets.length);
  for (let i = 0; i < buckets.length; i++) deltas[i] = buckets[i]! - (i > 0 ? buckets[i - 1]! : 0);
  return deltas;
}

function writeIntegers(out: BitWriter, times: Float64Array, histograms: readonly Histogram[], layout: Layout): void {
  const sum = new XorValue();
  let [time, timeDelta, count, countDelta, zero, zeroDelta] = [0, 0, 0, 0, 0, 0];
  let values: Float64Array = new Float64Array(0);
  let deltas: Float64Array = new Float64Array(0);
  for (const [i, histogram] of histograms.entries()) {
    const buckets = histogram.stale ? new Float64Array(0) : integerBuckets(histogram, layout);
    const [total, zeros] = histogram.stale ? [0, 0] : [histogram.count, histogram.zeroCount];
    if (i === 0) {
      out.varbitInt(times[0]!);
      out.varbitUint(total);
      out.varbitUint(zeros);
      writeSum(out, sum, histogram, true);
      for (const bucket of buckets) out.varbitInt(bucket);
      deltas = new Float64Array(buckets.length);
      values = buckets;
    } else {
      const nextTime = times[i]! - time;
      const nextCount = total - count;
      const nextZero = zeros - zero;
      out.varbitInt(nextTime - timeDelta);
      out.varbitInt(histogram.stale ? 0 : nextCount - countDelta);
      out.varbitInt(histogram.stale ? 0 : nextZero - zeroDelta);
      writeSum(out, sum, histogram, false);
      for (let k = 0; k < buckets.length; k++) {
        const delta = buckets[k]! - values[k]!;
        out.varbitInt(delta - deltas[k]!);
        deltas[k] = delta;
      }
      if (buckets.length > 0) values = buckets;
      [timeDelta, countDelta, zeroDelta] = [nextTime, nextCount, nextZero];
    }
    [time, count, zero] = [times[i]!, total, zeros];
  }
}

function integerBuckets(histogram: Histogram, layout: Layout): Float64Array {
  const positive = bucketDeltas(laidOut(histogram.positiveBuckets, histogram.positiveSpans, layout.positiveSpans));
  const negative = bucketDeltas(laidOut(histogram.negativeBuckets, histogram.negativeSpans, layout.negativeSpans));
  const both = new Float64Array(positive.length + negative.length);
  both.set(positive);
  both.set(negative, positive.length);
  return both;
}

function writeFloats(out: BitWriter, times: Float64Array, histograms: readonly Histogram[], layout: Layout): void {
  const [count, zero, sum] = [new XorValue(), new XorValue(), new XorValue()];
  let buckets: XorValue[] = [];
  let [time, delta] = [0, 0];
  const view = doubles();
  const put = (state: XorValue, value: number, first: boolean) => {
    view.setFloat64(0, value);
    if (first) state.writeFirst(out, view.getUint32(0), view.getUint32(4));
    else state.write(out, view.getUint32(0), view.getUint32(4));
  };
  for (const [i, histogram] of histograms.entries()) {
    const first = i === 0;
    const next = times[i]! - time;
    out.varbitInt(first ? times[0]! : next - delta);
    delta = first ? 0 : next;
    time = times[i]!;
    put(count, histogram.stale ? 0 : histogram.count, first);
    put(zero, histogram.stale ? 0 : histogram.zeroCount, first);
    writeSum(out, sum, histogram, first);
    if (histogram.stale) continue;
    const values = [
      ...laidOut(histogram.positiveBuckets, histogram.positiveSpans, layout.positiveSpans),
      ...laidOut(histogram.negativeBuckets, histogram.negativeSpans, layout.negativeSpans),
    ];
    if (first) buckets = values.map(() => new XorValue());
    for (let k = 0; k < values.length; k++) put(buckets[k]!, values[k]!, first);
  }
}

const spanLength = (spans: readonly Span[]) => spans.reduce((sum, span) => sum + span.length, 0);

function readLayout(reader: BitReader): Layout {
  const zeroThreshold = readThreshold(reader);
  const schema = reader.varbitInt();
  const readSpans = () => {
    const spans: Span[] = [];
    for (let count = reader.varbitUint(); count > 0; count--) {
      const length = reader.varbitUint();
      spans.push({ length, offset: reader.varbitInt() });
    }
    return spans;
  };
  const positiveSpans = readSpans();
  const negativeSpans = readSpans();
  let customValues: Float64Array | undefined;
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    customValues = new Float64Array(reader.varbitUint());
    for (let i = 0; i < customValues.length; i++) {
      const thousandths = reader.varbitUint();
      customValues[i] = thousandths === 0 ? readDouble(reader) : (thousandths - 1) / 1000;
    }
  }
  return { schema, zeroThreshold, positiveSpans, negativeSpans, customValues };
}

/** Decodes a chunk of either kind; `withStarts` for Prometheus' variants with start times, which are left out. */
export function decodeHistograms(bytes: Uint8Array, integer: boolean, into: SampleColumns, withStarts = false): void {
  // Variants with starts keep the reset bits above the count and have their own byte for starts.
  const count = ((bytes[0]! & (withStarts ? 0x3f : 0xff)) << 8) | bytes[1]!;
  const header = (withStarts ? bytes[0]! : bytes[2]!) >>> 6;
  const starts = withStarts ? bytes[2]! : 0;
  const reader = new BitReader(bytes, 3);
  const layout = readLayout(reader);
  const read = integer ? integerReader(reader, layout) : floatReader(reader, layout);
  for (let i = 0; i < count; i++) {
    const counterReset: CounterReset = header === RESET_BITS.gauge ? 'gauge' : i > 0 ? 'notReset' : 'unknown';
    const { time, histogram } = read(i === 0, counterReset);
    if (i === 0 && (starts & 0x80) !== 0) reader.varint();
    else if (i > 0 && (starts & 0x7f) > 0 && i >= (starts & 0x7f)) reader.varbitInt();
    into.pushHistogram(time, histogram);
  }
}

type ReadSample = (first: boolean, counterReset: CounterReset) => { time: number; histogram: Histogram };

const isStaleSum = (sum: XorValue) => sum.high === STALE_HIGH && sum.low === STALE_LOW;

function staleHistogram(integer: boolean): Histogram {
  return {
    integer,
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: Number.NaN,
    stale: true,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: new Float64Array(0),
    negativeBuckets: new Float64Array(0),
    counterReset: 'unknown',
  };
}

function integerReader(reader: BitReader, layout: Layout): ReadSample {
  const positives = spanLength(layout.positiveSpans);
  const buckets = new Float64Array(positives + spanLength(layout.negativeSpans));
  const deltas = new Float64Array(buckets.length);
  const sum = new XorValue();
  let [time, timeDelta, count, countDelta, zero, zeroDelta] = [0, 0, 0, 0, 0, 0];
  return (first, counterReset) => {
    if (first) {
      time = reader.varbitInt();
      count = reader.varbitUint();
      zero = reader.varbitUint();
      sum.readFirst(reader);
      for (let i = 0; i < buckets.length; i++) buckets[i] = reader.varbitInt();
    } else {
      timeDelta += reader.varbitInt();
      time += timeDelta;
      countDelta += reader.varbitInt();
      count += countDelta;
      zeroDelta += reader.varbitInt();
      zero += zeroDelta;
      sum.read(reader);
    }
    if (isStaleSum(sum)) return { time, histogram: staleHistogram(true) };
    if (!first) {
      for (let i = 0; i < buckets.length; i++) {
        deltas[i]! += reader.varbitInt();
        buckets[i]! += deltas[i]!;
      }
    }
    return {
      time,
      histogram: {
        integer: true,
        ...layoutFields(layout),
        zeroCount: zero,
        count,
        sum: sum.value,
        positiveBuckets: absolute(buckets.subarray(0, positives)),
        negativeBuckets: absolute(buckets.subarray(positives)),
        counterReset,
      },
    };
  };
}

function absolute(deltas: Float64Array): Float64Array {
  const counts = new Float64Array(deltas.length);
  let count = 0;
  for (let i = 0; i < deltas.length; i++) counts[i] = count += deltas[i]!;
  return counts;
}

function floatReader(reader: BitReader, layout: Layout): ReadSample {
  const positives = spanLength(layout.positiveSpans);
  const buckets = Array.from({ length: positives + spanLength(layout.negativeSpans) }, () => new XorValue());
  const [count, zero, sum] = [new XorValue(), new XorValue(), new XorValue()];
  let [time, delta] = [0, 0];
  return (first, counterReset) => {
    if (first) {
      time = reader.varbitInt();
      for (const value of [count, zero, sum]) value.readFirst(reader);
      for (const bucket of buckets) bucket.readFirst(reader);
    } else {
      delta += reader.varbitInt();
      time += delta;
      for (const value of [count, zero, sum]) value.read(reader);
    }
    if (isStaleSum(sum)) return { time, histogram: staleHistogram(false) };
    if (!first) for (const bucket of buckets) bucket.read(reader);
    const counts = Float64Array.from(buckets, (bucket) => bucket.value);
    return {
      time,
      histogram: {
        integer: false,
        ...layoutFields(layout),
        zeroCount: zero.value,
        count: count.value,
        sum: sum.value,
        positiveBuckets: counts.slice(0, positives),
        negativeBuckets: counts.slice(positives),
        counterReset,
      },
    };
  };
}

function layoutFields(layout: Layout) {
  const { schema, zeroThreshold, positiveSpans, negativeSpans, customValues } = layout;
  return { schema, zeroThreshold, positiveSpans, negativeSpans, ...(customValues ? { customValues } : {}) };
}
