// StatsD lines: `name:value|type|@rate|#tags`, with the tag styles of DogStatsD (`|#k:v`), InfluxDB (`name,k=v`), Librato
// (`name#k=v`) and SignalFX (`name[k=v]`), and several values in one line (`name:1:2|ms`).

export type StatsdType = 'counter' | 'gauge' | 'timer' | 'distribution' | 'set';

export type StatsdEvent = {
  readonly name: string;
  /** Flat pairs. */
  readonly tags: readonly string[];
  readonly type: StatsdType;
  /** Timers in seconds. Sets: NaN, see `member`. */
  readonly value: number;
  /** A gauge's change instead of its value. */
  readonly relative: boolean;
  readonly member: string;
  /** How many events this one stands for. */
  readonly weight: number;
};

const TYPES: Readonly<Record<string, StatsdType>> = {
  c: 'counter',
  g: 'gauge',
  ms: 'timer',
  h: 'distribution',
  d: 'distribution',
  s: 'set',
};

/** The events of a line, or why there are none. */
export function parseStatsd(line: string): readonly StatsdEvent[] | string {
  const bar = line.indexOf('|');
  if (bar < 0) return 'no type';
  const head = line.slice(0, bar);
  const named = splitName(head);
  if (typeof named === 'string') return named;
  const { name, tags, rest } = named;
  const events: StatsdEvent[] = [];
  const [typeText = '', ...sections] = line.slice(bar + 1).split('|');
  const type = Object.hasOwn(TYPES, typeText) ? TYPES[typeText]! : undefined;
  if (!type) return `unknown type ${JSON.stringify(typeText)}`;
  let weight = 1;
  for (const section of sections) {
    if (section.startsWith('@')) {
      const rate = Number(section.slice(1));
      if (!(rate > 0 && rate <= 1)) return `invalid sample rate ${JSON.stringify(section)}`;
      weight = 1 / rate;
    } else if (section.startsWith('#')) {
      for (const tag of section.slice(1).split(',')) {
        const at = tag.indexOf(':');
        if (at > 0 && at < tag.length - 1) tags.push(tag.slice(0, at), tag.slice(at + 1));
        else if (tag !== '' && at < 0) tags.push(tag, 'true');
      }
    }
    // Other sections (DogStatsD's container ids and times) say nothing about the value.
  }
  for (const text of type === 'set' ? [rest] : rest.split(':')) {
    const value = type === 'set' ? Number.NaN : Number(text);
    if (type !== 'set' && (text.trim() === '' || !Number.isFinite(value)))
      return `invalid value ${JSON.stringify(text)}`;
    if (type === 'counter' && value < 0) return `counter with a negative value ${text}`;
    const relative = type === 'gauge' && /^[+-]/.test(text);
    events.push({ name, tags, type, value: type === 'timer' ? value / 1000 : value, relative, member: rest, weight });
  }
  return events;
}

/** Name, tags written in it, and what follows the first colon. */
function splitName(head: string): { name: string; tags: string[]; rest: string } | string {
  const colon = head.indexOf(':');
  if (colon < 0) return 'no value';
  const whole = head.slice(0, colon);
  const rest = head.slice(colon + 1);
  const tags: string[] = [];
  const read = (text: string): boolean => {
    for (const pair of text.split(',')) {
      const at = pair.indexOf('=');
      if (at <= 0 || at === pair.length - 1) return false;
      tags.push(pair.slice(0, at), pair.slice(at + 1));
    }
    return true;
  };
  const bracket = /^([^[]*)\[([^\]]*)\](.*)$/.exec(whole);
  const style = bracket ? undefined : /^([^,#]+)[,#](.+)$/.exec(whole);
  const inside = bracket?.[2] ?? style?.[2];
  if (inside !== undefined && inside !== '' && !read(inside)) return `invalid tags ${JSON.stringify(inside)}`;
  const name = bracket ? `${bracket[1]}${bracket[3]}` : (style?.[1] ?? whole);
  return name === '' ? 'no name' : { name, tags, rest };
}
