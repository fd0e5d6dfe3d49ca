// What plugins of Nagios print: a line of text, a bar, performance data `'label'=value[unit];warn;crit;min;max`, and possibly
// more lines of both. Units are turned into seconds, bytes and plain numbers.

export type NagiosThresholds = { readonly low: number | undefined; readonly high: number | undefined };

export type NagiosValue = {
  readonly label: string;
  readonly value: number;
  /** 'seconds', 'bytes', 'percent', 'count' (a counter) or ''. */
  readonly unit: string;
  readonly warning: NagiosThresholds | undefined;
  readonly critical: NagiosThresholds | undefined;
  readonly min: number | undefined;
  readonly max: number | undefined;
};

const UNITS: Readonly<Record<string, readonly [unit: string, factor: number]>> = {
  s: ['seconds', 1],
  ms: ['seconds', 1e-3],
  us: ['seconds', 1e-6],
  ns: ['seconds', 1e-9],
  '%': ['percent', 1],
  B: ['bytes', 1],
  KB: ['bytes', 1024],
  MB: ['bytes', 1024 ** 2],
  GB: ['bytes', 1024 ** 3],
  TB: ['bytes', 1024 ** 4],
  KiB: ['bytes', 1024],
  MiB: ['bytes', 1024 ** 2],
  GiB: ['bytes', 1024 ** 3],
  TiB: ['bytes', 1024 ** 4],
  c: ['count', 1],
};

/** Values of a plugin's whole output; what cannot be read is reported and passed over. */
export function parseNagios(output: string, bad: (item: string) => void): NagiosValue[] {
  const lines = output.split('\n');
  const first = lines[0] ?? '';
  const bar = first.indexOf('|');
  const parts = bar < 0 ? [] : [first.slice(bar + 1)];
  // In the lines that follow, everything behind the second bar is performance data.
  const rest = lines.slice(1).join('\n');
  const second = rest.indexOf('|');
  if (second >= 0) parts.push(rest.slice(second + 1));
  return parts.flatMap((part) =>
    split(part).flatMap((item) => {
      const value = parseItem(item);
      if (!value) bad(item);
      return value ? [value] : [];
    }),
  );
}

/** Items are separated by spaces; labels in single quotes may hold spaces, two quotes stand for one. */
function split(text: string): string[] {
  const items: string[] = [];
  let item = '';
  let quoted = false;
  for (const char of text) {
    if (char === "'") quoted = !quoted;
    if (/\s/.test(char) && !quoted) {
      if (item !== '') items.push(item);
      item = '';
    } else item += char;
  }
  if (item !== '') items.push(item);
  return items;
}

function parseItem(item: string): NagiosValue | undefined {
  const match = /^(?:'((?:[^']|'')+)'|([^=']+))=([^;]*)(?:;([^;]*))?(?:;([^;]*))?(?:;([^;]*))?(?:;([^;]*))?;?$/.exec(
    item,
  );
  const number = match && /^([+-]?[\d.,]+(?:[eE][+-]?\d+)?)([^\d;]*)$/.exec(match[3]!);
  if (!match || !number) return undefined;
  const suffix = number[2]!;
  const [unit, factor] = Object.hasOwn(UNITS, suffix) ? UNITS[suffix]! : [suffix, 1];
  const scale = (text: string | undefined): number | undefined => {
    if (text === undefined || text === '') return undefined;
    const value = Number(text.replace(',', '.').replace(/[^\d.eE+-]+$/, ''));
    return Number.isNaN(value) ? undefined : value * factor;
  };
  const value = scale(number[1]);
  if (value === undefined) return undefined;
  const range = (text: string | undefined): NagiosThresholds | undefined => {
    if (text === undefined || text === '') return undefined;
    const bounds = text.replace(/^@/, '').split(':');
    const [low, high] = bounds.length === 1 ? ['0', bounds[0]] : bounds;
    return { low: low === '~' ? -Infinity : scale(low), high: high === '' ? Infinity : scale(high) };
  };
  return {
    label: match[1]?.replaceAll("''", "'") ?? match[2]!,
    value,
    unit,
    warning: range(match[4]),
    critical: range(match[5]),
    min: scale(match[6]),
    max: scale(match[7]),
  };
}
