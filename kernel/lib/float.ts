// Decimal text to double, exactly, for numbers of at most 19 significant digits: Clinger's fast path where a power of ten is
// exact, Eisel and Lemire's multiplication elsewhere. What neither decides is left to the host.

/** Where the number read last ends, and its value. */
export let numberEnd: usize = 0;
export let numberValue: f64 = 0;

const POWERS_BYTES: usize = 651 * 16;
/** 128-bit mantissas of 10^-342 .. 10^308, low word first, normalised and cut off; filled by the host. */
const POWERS: usize = memory.data(10416);
const EXACT: usize = memory.data(184);

export function powersAddress(): usize {
  return POWERS;
}
export function exactAddress(): usize {
  return EXACT;
}
export function powersBytes(): usize {
  return POWERS_BYTES;
}

// @ts-ignore: decorator
@inline
function isDigit(c: u32): bool {
  return c - 48 < 10;
}

/** High and low word of a 64 x 64 bit product; the low one is the plain product. */
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

// @ts-ignore: decorator
@inline
function isEightDigits(word: u64): bool {
  return ((word & 0xf0f0f0f0f0f0f0f0) | (((word + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4)) == 0x3333333333333333;
}

/** Pairs, then fours, then all eight. */
// @ts-ignore: decorator
@inline
function eightDigits(word: u64): u64 {
  let value = word - 0x3030303030303030;
  value = value * 10 + (value >> 8);
  return ((value & 0x000000ff000000ff) * 0x000f424000000064 + ((value >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >> 32;
}

/** Whether the text at `at` is a number that this can read; it sets `numberEnd` and `numberValue`. */
export function readNumber(at: usize): bool {
  let p = at;
  let c = <u32>load<u8>(p);
  let negative = false;
  if (c == 45) {
    negative = true;
    c = <u32>load<u8>(++p);
  } else if (c == 43) c = <u32>load<u8>(++p);
  if (!isDigit(c) && c != 46) return readWord(at, p, c, negative);

  const start = p;
  let mantissa: u64 = 0;
  // Eight digits at once while there are eight; more than 19 are not for this.
  while (isEightDigits(load<u64>(p))) {
    if (p - start >= 16) return false;
    mantissa = mantissa * 100000000 + eightDigits(load<u64>(p));
    p += 8;
  }
  c = <u32>load<u8>(p);
  while (isDigit(c)) {
    mantissa = mantissa * 10 + <u64>(c - 48);
    c = <u32>load<u8>(++p);
  }
  let digits = <i32>(p - start);
  let exponent: i32 = 0;
  if (c == 46) {
    const fraction = ++p;
    while (isEightDigits(load<u64>(p))) {
      if (p - start > 16) return false;
      mantissa = mantissa * 100000000 + eightDigits(load<u64>(p));
      p += 8;
    }
    c = <u32>load<u8>(p);
    while (isDigit(c)) {
      mantissa = mantissa * 10 + <u64>(c - 48);
      c = <u32>load<u8>(++p);
    }
    const length = <i32>(p - fraction);
    digits += length;
    exponent = -length;
  }
  if (digits == 0) return false;
  // Leading zeros do not count, but they are rare where this matters: such numbers go to the host.
  if (digits > 19) return false;
  if ((c | 32) == 101) {
    let q = p + 1;
    let sign = <u32>load<u8>(q);
    const down = sign == 45;
    if (down || sign == 43) sign = <u32>load<u8>(++q);
    if (!isDigit(sign)) return false;
    let power: i32 = 0;
    while (isDigit(sign)) {
      if (power < 100000) power = power * 10 + <i32>(sign - 48);
      sign = <u32>load<u8>(++q);
    }
    exponent += down ? -power : power;
    p = q;
  }
  numberEnd = p;
  return toDouble(mantissa, exponent, negative);
}

/** NaN and infinities as they are usually written. */
function readWord(at: usize, p: usize, c: u32, negative: bool): bool {
  const word = load<u32>(p) & 0xffffff;
  if (word == 0x4e614e && p == at) {
    numberValue = reinterpret<f64>(<u64>0x7ff8000000000001);
  } else if (word == 0x666e49) numberValue = negative ? -Infinity : Infinity;
  else return false;
  numberEnd = p + 3;
  return true;
}

function toDouble(mantissa: u64, exponent: i32, negative: bool): bool {
  if (mantissa == 0) {
    numberValue = negative ? -0.0 : 0.0;
    return true;
  }
  if (mantissa <= 9007199254740992 && exponent >= -22 && exponent <= 22) {
    let value = <f64>mantissa;
    if (exponent < 0) value /= load<f64>(EXACT + (<usize>-exponent << 3));
    else value *= load<f64>(EXACT + (<usize>exponent << 3));
    numberValue = negative ? -value : value;
    return true;
  }
  if (exponent < -342 || exponent > 308) return false;
  const power = POWERS + (<usize>(exponent + 342) << 4);
  const shift = clz(mantissa);
  const man = mantissa << shift;
  let exp2 = <i64>((<i64>217706 * <i64>exponent) >> 16) + 64 + 1023 - <i64>shift;
  const powerHigh = load<u64>(power, 8);
  let high = mulHigh(man, powerHigh);
  let low = man * powerHigh;
  if ((high & 0x1ff) == 0x1ff && low + man < man) {
    const powerLow = load<u64>(power);
    const high2 = mulHigh(man, powerLow);
    const low2 = man * powerLow;
    const merged = low + high2;
    if (merged < low) high++;
    if ((high & 0x1ff) == 0x1ff && merged + 1 == 0 && low2 + man < man) return false;
    low = merged;
  }
  const top = high >> 63;
  let bits = high >> (top + 9);
  exp2 -= <i64>(1 ^ top);
  // Exactly between two doubles: the host knows which way.
  if (low == 0 && (high & 0x1ff) == 0 && (bits & 3) == 1) return false;
  bits += bits & 1;
  bits >>= 1;
  if (bits >> 53 > 0) {
    bits >>= 1;
    exp2++;
  }
  if (exp2 < 1 || exp2 >= 0x7ff) return false;
  const raw = (<u64>exp2 << 52) | (bits & 0x000fffffffffffff) | (negative ? <u64>1 << 63 : 0);
  numberValue = reinterpret<f64>(raw);
  return true;
}
