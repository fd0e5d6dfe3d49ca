// Entry of the printing kernel: doubles as the shortest decimal text that reads back as the same number, and rows of points in
// Prometheus' JSON. The digits are found as Raffaello Giulietti describes ("The Schubfach way to render doubles").

/** For k from -324 to 292: 10^-k scaled to 126 bits, rounded up, as two words of 63 bits, high one first; filled by the host. */
let powers: usize = 0;
const FIRST_POWER: i32 = -324;

export function init(table: usize): void {
  powers = table;
}

const MASK_63: u64 = 0x7fffffffffffffff;

// @ts-ignore: decorator
@inline
function mulHigh(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff;
  const aHigh = a >> 32;
  const bLow = b & 0xffffffff;
  const bHigh = b >> 32;
  const low = aLow * bLow;
  const middle = aHigh * bLow + (low >> 32);
  const other = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}

/** The product with a power, its last bit set if anything was cut off. */
// @ts-ignore: decorator
@inline
function scaled(high: u64, low: u64, factor: u64): u64 {
  const x = mulHigh(low, factor);
  const z = ((high * factor) >> 1) + x;
  return (mulHigh(high, factor) + (z >> 63)) | (((z & MASK_63) + MASK_63) >> 63);
}

let digits: u64 = 0;
let exponent: i32 = 0;

/** Sets `digits` and `exponent` for a positive, finite number, so that it is digits x 10^exponent. */
function shortest(bits: u64): void {
  const fraction = bits & 0xfffffffffffff;
  const biased = <i32>(bits >> 52);
  const c = biased == 0 ? fraction : fraction | 0x10000000000000;
  const q = biased == 0 ? -1074 : biased - 1075;
  const odd = c & 1;
  const even = c << 2;
  const above = even + 2;
  let below = even - 2;
  let k = <i32>((<i64>q * 661971961083) >> 41);
  if (fraction == 0 && biased > 1) {
    // The next number below is nearer than the one above.
    below = even - 1;
    k = <i32>((<i64>q * 661971961083 - 274743187321) >> 41);
  }
  const shift = <u64>(q + <i32>((<i64>-k * 913124641741) >> 38) + 2);
  const power = powers + (<usize>(k - FIRST_POWER) << 4);
  const high = load<u64>(power);
  const low = load<u64>(power, 8);
  const middle = scaled(high, low, even << shift);
  const least = scaled(high, low, below << shift) + odd;
  const most = scaled(high, low, above << shift);
  const s = middle >> 2;
  exponent = k;
  if (s >= 10) {
    const tens = (s / 10) * 10;
    const next = tens + 10;
    const tensIn = least <= tens << 2;
    if (tensIn != (next << 2) + odd <= most) {
      digits = tensIn ? tens : next;
      return;
    }
  }
  const t = s + 1;
  const sIn = least <= s << 2;
  if (sIn != (t << 2) + odd <= most) {
    digits = sIn ? s : t;
    return;
  }
  const order = <i64>(middle - ((s + t) << 1));
  digits = order < 0 || (order == 0 && (s & 1) == 0) ? s : t;
}

/** Two digits. */
// @ts-ignore: decorator
@inline
function pair(out: usize, value: u32): void {
  const tens = (value * 103) >> 10;
  store<u16>(out, <u16>(0x3030 + tens + ((value - tens * 10) << 8)));
}

function lengthOf(value: u64): i32 {
  let length = 1;
  let limit: u64 = 10;
  while (length < 20 && value >= limit) {
    length++;
    limit *= 10;
  }
  return length;
}

/** The last `length` digits of a whole number. */
function whole(out: usize, value: u64, length: i32): void {
  let at = out + <usize>length;
  while (value > 0xffffffff && at - out >= 8) {
    const rest = value / 100000000;
    let part = <u32>(value - rest * 100000000);
    value = rest;
    for (let i = 0; i < 4; i++) {
      const next = part / 100;
      at -= 2;
      pair(at, part - next * 100);
      part = next;
    }
  }
  let part = <u32>value;
  while (at - out >= 2) {
    const next = part / 100;
    at -= 2;
    pair(at, part - next * 100);
    part = next;
  }
  if (at > out) store<u8>(out, <u8>(48 + (part % 10)));
}

/** Writes a number as Go does in JSON; returns where it ends. At most 26 bytes. */
function printNumber(value: f64, out: usize): usize {
  let bits = reinterpret<u64>(value);
  if (<i64>bits < 0) {
    if (value == value) store<u8>(out++, 45);
    bits &= MASK_63;
    value = reinterpret<f64>(bits);
  }
  if (bits >= 0x7ff0000000000000) {
    if (bits > 0x7ff0000000000000) {
      store<u32>(out, 0x4e614e); // NaN
      return out + 3;
    }
    if (load<u8>(out - 1) == 45) store<u32>(out, 0x666e49); // Inf
    else {
      store<u32>(out, 0x666e492b); // +Inf
      return out + 4;
    }
    return out + 3;
  }
  if (value < 9007199254740992) {
    const integer = <u64>value;
    if (<f64>integer == value) {
      const length = lengthOf(integer);
      whole(out, integer, length);
      return out + <usize>length;
    }
  }
  shortest(bits);
  let d = digits;
  let e = exponent;
  while (d % 10 == 0) {
    d /= 10;
    e++;
  }
  const length = lengthOf(d);
  const point = length + e;
  if (point > 21 || point < -5) return scientific(out, d, length, point - 1);
  if (point <= 0) {
    store<u16>(out, 0x2e30); // 0.
    out += 2;
    for (let i = point; i < 0; i++) store<u8>(out++, 48);
    whole(out, d, length);
    return out + <usize>length;
  }
  whole(out, d, length);
  if (e >= 0) {
    for (let i = 0; i < e; i++) store<u8>(out + <usize>(length + i), 48);
    return out + <usize>point;
  }
  memory.copy(out + <usize>point + 1, out + <usize>point, <usize>(length - point));
  store<u8>(out + <usize>point, 46);
  return out + <usize>length + 1;
}

function scientific(out: usize, d: u64, length: i32, power: i32): usize {
  whole(out + 1, d, length);
  store<u8>(out, load<u8>(out + 1));
  if (length > 1) {
    store<u8>(out + 1, 46);
    out += <usize>length + 1;
  } else out += 1;
  store<u16>(out, power < 0 ? 0x2d65 : 0x2b65); // e- or e+
  out += 2;
  const size = power < 0 ? -power : power;
  const count = size < 100 ? 2 : 3;
  whole(out, <u64>size, count);
  return out + <usize>count;
}

/**
 * Points of a row, as `s":[[time,"value"],...]}`, to follow `"value`. `times` are texts of 31 bytes with their length (u8) in front, of the
 * form `[time,"`. Only where `kinds` is 1. Returns where they end.
 */
export function printRow(values: usize, kinds: usize, steps: u32, times: usize, out: usize): usize {
  store<u32>(out, 0x5b3a2273); // s":[
  out += 4;
  const first = out;
  for (let i: u32 = 0; i < steps; i++) {
    if (load<u8>(kinds + <usize>i) != 1) continue;
    if (out != first) store<u8>(out++, 44);
    out = point(load<f64>(values + (<usize>i << 3)), times + (<usize>i << 5), out);
  }
  store<u16>(out, 0x7d5d); // ]}
  return out + 2;
}

/** One point, as `":[time,"value"]}`. */
export function printPoint(value: f64, time: usize, out: usize): usize {
  store<u16>(out, 0x3a22); // ":
  out = point(value, time, out + 2);
  store<u8>(out, 0x7d);
  return out + 1;
}

// @ts-ignore: decorator
@inline
function point(value: f64, time: usize, out: usize): usize {
  v128.store(out, v128.load(time, 1));
  v128.store(out, v128.load(time, 16), 15);
  const end = printNumber(value, out + <usize>load<u8>(time));
  store<u16>(end, 0x5d22); // "]
  return end + 2;
}
