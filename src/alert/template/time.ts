// Go's time.Time and time.Duration as templates use them: methods, printing, layouts and time zones. A moment is
// milliseconds since the epoch plus the nanoseconds below the millisecond, a duration is nanoseconds.

import { type GoFunction, GoNamed, GoObject, type Value } from './value.ts';

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const NS_PER_MS = 1_000_000n;
const DAY_MS = 86_400_000;
/** Go's zero time, 0001-01-01. */
const ZERO_TIME_MS = -62_135_596_800_000;

export class GoDuration extends GoObject {
  readonly goType = 'time.Duration';
  readonly nanoseconds: bigint;
  constructor(nanoseconds: bigint) {
    super();
    this.nanoseconds = nanoseconds;
  }
  static fromMs(ms: number): GoDuration {
    return new GoDuration(BigInt(Math.trunc(ms * 1e6)));
  }
  override get basic(): bigint {
    return this.nanoseconds;
  }
  override text(): string {
    return formatGoDuration(this.nanoseconds);
  }
  override toJSON(): unknown {
    return Number(this.nanoseconds);
  }
  override method(name: string): GoFunction | undefined {
    const get = (call: () => Value): GoFunction => ({ params: [], call });
    const ns = this.nanoseconds;
    switch (name) {
      case 'Hours':
        return get(() => Number(ns) / 3.6e12);
      case 'Minutes':
        return get(() => Number(ns) / 6e10);
      case 'Seconds':
        return get(() => Number(ns) / 1e9);
      case 'Milliseconds':
        return get(() => ns / NS_PER_MS);
      case 'Microseconds':
        return get(() => ns / 1000n);
      case 'Nanoseconds':
        return get(() => ns);
      case 'String':
        return get(() => this.text());
      case 'Abs':
        return get(() => new GoDuration(ns < 0n ? -ns : ns));
      case 'Truncate':
        return { params: ['time.Duration'], call: (unit) => new GoDuration(truncate(ns, unit as GoDuration)) };
      case 'Round':
        return { params: ['time.Duration'], call: (unit) => new GoDuration(round(ns, unit as GoDuration)) };
      default:
        return undefined;
    }
  }
}

const truncate = (ns: bigint, unit: GoDuration): bigint => (unit.nanoseconds <= 0n ? ns : ns - (ns % unit.nanoseconds));

function round(ns: bigint, { nanoseconds: unit }: GoDuration): bigint {
  if (unit <= 0n) return ns;
  const rest = ns % unit;
  const size = rest < 0n ? -rest : rest;
  const down = ns - rest;
  return size * 2n < unit ? down : ns < 0n ? down - unit : down + unit;
}

/** The longest duration that Go has is some 292 years. */
function clampDuration(ns: bigint): bigint {
  if (ns > 0x7fffffffffffffffn) return 0x7fffffffffffffffn;
  return ns < -0x8000000000000000n ? -0x8000000000000000n : ns;
}

/** "1h2m3.5s", "1.5ms", "0s". */
export function formatGoDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const ns = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = (unit: bigint) => {
    const rest = (ns % unit).toString().padStart(unit.toString().length - 1, '0');
    return rest.replace(/0+$/, '').replace(/^(?=\d)/, '.');
  };
  if (ns < 1000n) return `${sign}${ns}ns`;
  if (ns < 1_000_000n) return `${sign}${ns / 1000n}${fraction(1000n)}µs`;
  if (ns < 1_000_000_000n) return `${sign}${ns / NS_PER_MS}${fraction(NS_PER_MS)}ms`;
  const seconds = ns / 1_000_000_000n;
  const tail = `${seconds % 60n}${fraction(1_000_000_000n)}s`;
  if (seconds < 60n) return sign + tail;
  const minutes = seconds / 60n;
  return minutes < 60n ? `${sign}${minutes}m${tail}` : `${sign}${minutes / 60n}h${minutes % 60n}m${tail}`;
}

/** Date and clock of a moment in its zone. */
type Fields = {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly weekday: number;
  readonly yearDay: number;
  readonly nanosecond: number;
  readonly offsetS: number;
  readonly zoneName: string;
};

export class GoTime extends GoObject {
  readonly goType = 'time.Time';
  readonly ms: number;
  readonly extraNs: number;
  /** 'UTC' or a name of the time zone database. */
  readonly zone: string;

  constructor(ms: number, zone = 'UTC', extraNs = 0) {
    super();
    this.ms = ms;
    this.zone = zone;
    this.extraNs = extraNs;
  }

  static readonly zero = new GoTime(ZERO_TIME_MS);

  /** The same moment in a zone; throws when nobody knows the zone. */
  in(zone: string): GoTime {
    if (zone === '' || zone === 'UTC') return new GoTime(this.ms, 'UTC', this.extraNs);
    try {
      new Intl.DateTimeFormat('en-US', { timeZone: zone });
    } catch {
      throw new Error(`unknown time zone ${zone}`);
    }
    return new GoTime(this.ms, zone, this.extraNs);
  }

  get nanoseconds(): bigint {
    return BigInt(Math.floor(this.ms)) * NS_PER_MS + BigInt(this.extraNs);
  }

  plus(nanoseconds: bigint): GoTime {
    const total = this.nanoseconds + nanoseconds;
    const ms = total >= 0n ? total / NS_PER_MS : -((-total + NS_PER_MS - 1n) / NS_PER_MS);
    return new GoTime(Number(ms), this.zone, Number(total - ms * NS_PER_MS));
  }

  fields(): Fields {
    const { offsetS, zoneName } = zoneAt(this.zone, this.ms);
    const local = new Date(Math.floor(this.ms) + offsetS * 1000);
    const year = local.getUTCFullYear();
    const yearStart = new Date(0);
    yearStart.setUTCFullYear(year, 0, 1);
    return {
      year,
      month: local.getUTCMonth(),
      day: local.getUTCDate(),
      hour: local.getUTCHours(),
      minute: local.getUTCMinutes(),
      second: local.getUTCSeconds(),
      weekday: local.getUTCDay(),
      yearDay: Math.floor((local.getTime() - yearStart.getTime()) / DAY_MS) + 1,
      nanosecond: local.getUTCMilliseconds() * 1e6 + this.extraNs,
      offsetS,
      zoneName,
    };
  }

  override text(): string {
    return this.format('2006-01-02 15:04:05.999999999 -0700 MST');
  }

  override toJSON(): unknown {
    return this.format('2006-01-02T15:04:05.999999999Z07:00');
  }

  format(layout: string): string {
    const fields = this.fields();
    let out = '';
    for (const part of splitLayout(layout)) out += part.element ? formatElement(part.text, fields) : part.text;
    return out;
  }

  override method(name: string): GoFunction | undefined {
    const get = (call: () => Value): GoFunction => ({ params: [], call });
    const other = (call: (time: GoTime) => Value): GoFunction => ({
      params: ['time.Time'],
      call: (time) => call(time as GoTime),
    });
    const part = (key: keyof Fields) => get(() => BigInt(this.fields()[key]));
    switch (name) {
      case 'Format':
        return { params: ['string'], call: (layout) => this.format(String(layout)) };
      case 'String':
        return get(() => this.text());
      case 'UTC':
        return get(() => new GoTime(this.ms, 'UTC', this.extraNs));
      case 'Local':
        return get(() => this.in(new Intl.DateTimeFormat().resolvedOptions().timeZone));
      case 'Unix':
        return get(() => BigInt(Math.floor(this.ms / 1000)));
      case 'UnixMilli':
        return get(() => BigInt(Math.floor(this.ms)));
      case 'UnixMicro':
        return get(() => this.nanoseconds / 1000n);
      case 'UnixNano':
        return get(() => this.nanoseconds);
      case 'Year':
        return part('year');
      case 'Month':
        return get(() => {
          const { month } = this.fields();
          return new GoNamed('time.Month', BigInt(month + 1), MONTHS[month]);
        });
      case 'Weekday':
        return get(() => {
          const { weekday } = this.fields();
          return new GoNamed('time.Weekday', BigInt(weekday), WEEKDAYS[weekday]);
        });
      case 'Day':
        return part('day');
      case 'Hour':
        return part('hour');
      case 'Minute':
        return part('minute');
      case 'Second':
        return part('second');
      case 'Nanosecond':
        return part('nanosecond');
      case 'YearDay':
        return part('yearDay');
      case 'IsZero':
        return get(() => this.ms === ZERO_TIME_MS && this.extraNs === 0);
      case 'Add':
        return { params: ['time.Duration'], call: (d) => this.plus((d as GoDuration).nanoseconds) };
      case 'AddDate':
        return { params: ['int', 'int', 'int'], call: (y, m, d) => this.#addDate(Number(y), Number(m), Number(d)) };
      case 'Sub':
        return other((time) => new GoDuration(clampDuration(this.nanoseconds - time.nanoseconds)));
      case 'Before':
        return other((time) => this.nanoseconds < time.nanoseconds);
      case 'After':
        return other((time) => this.nanoseconds > time.nanoseconds);
      case 'Equal':
        return other((time) => this.nanoseconds === time.nanoseconds);
      case 'Compare':
        return other((time) =>
          this.nanoseconds < time.nanoseconds ? -1n : this.nanoseconds > time.nanoseconds ? 1n : 0n,
        );
      case 'Truncate':
      case 'Round': {
        const reduce = name === 'Round' ? round : truncate;
        return {
          params: ['time.Duration'],
          call: (unit) => {
            // Go counts from the zero time.
            const zero = BigInt(ZERO_TIME_MS) * NS_PER_MS;
            const since = this.nanoseconds - zero;
            return this.plus(reduce(since, unit as GoDuration) - since);
          },
        };
      }
      default:
        return undefined;
    }
  }

  #addDate(years: number, months: number, days: number): GoTime {
    const { offsetS } = zoneAt(this.zone, this.ms);
    const local = new Date(this.ms + offsetS * 1000);
    local.setUTCFullYear(local.getUTCFullYear() + years, local.getUTCMonth() + months, local.getUTCDate() + days);
    return new GoTime(localToMs(local.getTime(), this.zone), this.zone, this.extraNs);
  }
}

/** The moment at which clocks of a zone show what UTC clocks show at `localMs`. */
function localToMs(localMs: number, zone: string): number {
  const guess = localMs - zoneAt(zone, localMs).offsetS * 1000;
  return localMs - zoneAt(zone, guess).offsetS * 1000;
}

function zoneAt(zone: string, ms: number): { offsetS: number; zoneName: string } {
  if (zone === 'UTC') return { offsetS: 0, zoneName: 'UTC' };
  const fixed = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
  if (fixed) {
    const offsetS = (Number(fixed[2]) * 3600 + Number(fixed[3]) * 60) * (fixed[1] === '-' ? -1 : 1);
    return { offsetS, zoneName: zone.replace(':', '') };
  }
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(ms);
  const value = (type: string) => Number(parts.find((p) => p.type === type)?.value ?? 0);
  const local = new Date(0);
  const bc = parts.find((p) => p.type === 'era')?.value === 'BC';
  local.setUTCFullYear(bc ? 1 - value('year') : value('year'), value('month') - 1, value('day'));
  local.setUTCHours(value('hour'), value('minute'), value('second'));
  const offsetS = Math.round((local.getTime() - Math.floor(ms / 1000) * 1000) / 1000);
  return { offsetS, zoneName: abbreviation(zone, ms, offsetS) };
}

/** The zone's abbreviation where one is known ("CET"), else its offset ("+08"), as the zone database has it. */
function abbreviation(zone: string, ms: number, offsetS: number): string {
  for (const locale of ['en-US', 'en-GB', 'en-AU', 'en-IN', 'en-ZA', 'en-CA', 'en-NZ']) {
    const name = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: 'short' })
      .formatToParts(ms)
      .find((p) => p.type === 'timeZoneName')?.value;
    if (name && /^[A-Z]{2,5}$/.test(name)) return name;
  }
  if (zone === 'Asia/Shanghai' || zone === 'Asia/Taipei' || zone === 'Asia/Macau') return 'CST';
  if (zone === 'Asia/Tokyo') return 'JST';
  if (zone === 'Asia/Seoul') return 'KST';
  if (zone === 'Asia/Hong_Kong') return 'HKT';
  if (zone === 'Europe/Moscow') return 'MSK';
  const size = Math.abs(offsetS);
  const minutes = Math.floor((size % 3600) / 60);
  const hours = String(Math.floor(size / 3600)).padStart(2, '0');
  return `${offsetS < 0 ? '-' : '+'}${hours}${minutes > 0 ? String(minutes).padStart(2, '0') : ''}`;
}

/** The elements of a layout, longest first where one begins another. */
const ELEMENT =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|[.,]0+(?!\d)|[.,]9+(?!\d)|__2|002|_2(?!006)|01|02|03|04|05|06|15|PM|pm|1|2|3|4|5/g;

function splitLayout(layout: string): { element: boolean; text: string }[] {
  const parts: { element: boolean; text: string }[] = [];
  let at = 0;
  for (const match of layout.matchAll(ELEMENT)) {
    if (match.index > at) parts.push({ element: false, text: layout.slice(at, match.index) });
    parts.push({ element: true, text: match[0] });
    at = match.index + match[0].length;
  }
  if (at < layout.length) parts.push({ element: false, text: layout.slice(at) });
  return parts;
}

const two = (value: number): string => String(value).padStart(2, '0');

function formatElement(element: string, f: Fields): string {
  const hour12 = f.hour % 12 === 0 ? 12 : f.hour % 12;
  switch (element) {
    case '2006':
      return f.year < 0 ? `-${String(-f.year).padStart(4, '0')}` : String(f.year).padStart(4, '0');
    case '06':
      return two(((f.year % 100) + 100) % 100);
    case 'January':
      return MONTHS[f.month]!;
    case 'Jan':
      return MONTHS[f.month]!.slice(0, 3);
    case '01':
      return two(f.month + 1);
    case '1':
      return String(f.month + 1);
    case 'Monday':
      return WEEKDAYS[f.weekday]!;
    case 'Mon':
      return WEEKDAYS[f.weekday]!.slice(0, 3);
    case '02':
      return two(f.day);
    case '_2':
      return String(f.day).padStart(2, ' ');
    case '2':
      return String(f.day);
    case '002':
      return String(f.yearDay).padStart(3, '0');
    case '__2':
      return String(f.yearDay).padStart(3, ' ');
    case '15':
      return two(f.hour);
    case '03':
      return two(hour12);
    case '3':
      return String(hour12);
    case '04':
      return two(f.minute);
    case '4':
      return String(f.minute);
    case '05':
      return two(f.second);
    case '5':
      return String(f.second);
    case 'PM':
      return f.hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return f.hour >= 12 ? 'pm' : 'am';
    case 'MST':
      return f.zoneName;
  }
  if (element[0] === '.' || element[0] === ',') {
    const digits = String(f.nanosecond)
      .padStart(9, '0')
      .slice(0, element.length - 1);
    if (element[1] === '0') return element[0] + digits;
    const kept = digits.replace(/0+$/, '');
    return kept === '' ? '' : element[0] + kept;
  }
  return formatOffset(element, f.offsetS);
}

function formatOffset(element: string, offsetS: number): string {
  if (element[0] === 'Z' && offsetS === 0) return 'Z';
  const size = Math.abs(offsetS);
  const parts = [Math.floor(size / 3600), Math.floor((size % 3600) / 60), size % 60].map(two);
  const count = element.slice(1).replaceAll(':', '').length / 2;
  return (offsetS < 0 ? '-' : '+') + parts.slice(0, count).join(element.includes(':') ? ':' : '');
}

/** Reads a time by a layout, in UTC unless the text has an offset. Throws Go's message. */
export function parseTime(layout: string, text: string): GoTime {
  const quoted = (part: string) => JSON.stringify(part);
  const fail = (at: string, element: string): never => {
    throw new Error(
      `parsing time ${quoted(text)} as ${quoted(layout)}: cannot parse ${quoted(at)} as ${quoted(element)}`,
    );
  };
  let rest = text;
  let [year, month, day, hour, minute, second, ns] = [0, 1, 1, 0, 0, 0, 0];
  let yearDay = 0;
  let afternoon: boolean | undefined;
  let offset: string | undefined;
  const take = (pattern: RegExp, element: string): string => {
    const match = pattern.exec(rest);
    if (!match) return fail(rest, element);
    rest = rest.slice(match[0].length);
    return match[0];
  };
  const name = (names: readonly string[], length: number | undefined, element: string): number => {
    const index = names.findIndex((n) => rest.toLowerCase().startsWith(n.slice(0, length).toLowerCase()));
    if (index < 0) return fail(rest, element);
    rest = rest.slice(names[index]!.slice(0, length).length);
    return index;
  };
  for (const { element, text: part } of splitLayout(layout)) {
    if (!element) {
      if (!rest.startsWith(part)) fail(rest, part);
      rest = rest.slice(part.length);
      continue;
    }
    if (part === '2006') year = Number(take(/^\d{4}/, part));
    else if (part === '06') {
      const short = Number(take(/^\d\d/, part));
      year = short >= 69 ? 1900 + short : 2000 + short;
    } else if (part === 'January') month = name(MONTHS, undefined, part) + 1;
    else if (part === 'Jan') month = name(MONTHS, 3, part) + 1;
    else if (part === 'Monday') name(WEEKDAYS, undefined, part);
    else if (part === 'Mon') name(WEEKDAYS, 3, part);
    else if (part === '01') month = Number(take(/^\d\d/, part));
    else if (part === '1') month = Number(take(/^\d\d?/, part));
    else if (part === '02') day = Number(take(/^\d\d/, part));
    else if (part === '2' || part === '_2') day = Number(take(/^ ?\d\d?/, part));
    else if (part === '002' || part === '__2') yearDay = Number(take(/^[ \d]{2}\d/, part));
    else if (part === '15') hour = Number(take(/^\d\d/, part));
    else if (part === '03') hour = Number(take(/^\d\d/, part));
    else if (part === '3') hour = Number(take(/^\d\d?/, part));
    else if (part === '04') minute = Number(take(/^\d\d/, part));
    else if (part === '4') minute = Number(take(/^\d\d?/, part));
    else if (part === '05' || part === '5') {
      second = Number(take(part === '05' ? /^\d\d/ : /^\d\d?/, part));
      // A fraction is taken after the seconds even when the layout has none.
      const fraction = /^[.,]\d+/.exec(rest)?.[0];
      if (fraction && !/05?[.,][09]/.test(layout)) {
        ns = Number(fraction.slice(1, 10).padEnd(9, '0'));
        rest = rest.slice(fraction.length);
      }
    } else if (part === 'PM' || part === 'pm') afternoon = /pm/i.test(take(/^[AaPp][Mm]/, part));
    else if (part === 'MST') {
      const zone = take(/^(?:[A-Z]{3,4}|[+-]\d\d)/, part);
      if (/^[+-]/.test(zone)) offset = `${zone}00`;
    } else if (part[0] === '.' || part[0] === ',') {
      const fraction =
        part[1] === '9' ? (/^[.,]\d+/.exec(rest)?.[0] ?? '') : take(new RegExp(`^[.,]\\d{${part.length - 1}}`), part);
      if (part[1] === '9') rest = rest.slice(fraction.length);
      ns = Number(fraction.slice(1, 10).padEnd(9, '0'));
    } else if (part[0] === 'Z' && rest[0] === 'Z') rest = rest.slice(1);
    else offset = take(part.includes(':') ? /^[+-]\d\d:\d\d/ : /^[+-]\d\d(?:\d\d)?/, part);
  }
  if (rest !== '') throw new Error(`parsing time ${quoted(text)}: extra text: ${quoted(rest)}`);
  if (afternoon && hour < 12) hour += 12;
  else if (afternoon === false && hour === 12) hour = 0;
  const outOfRange = (what: string): never => {
    throw new Error(`parsing time ${quoted(text)}: ${what} out of range`);
  };
  if (month < 1 || month > 12) outOfRange('month');
  if (hour > 23) outOfRange('hour');
  if (minute > 59) outOfRange('minute');
  if (second > 59) outOfRange('second');
  const date = new Date(0);
  if (yearDay > 0) date.setUTCFullYear(year, 0, yearDay);
  else date.setUTCFullYear(year, month - 1, day);
  if (yearDay === 0 && date.getUTCDate() !== day) outOfRange('day');
  date.setUTCHours(hour, minute, second);
  const wall = date.getTime() + Math.floor(ns / 1e6);
  if (offset === undefined) return new GoTime(wall, 'UTC', ns % 1e6);
  const plain = offset.replace(':', '').padEnd(5, '0');
  const zone = /^[+-]0000$/.test(plain) ? 'UTC' : `${plain.slice(0, 3)}:${plain.slice(3)}`;
  return new GoTime(localToMs(wall, zone), zone, ns % 1e6);
}
