// The abbreviation of the time zone in force ("CET"), from the system's TZif file (RFC 8536). JavaScript knows it only through a
// library of 8 MB, and then by other names than the system's.

const HEADER_BYTES = 44;
const TYPE_BYTES = 6;

/** The name in force at a time, where clocks are `offsetSeconds` ahead of UTC; undefined if the content is no TZif file. */
export function zoneAbbreviation(content: Buffer, nowSeconds: number, offsetSeconds: number): string | undefined {
  if (content.length < HEADER_BYTES || content.toString('latin1', 0, 4) !== 'TZif') return undefined;
  const isLong = content[4]! >= 0x32;
  const start = isLong ? HEADER_BYTES + blockBytes(content, 0, 4) : 0;
  if (start + HEADER_BYTES > content.length) return undefined;
  const timeBytes = isLong ? 8 : 4;
  const [, , , times, types, characters] = counts(content, start) as [number, number, number, number, number, number];
  const timesAt = start + HEADER_BYTES;
  const indexesAt = timesAt + times * timeBytes;
  const typesAt = indexesAt + times;
  const namesAt = typesAt + types * TYPE_BYTES;
  if (namesAt + characters > content.length) return undefined;
  const offsetOf = (type: number) => content.readInt32BE(typesAt + type * TYPE_BYTES);
  const nameOf = (type: number) => {
    const at = namesAt + content[typesAt + type * TYPE_BYTES + 5]!;
    return content.toString('latin1', at, content.indexOf(0, at));
  };
  let latest = -1;
  for (let i = 0; i < times; i++) {
    const at = timesAt + i * timeBytes;
    const time = isLong ? Number(content.readBigInt64BE(at)) : content.readInt32BE(at);
    if (time > nowSeconds) break;
    latest = content[indexesAt + i]!;
  }
  if (latest >= 0 && offsetOf(latest) === offsetSeconds) return nameOf(latest);
  const footer = isLong ? content.toString('latin1', start + HEADER_BYTES + blockBytes(content, start, 8)) : '';
  const ruled = nameInRule(footer.trim(), offsetSeconds);
  if (ruled !== undefined) return ruled;
  for (let type = 0; type < types; type++) if (offsetOf(type) === offsetSeconds) return nameOf(type);
  return undefined;
}

/** Counts of: UTC marks, standard marks, leap seconds, transitions, types, characters of names. */
const counts = (content: Buffer, start: number): number[] =>
  Array.from({ length: 6 }, (_, i) => content.readUInt32BE(start + 20 + i * 4));

function blockBytes(content: Buffer, start: number, timeBytes: number): number {
  const [utc, standard, leaps, times, types, characters] = counts(content, start) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return times * (timeBytes + 1) + types * TYPE_BYTES + characters + leaps * (timeBytes + 4) + standard + utc;
}

/** The footer says how it goes on for ever: "CET-1CEST,M3.5.0,M10.5.0/3". Its offsets count westward. */
function nameInRule(rule: string, offsetSeconds: number): string | undefined {
  const name = '(<[^>]+>|[A-Za-z]+)';
  const offset = '([+-]?\\d+(?::\\d+){0,2})';
  const match = new RegExp(`^${name}${offset}(?:${name}${offset}?)?`).exec(rule);
  if (!match) return undefined;
  const standard = -secondsOf(match[2]!);
  const bare = (text: string) => text.replace(/[<>]/g, '');
  if (standard === offsetSeconds) return bare(match[1]!);
  if (match[3] === undefined) return undefined;
  const summer = match[4] === undefined ? standard + 3600 : -secondsOf(match[4]);
  return summer === offsetSeconds ? bare(match[3]) : undefined;
}

function secondsOf(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.replace(/^[+-]/, '').split(':').map(Number);
  return (text.startsWith('-') ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
}
