// Floats as Go's strconv writes them, in every format and precision, rounded half to even on the exact binary value.

const view = new DataView(new ArrayBuffer(8));

/** Digits d1 d2 ... and the place of the point: 0.d1d2... * 10^point. Zero has no digits. */
type Decimal = { readonly digits: string; readonly point: number };

export type FloatVerb = 'e' | 'f' | 'g';

/** `precision` below 0: as few digits as identify the value. Infinities are "+Inf" and "-Inf". */
export function formatFloat(value: number, verb: FloatVerb, precision: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const magnitude = Math.abs(value);
  const shortest = precision < 0;
  switch (verb) {
    case 'e': {
      const decimal = shortest ? shortestDecimal(magnitude) : roundedDecimal(magnitude, precision + 1);
      return sign + withExponent(decimal, shortest ? Math.max(decimal.digits.length - 1, 0) : precision);
    }
    case 'f': {
      if (!shortest) return sign + fixed(magnitude, precision);
      const decimal = shortestDecimal(magnitude);
      return sign + plain(decimal, Math.max(decimal.digits.length - decimal.point, 0));
    }
    case 'g': {
      const wanted = precision === 0 ? 1 : precision;
      const decimal = shortest ? shortestDecimal(magnitude) : roundedDecimal(magnitude, wanted);
      const { digits, point } = decimal;
      let limit = wanted;
      if (limit > digits.length && digits.length >= point) limit = digits.length;
      if (shortest) limit = 6;
      const exponent = point - 1;
      if (digits !== '' && (exponent < -4 || exponent >= limit)) {
        return sign + withExponent(decimal, digits.length - 1);
      }
      return sign + plain(decimal, Math.max(digits.length - point, 0));
    }
  }
}

function shortestDecimal(value: number): Decimal {
  if (value === 0) return { digits: '', point: 1 };
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  return { digits: mantissa.replace('.', ''), point: Number(exponent) + 1 };
}

/** Rounded to `count` significant digits, trailing zeros left out. */
function roundedDecimal(value: number, count: number): Decimal {
  if (value === 0) return { digits: '', point: 1 };
  let point = Number(value.toExponential().split('e')[1]) + 1;
  let digits = scaled(value, count - point).toString();
  if (digits.length > count) point++;
  digits = digits.replace(/0+$/, '');
  return { digits, point };
}

/** value * 10^places, rounded half to even. */
function scaled(value: number, places: number): bigint {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  let numerator = biased === 0 ? fraction : fraction | 0x10000000000000n;
  const exponent = (biased === 0 ? 1 : biased) - 1075;
  let denominator = 1n;
  if (exponent >= 0) numerator <<= BigInt(exponent);
  else denominator <<= BigInt(-exponent);
  if (places >= 0) numerator *= 10n ** BigInt(places);
  else denominator *= 10n ** BigInt(-places);
  const quotient = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  const up = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

function fixed(value: number, places: number): string {
  const digits = scaled(value, places)
    .toString()
    .padStart(places + 1, '0');
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

function withExponent({ digits, point }: Decimal, places: number): string {
  const padded = (digits === '' ? '0' : digits).padEnd(places + 1, '0');
  const exponent = digits === '' ? 0 : point - 1;
  const size = String(Math.abs(exponent)).padStart(2, '0');
  return `${padded[0]}${places > 0 ? `.${padded.slice(1)}` : ''}e${exponent < 0 ? '-' : '+'}${size}`;
}

function plain({ digits, point }: Decimal, places: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  if (places === 0) return whole;
  const fraction = point > 0 ? digits.slice(point) : '0'.repeat(-point) + digits;
  return `${whole}.${fraction.padEnd(places, '0')}`;
}
