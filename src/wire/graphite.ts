// Graphite's plaintext protocol: `path value time`, the path with dots or as `name;tag=value;...`.

export type GraphiteLine = {
  readonly path: string;
  /** Flat pairs. */
  readonly tags: readonly string[];
  readonly value: number;
  /** Milliseconds; undefined: the time of arrival. */
  readonly time: number | undefined;
};

/** A line without its break, or why it is none. */
export function parseGraphite(line: string): GraphiteLine | string {
  const parts = line.trim().split(/\s+/);
  if (parts.length < 2 || parts.length > 3) return `expected "path value time", got ${parts.length} words`;
  const [name = '', text = '', when] = parts;
  const value = number(text);
  if (value === undefined) return `invalid value ${JSON.stringify(text)}`;
  const seconds = when === undefined || when === '-1' || when === 'N' ? undefined : number(when);
  if (when !== undefined && when !== '-1' && when !== 'N' && (seconds === undefined || !Number.isFinite(seconds))) {
    return `invalid time ${JSON.stringify(when)}`;
  }
  const [path = '', ...pairs] = name.split(';');
  if (path === '') return 'empty path';
  const tags: string[] = [];
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at <= 0 || at === pair.length - 1) return `invalid tag ${JSON.stringify(pair)}`;
    tags.push(pair.slice(0, at), pair.slice(at + 1));
  }
  return { path, tags, value, time: seconds === undefined ? undefined : Math.round(seconds * 1000) };
}

function number(text: string): number | undefined {
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  if (/^[+-]?inf(inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}
