// Influx' line protocol: `measurement,tag=value field=1,other=2i time`. Lines are independent: a bad one is told with its
// reason and the next goes on. Text fields carry no number and are passed over.

export type InfluxPoint = {
  readonly measurement: string;
  /** Flat pairs. */
  readonly tags: readonly string[];
  readonly fields: readonly { readonly name: string; readonly value: number }[];
  /** In the precision of the request; undefined: the time of arrival. */
  readonly time: number | undefined;
};

/** Nanoseconds do not fit into a double: times are divided as integers. */
export type Precision = { readonly multiply: number; readonly divide: bigint };

export const PRECISIONS: Readonly<Record<string, Precision>> = {
  n: { multiply: 1, divide: 1_000_000n },
  ns: { multiply: 1, divide: 1_000_000n },
  u: { multiply: 1, divide: 1000n },
  us: { multiply: 1, divide: 1000n },
  µ: { multiply: 1, divide: 1000n },
  ms: { multiply: 1, divide: 1n },
  s: { multiply: 1000, divide: 1n },
  m: { multiply: 60_000, divide: 1n },
  h: { multiply: 3_600_000, divide: 1n },
};

/** Calls `point` for each line that can be read, `bad` with line number and reason for each that cannot. */
export function parseInflux(
  text: string,
  precision: Precision,
  point: (point: InfluxPoint) => void,
  bad: (line: number, reason: string) => void,
): void {
  let number = 0;
  for (let start = 0; start < text.length; ) {
    const end = lineEnd(text, start);
    number++;
    const line = text.slice(start, end).trim();
    start = end + 1;
    if (line === '' || line.startsWith('#')) continue;
    try {
      point(parseLine(line, precision));
    } catch (error) {
      bad(
        number,
        `unable to parse '${line.length > 200 ? `${line.slice(0, 200)}...` : line}': ${(error as Error).message}`,
      );
    }
  }
}

/** The end of a line; line breaks inside quoted fields belong to it. */
function lineEnd(text: string, start: number): number {
  const end = text.indexOf('\n', start);
  const quote = text.indexOf('"', start);
  if (end < 0) return text.length;
  if (quote < 0 || quote > end) return end;
  let quoted = false;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') i++;
    else if (char === '"') quoted = !quoted;
    else if (char === '\n' && !quoted) return i;
  }
  return text.length;
}

function parseLine(line: string, precision: Precision): InfluxPoint {
  let at = 0;
  /** Up to an unescaped character of `stops`; backslashes before special characters are taken off. */
  const word = (stops: string, special: string): string => {
    let out = '';
    while (at < line.length) {
      const char = line[at]!;
      if (char === '\\' && at + 1 < line.length && special.includes(line[at + 1]!)) {
        out += line[at + 1];
        at += 2;
        continue;
      }
      if (stops.includes(char)) break;
      out += char;
      at++;
    }
    return out;
  };
  const measurement = word(', ', ', ');
  if (measurement === '') throw new Error('missing measurement');
  const tags: string[] = [];
  while (line[at] === ',') {
    at++;
    const name = word(',= ', ',= ');
    if (line[at] !== '=') throw new Error('missing tag value');
    at++;
    const value = word(',= ', ',= ');
    if (name === '') throw new Error('missing tag key');
    if (value === '') throw new Error('missing tag value');
    if (line[at] === '=') throw new Error('invalid tag format');
    tags.push(name, value);
  }
  if (line[at] !== ' ') throw new Error('missing fields');
  while (line[at] === ' ') at++;
  const fields: { name: string; value: number }[] = [];
  for (;;) {
    const name = word(',= ', ',= ');
    if (name === '') throw new Error('missing field key');
    if (line[at] !== '=') throw new Error('missing field value');
    at++;
    if (line[at] === '"') skipText();
    else {
      const value = fieldValue(word(', ', ''));
      if (value !== undefined) fields.push({ name, value });
    }
    if (line[at] !== ',') break;
    at++;
  }
  function skipText(): void {
    for (at++; at < line.length; at++) {
      if (line[at] === '\\') at++;
      else if (line[at] === '"') {
        at++;
        return;
      }
    }
    throw new Error('unbalanced quotes');
  }
  if (at < line.length && line[at] !== ' ') throw new Error('invalid field format');
  const rest = line.slice(at).trim();
  if (rest === '') return { measurement, tags, fields, time: undefined };
  if (!/^-?\d{1,19}$/.test(rest)) throw new Error('bad timestamp');
  const time = Number(BigInt(rest) / precision.divide) * precision.multiply;
  return { measurement, tags, fields, time };
}

const BOOLEANS: Readonly<Record<string, number>> = {
  t: 1,
  T: 1,
  true: 1,
  True: 1,
  TRUE: 1,
  f: 0,
  F: 0,
  false: 0,
  False: 0,
  FALSE: 0,
};

function fieldValue(text: string): number | undefined {
  if (text === '') throw new Error('missing field value');
  const truth = Object.hasOwn(BOOLEANS, text) ? BOOLEANS[text] : undefined;
  if (truth !== undefined) return truth;
  const last = text.at(-1);
  const digits = last === 'i' || last === 'u' ? text.slice(0, -1) : text;
  const isWhole = last === 'i' || last === 'u';
  if (isWhole ? !/^-?\d+$/.test(digits) : !/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(digits)) {
    throw new Error(isWhole ? 'invalid integer' : 'invalid number');
  }
  if (last === 'u' && digits.startsWith('-')) throw new Error('invalid unsigned integer');
  return Number(digits);
}
