// Go's fmt for templates: print, println and printf with every verb, flag, width, precision and argument index that
// makes sense for the values templates have, and the notes that fmt leaves in the text for what does not.

import { type FloatVerb, formatFloat } from './float.ts';
import { goQuote, isPrintable } from './quote.ts';
import {
  basicOf,
  GoObject,
  isNil,
  mapEntries,
  sliceItems,
  sortedKeys,
  structFields,
  typeName,
  type Value,
} from './value.ts';

type Flags = {
  minus: boolean;
  plus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  width: number | undefined;
  precision: number | undefined;
};

const NO_FLAGS: Flags = {
  minus: false,
  plus: false,
  sharp: false,
  space: false,
  zero: false,
  width: undefined,
  precision: undefined,
};

/** The text of one value, as `{{ . }}` prints it. */
export const formatPlain = (value: Value): string => formatAny(value, 'v', NO_FLAGS, 0);

/** fmt.Sprint: a space between two operands when neither is a string. */
export function sprint(values: readonly Value[]): string {
  let out = '';
  values.forEach((value, i) => {
    if (i > 0 && typeof value !== 'string' && typeof values[i - 1] !== 'string') out += ' ';
    out += formatPlain(value);
  });
  return out;
}

export const sprintln = (values: readonly Value[]): string => `${values.map(formatPlain).join(' ')}\n`;

export function sprintf(format: string, values: readonly Value[]): string {
  let out = '';
  let next = 0;
  let reordered = false;
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf('%', at);
    if (percent < 0) {
      out += format.slice(at);
      break;
    }
    out += format.slice(at, percent);
    at = percent + 1;
    const flags = { ...NO_FLAGS };
    for (; '+-# 0'.includes(format[at] ?? 'x'); at++) setFlag(flags, format[at]!);
    let badIndex = false;
    const takeIndex = () => {
      const match = /^\[([^\]]*)\]/.exec(format.slice(at));
      if (!match) {
        if (format[at] === '[') badIndex = true;
        return;
      }
      at += match[0].length;
      const index = /^\d+$/.test(match[1]!) ? Number(match[1]) : 0;
      reordered = true;
      if (index < 1 || index > values.length) badIndex = true;
      else next = index - 1;
    };
    const takeStar = (): number | undefined => {
      const value = basicOf(values[next++]);
      return typeof value === 'bigint' && value <= 1_000_000n && value >= -1_000_000n ? Number(value) : undefined;
    };
    takeIndex();
    if (format[at] === '*') {
      at++;
      const width = takeStar();
      if (width === undefined) out += '%!(BADWIDTH)';
      else if (width < 0) {
        flags.minus = true;
        flags.zero = false;
      }
      flags.width = width === undefined ? undefined : Math.abs(width);
    } else {
      const digits = /^\d+/.exec(format.slice(at))?.[0];
      if (digits) {
        flags.width = Number(digits);
        at += digits.length;
      }
    }
    if (format[at] === '.') {
      at++;
      takeIndex();
      if (format[at] === '*') {
        at++;
        const precision = takeStar();
        if (precision === undefined) out += '%!(BADPREC)';
        flags.precision = precision !== undefined && precision < 0 ? undefined : precision;
      } else {
        const digits = /^\d*/.exec(format.slice(at))![0];
        flags.precision = Number(digits);
        at += digits.length;
      }
    }
    takeIndex();
    const verb = at < format.length ? String.fromCodePoint(format.codePointAt(at)!) : '';
    at += verb.length;
    if (verb === '') out += '%!(NOVERB)';
    else if (verb === '%') out += '%';
    else if (badIndex) out += `%!${verb}(BADINDEX)`;
    else if (next >= values.length) out += `%!${verb}(MISSING)`;
    else out += formatAny(values[next++], verb, flags, 0);
  }
  if (!reordered && next < values.length) {
    const extra = values
      .slice(next)
      .map((value) => (isNil(value) ? '<nil>' : `${typeName(value)}=${formatPlain(value)}`));
    out += `%!(EXTRA ${extra.join(', ')})`;
  }
  return out;
}

function setFlag(flags: Flags, flag: string): void {
  if (flag === '+') flags.plus = true;
  else if (flag === '-') {
    flags.minus = true;
    flags.zero = false;
  } else if (flag === '#') flags.sharp = true;
  else if (flag === ' ') flags.space = true;
  else flags.zero = !flags.minus;
}

function formatAny(value: Value, verb: string, flags: Flags, depth: number): string {
  if (verb === 'T') return pad(isNil(value) ? '<nil>' : typeName(value), { ...flags, zero: false });
  if (isNil(value)) return verb === 'v' ? pad('<nil>', { ...flags, zero: false }) : `%!${verb}(<nil>)`;
  if (value instanceof GoObject && 'vsqxX'.includes(verb) && !(verb === 'v' && flags.sharp)) {
    const text = value.text();
    if (text !== undefined) return formatString(text, verb, flags, value);
  }
  const basic = basicOf(value);
  switch (typeof basic) {
    case 'boolean':
      return verb === 'v' || verb === 't' ? pad(String(basic), { ...flags, zero: false }) : badVerb(verb, value);
    case 'string':
      return formatString(basic, verb, flags, value);
    case 'bigint':
      return formatInteger(basic, verb, flags, value);
    case 'number':
      return formatNumber(basic, verb, flags, value);
  }
  return formatComposite(value, verb, flags, depth);
}

function formatComposite(value: Value, verb: string, flags: Flags, depth: number): string {
  if (depth > 20) return '...';
  const one = (item: Value) => formatAny(item, verb, flags, depth + 1);
  const items = sliceItems(value);
  if (items) {
    if (verb === 'v' && flags.sharp) return `${typeName(value)}{${items.map(one).join(', ')}}`;
    return `[${items.map(one).join(' ')}]`;
  }
  const entries = mapEntries(value);
  if (entries) {
    const pairs = sortedKeys(entries).map((key) => `${one(key)}:${one(entries.get(key))}`);
    if (verb === 'v' && flags.sharp) return `${typeName(value)}{${pairs.join(', ')}}`;
    return `map[${pairs.join(' ')}]`;
  }
  const fields = structFields(value);
  if (fields) {
    const named = flags.plus || flags.sharp;
    const parts = Object.entries(fields).map(([name, field]) => (named ? `${name}:${one(field)}` : one(field)));
    return flags.sharp ? `${typeName(value)}{${parts.join(', ')}}` : `{${parts.join(' ')}}`;
  }
  return `%!${verb}(${typeName(value)})`;
}

const badVerb = (verb: string, value: Value): string => `%!${verb}(${typeName(value)}=${formatPlain(value)})`;

function formatString(text: string, verb: string, flags: Flags, value: Value): string {
  const cut = flags.precision === undefined ? text : [...text].slice(0, flags.precision).join('');
  switch (verb) {
    case 'v':
      return flags.sharp ? pad(goQuote(cut), flags) : pad(cut, flags);
    case 's':
      return pad(cut, flags);
    case 'q':
      if (flags.sharp && !/[`\x00-\x08\x0a-\x1f\x7f]/.test(cut)) return pad(`\`${cut}\``, flags);
      return pad(goQuote(cut, '"', flags.plus), flags);
    case 'x':
    case 'X': {
      const bytes = Buffer.from(text);
      const kept = flags.precision === undefined ? bytes : bytes.subarray(0, flags.precision);
      const prefix = flags.sharp ? `0${verb}` : '';
      const hex = Array.from(kept, (byte) => {
        const digits = byte.toString(16).padStart(2, '0');
        return verb === 'X' ? digits.toUpperCase() : digits;
      });
      if (hex.length === 0) return pad('', flags);
      return pad(flags.space ? hex.map((h) => prefix + h).join(' ') : prefix + hex.join(''), flags);
    }
    default:
      return badVerb(verb, value);
  }
}

const BASES: Readonly<Record<string, [number, string]>> = {
  d: [10, ''],
  v: [10, ''],
  b: [2, '0b'],
  o: [8, '0'],
  O: [8, '0o'],
  x: [16, '0x'],
  X: [16, '0X'],
};

function formatInteger(integer: bigint, verb: string, flags: Flags, value: Value): string {
  const rune = () => (integer >= 0n && integer <= 0x10ffffn ? String.fromCodePoint(Number(integer)) : '\ufffd');
  switch (verb) {
    case 'c':
      return pad(rune(), flags);
    case 'q':
      return pad(goQuote(rune(), "'", flags.plus), flags);
    case 'U': {
      const code = `U+${integer
        .toString(16)
        .toUpperCase()
        .padStart(Math.max(flags.precision ?? 4, 4), '0')}`;
      return pad(flags.sharp && isPrintable(rune()) ? `${code} '${rune()}'` : code, { ...flags, zero: false });
    }
  }
  const base = Object.hasOwn(BASES, verb) ? BASES[verb] : undefined;
  if (!base) return badVerb(verb, value);
  const negative = integer < 0n;
  let digits = (negative ? -integer : integer).toString(base[0]);
  if (verb === 'X') digits = digits.toUpperCase();
  const sign = negative ? '-' : flags.plus ? '+' : flags.space ? ' ' : '';
  const prefix = verb === 'O' || (flags.sharp && verb !== 'd' && verb !== 'v') ? base[1] : '';
  if (flags.precision !== undefined) {
    if (flags.precision === 0 && integer === 0n) return pad('', { ...flags, zero: false });
    digits = digits.padStart(flags.precision, '0');
  } else if (flags.zero && flags.width !== undefined) digits = digits.padStart(flags.width - sign.length, '0');
  return pad(sign + prefix + digits, { ...flags, zero: false });
}

function formatNumber(number: number, verb: string, flags: Flags, value: Value): string {
  const lower = verb === 'v' ? 'g' : verb === 'F' ? 'f' : verb.toLowerCase();
  if (!'efg'.includes(lower) || verb.length !== 1) return badVerb(verb, value);
  const precision = flags.precision ?? (lower === 'g' ? -1 : 6);
  let text = formatFloat(number, lower as FloatVerb, precision);
  if (verb === 'E' || verb === 'G') text = text.replace('e', 'E');
  const finite = Number.isFinite(number);
  let sign = '';
  if (text[0] === '-' || text[0] === '+') {
    sign = text[0];
    text = text.slice(1);
  }
  if (sign === '' && flags.plus) sign = '+';
  if (sign === '' && flags.space) sign = ' ';
  if (sign === '+' && !flags.plus) sign = flags.space ? ' ' : finite ? '' : '+';
  if (flags.sharp && finite) text = keepPoint(text, lower, flags.precision);
  if (flags.zero && flags.width !== undefined && finite) text = text.padStart(flags.width - sign.length, '0');
  return pad(sign + text, { ...flags, zero: false });
}

/** The `#` flag: a decimal point always, and %g keeps its trailing zeros. */
function keepPoint(text: string, verb: string, precision: number | undefined): string {
  const [mantissa = '', exponent] = text.split(/(?=[eE])/);
  let kept = mantissa.includes('.') ? mantissa : `${mantissa}.`;
  if (verb === 'g') {
    const digits = kept.replace('.', '').replace(/^0+/, '').length;
    kept += '0'.repeat(Math.max((precision ?? 6) - Math.max(digits, 1), 0));
  }
  return kept + (exponent ?? '');
}

function pad(text: string, flags: Flags): string {
  if (flags.width === undefined) return text;
  const missing = flags.width - [...text].length;
  if (missing <= 0) return text;
  if (flags.minus) return text + ' '.repeat(missing);
  return (flags.zero ? '0' : ' ').repeat(missing) + text;
}
