// Sample values with a meaning in their bits. A stale marker is one particular NaN; arithmetic, comparisons and plain
// arrays cannot tell it from others, so it is tested on bits and samples stay in typed arrays.

const view = new DataView(new ArrayBuffer(8));

/** The bits of the marker that ends a series: 0x7ff0000000000002. */
export const STALE_HIGH = 0x7ff00000;
export const STALE_LOW = 2;
/** The bits of the NaN that Go and Prometheus produce: 0x7ff8000000000001. */
export const NAN_HIGH = 0x7ff80000;
export const NAN_LOW = 1;

/** Writes a stale marker; the only safe way to make one. */
export function setStale(values: Float64Array, index: number): void {
  const words = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  words[0] = STALE_LOW;
  words[1] = STALE_HIGH;
}

export function isStale(values: Float64Array, index: number): boolean {
  if (!Number.isNaN(values[index])) return false;
  const words = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  return words[0] === STALE_LOW && words[1] === STALE_HIGH;
}

/** For values that were never in a plain array: DataView keeps the bits. */
export function staleBytes(littleEndian: boolean): Uint8Array {
  view.setUint32(littleEndian ? 4 : 0, STALE_HIGH, littleEndian);
  view.setUint32(littleEndian ? 0 : 4, STALE_LOW, littleEndian);
  return new Uint8Array(view.buffer.slice(0));
}

/** As Go's strconv.FormatFloat(v, 'f', -1, 64) prints it, which is how Prometheus answers: "+Inf", "NaN", no exponent. */
export function formatValue(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return Object.is(value, -0) ? '-0' : String(value);
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  const text = String(value);
  const at = text.indexOf('e');
  if (at < 0) return text;
  const exponent = Number(text.slice(at + 1));
  const negative = text[0] === '-';
  const [whole = '', fraction = ''] = text.slice(negative ? 1 : 0, at).split('.');
  const digits = whole + fraction;
  const point = whole.length + exponent;
  const body =
    point <= 0
      ? `0.${'0'.repeat(-point)}${digits}`
      : point >= digits.length
        ? digits + '0'.repeat(point - digits.length)
        : `${digits.slice(0, point)}.${digits.slice(point)}`;
  return negative ? `-${body}` : body;
}
