// Numbers as people read them: a table of unit ids, those that Grafana's dashboards name, to a way of writing a value.
// Portable: the browser draws axes and cells with it, the server renders with it.

export type Formatted = { readonly text: string; readonly suffix: string };
type Scale = { readonly factor: number; readonly steps: readonly string[]; readonly start: number };
type Unit =
  | { readonly kind: 'scale'; readonly scale: Scale; readonly per?: string; readonly space: boolean }
  | { readonly kind: 'fixed'; readonly suffix: string; readonly multiply?: number; readonly prefix?: string }
  | { readonly kind: 'time'; readonly seconds: number }
  | { readonly kind: 'clock'; readonly seconds: number }
  | { readonly kind: 'date'; readonly style: 'iso' | 'us' | 'ago' | 'local' }
  | { readonly kind: 'words'; readonly no: string; readonly yes: string }
  | { readonly kind: 'raw'; readonly style: 'none' | 'locale' | 'hex' | 'hex0x' | 'sci' | 'string' | 'short' };

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];
const BINARY_BITS = ['b', 'Kib', 'Mib', 'Gib', 'Tib', 'Pib', 'Eib', 'Zib', 'Yib'];
const SI = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
const SI_SMALL = ['n', 'µ', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
const SHORT = ['', ' K', ' Mil', ' Bil', ' Tri', ' Quadr', ' Quint', ' Sext', ' Sept'];

const binary = (start: number, per = ''): Unit => ({
  kind: 'scale',
  scale: { factor: 1024, steps: BINARY, start },
  per,
  space: true,
});
const binaryBits = (start: number, per = ''): Unit => ({
  kind: 'scale',
  scale: { factor: 1024, steps: BINARY_BITS, start },
  per,
  space: true,
});
const si = (unit: string, start = 0): Unit => ({
  kind: 'scale',
  scale: { factor: 1000, steps: SI.map((step) => step + unit), start },
  space: true,
});
const small = (unit: string, start = 3): Unit => ({
  kind: 'scale',
  scale: { factor: 1000, steps: SI_SMALL.map((step) => step + unit), start },
  space: true,
});
const fixed = (suffix: string, multiply?: number): Unit => ({
  kind: 'fixed',
  suffix,
  ...(multiply === undefined ? {} : { multiply }),
});
const money = (prefix: string): Unit => ({ kind: 'fixed', suffix: '', prefix });
const simple = (suffix: string): Unit => ({
  kind: 'scale',
  scale: { factor: 1000, steps: ['', 'K', 'M', 'B', 'T'].map((step) => `${step} ${suffix}`), start: 0 },
  space: false,
});

const UNITS: Readonly<Record<string, Unit>> = {
  none: { kind: 'raw', style: 'none' },
  string: { kind: 'raw', style: 'string' },
  short: { kind: 'raw', style: 'short' },
  locale: { kind: 'raw', style: 'locale' },
  sci: { kind: 'raw', style: 'sci' },
  hex: { kind: 'raw', style: 'hex' },
  hex0x: { kind: 'raw', style: 'hex0x' },
  sishort: small(''),
  bool: { kind: 'words', no: 'False', yes: 'True' },
  bool_yes_no: { kind: 'words', no: 'No', yes: 'Yes' },
  bool_on_off: { kind: 'words', no: 'Off', yes: 'On' },
  percent: fixed('%'),
  percentunit: fixed('%', 100),
  humidity: fixed('%H'),
  dB: fixed(' dB'),
  dBm: fixed(' dBm'),
  ppm: fixed(' ppm'),
  bytes: binary(0),
  kbytes: binary(1),
  mbytes: binary(2),
  gbytes: binary(3),
  tbytes: binary(4),
  pbytes: binary(5),
  decbytes: si('B'),
  deckbytes: si('B', 1),
  decmbytes: si('B', 2),
  decgbytes: si('B', 3),
  dectbytes: si('B', 4),
  decpbytes: si('B', 5),
  bits: binaryBits(0),
  decbits: si('b'),
  Bps: si('B/s'),
  KBs: si('B/s', 1),
  MBs: si('B/s', 2),
  GBs: si('B/s', 3),
  TBs: si('B/s', 4),
  binBps: binary(0, '/s'),
  KiBs: binary(1, '/s'),
  MiBs: binary(2, '/s'),
  GiBs: binary(3, '/s'),
  bps: si('b/s'),
  Kbits: si('b/s', 1),
  Mbits: si('b/s', 2),
  Gbits: si('b/s', 3),
  binbps: binaryBits(0, '/s'),
  Kibits: binaryBits(1, '/s'),
  Mibits: binaryBits(2, '/s'),
  pps: si('p/s'),
  cps: simple('c/s'),
  ops: simple('ops/s'),
  reqps: simple('req/s'),
  rps: simple('rd/s'),
  wps: simple('wr/s'),
  iops: simple('io/s'),
  mps: simple('msg/s'),
  recps: simple('rec/s'),
  rowsps: simple('rows/s'),
  eps: simple('evt/s'),
  opm: simple('ops/min'),
  cpm: simple('c/min'),
  rpm: simple('rd/min'),
  wpm: simple('wr/min'),
  reqpm: simple('req/min'),
  ns: { kind: 'time', seconds: 1e-9 },
  µs: { kind: 'time', seconds: 1e-6 },
  us: { kind: 'time', seconds: 1e-6 },
  ms: { kind: 'time', seconds: 1e-3 },
  s: { kind: 'time', seconds: 1 },
  m: { kind: 'time', seconds: 60 },
  h: { kind: 'time', seconds: 3600 },
  d: { kind: 'time', seconds: 86_400 },
  dtdurationms: { kind: 'time', seconds: 1e-3 },
  dtdurations: { kind: 'time', seconds: 1 },
  dthms: { kind: 'clock', seconds: 1 },
  dtdhms: { kind: 'clock', seconds: 1 },
  clockms: { kind: 'clock', seconds: 1e-3 },
  clocks: { kind: 'clock', seconds: 1 },
  timeticks: { kind: 'time', seconds: 0.01 },
  dateTimeAsIso: { kind: 'date', style: 'iso' },
  dateTimeAsIsoNoDateIfToday: { kind: 'date', style: 'iso' },
  dateTimeAsUS: { kind: 'date', style: 'us' },
  dateTimeAsUSNoDateIfToday: { kind: 'date', style: 'us' },
  dateTimeAsLocal: { kind: 'date', style: 'local' },
  dateTimeAsSystem: { kind: 'date', style: 'local' },
  dateTimeFromNow: { kind: 'date', style: 'ago' },
  hertz: small('Hz'),
  rothz: small('Hz'),
  rotrpm: fixed(' rpm'),
  rotrads: fixed(' rad/s'),
  celsius: fixed(' °C'),
  fahrenheit: fixed(' °F'),
  kelvin: fixed(' K'),
  volt: small('V'),
  kvolt: small('V', 4),
  mvolt: small('V', 2),
  dBV: fixed(' dBV'),
  amp: small('A'),
  mamp: small('A', 2),
  kamp: small('A', 4),
  watt: small('W'),
  mwatt: small('W', 2),
  kwatt: small('W', 4),
  megwatt: small('W', 5),
  voltamp: small('VA'),
  watth: small('Wh'),
  kwatth: small('Wh', 4),
  joule: small('J'),
  farad: small('F'),
  ohm: small('Ω'),
  lengthm: small('m'),
  lengthmm: small('m', 2),
  lengthkm: small('m', 4),
  lengthft: fixed(' ft'),
  lengthmi: fixed(' mi'),
  velocityms: fixed(' m/s'),
  velocitykmh: fixed(' km/h'),
  velocitymph: fixed(' mph'),
  velocityknot: fixed(' kn'),
  massg: small('g'),
  masskg: small('g', 4),
  massmg: small('g', 2),
  masst: fixed(' t'),
  litre: small('L'),
  mlitre: small('L', 2),
  m3: fixed(' m³'),
  Nm3: fixed(' Nm³'),
  dm3: fixed(' dm³'),
  pressurembar: small('bar', 2),
  pressurebar: small('bar'),
  pressurehpa: fixed(' hPa'),
  pressurekpa: fixed(' kPa'),
  pressurepsi: fixed(' psi'),
  degree: fixed('°'),
  radian: fixed(' rad'),
  lux: fixed(' lx'),
  flops: small('FLOP/s'),
  currencyUSD: money('$'),
  currencyGBP: money('£'),
  currencyEUR: money('€'),
  currencyJPY: money('¥'),
  currencyCNY: money('¥'),
  currencyKRW: money('₩'),
  currencyINR: money('₹'),
  currencyBRL: money('R$'),
  currencyCHF: money('CHF '),
  currencyBTC: money('฿'),
};

export const UNIT_IDS: readonly string[] = Object.keys(UNITS);

/** Whether a unit id is one of the table or of the custom forms (`suffix:`, `prefix:`, `time:`, `si:`, `count:`, `currency:`). */
export function knowsUnit(id: string): boolean {
  return id === '' || id in UNITS || /^(suffix|prefix|time|si|count|currency):/.test(id) || !/^[a-z]+[A-Z]/.test(id);
}

function unitOf(id: string): Unit {
  const known = UNITS[id];
  if (known) return known;
  const custom = /^(suffix|prefix|si|count|currency|time):(.*)$/.exec(id);
  if (!custom) return fixed(` ${id}`);
  const [, kind, text = ''] = custom;
  switch (kind) {
    case 'suffix':
      return fixed(` ${text}`);
    case 'prefix':
    case 'currency':
      return money(text);
    case 'si': {
      const at = SI_SMALL.indexOf(text[0] ?? '');
      return text.length > 1 && at >= 0 ? small(text.slice(1), at) : small(text);
    }
    case 'count':
      return simple(text);
    default:
      return { kind: 'date', style: 'iso' };
  }
}

/** Digits after the point that keep about three significant ones. */
function digitsFor(value: number): number {
  const size = Math.abs(value);
  if (size === 0 || Number.isInteger(value)) return 0;
  if (size >= 100) return size >= 1000 ? 0 : 1;
  if (size >= 1) return 2;
  return Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(size))));
}

function fix(value: number, decimals: number | undefined): string {
  if (decimals !== undefined) return value.toFixed(Math.min(20, Math.max(0, decimals)));
  const text = value.toFixed(digitsFor(value));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function special(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return undefined;
}

function scaled(value: number, scale: Scale): { value: number; step: string } {
  let at = scale.start;
  while (Math.abs(value) >= scale.factor && at < scale.steps.length - 1) {
    value /= scale.factor;
    at++;
  }
  while (Math.abs(value) < 1 && value !== 0 && at > 0 && scale.start > 0) {
    value *= scale.factor;
    at--;
  }
  return { value, step: scale.steps[at]! };
}

const TIME_STEPS: readonly (readonly [number, string])[] = [
  [31_536_000, ' years'],
  [604_800 * 2, ' weeks'],
  [86_400, ' days'],
  [3600, ' hours'],
  [60, ' mins'],
  [1, ' s'],
  [1e-3, ' ms'],
  [1e-6, ' µs'],
  [0, ' ns'],
];
const TIME_DIVISORS: Readonly<Record<string, number>> = {
  ' years': 31_536_000,
  ' weeks': 604_800,
  ' days': 86_400,
  ' hours': 3600,
  ' mins': 60,
  ' s': 1,
  ' ms': 1e-3,
  ' µs': 1e-6,
  ' ns': 1e-9,
};

function duration(seconds: number, decimals: number | undefined): Formatted {
  if (seconds === 0) return { text: '0', suffix: ' s' };
  for (const [least, suffix] of TIME_STEPS) {
    if (Math.abs(seconds) >= least)
      return {
        text: fix(seconds / TIME_DIVISORS[suffix]!, decimals),
        suffix:
          seconds === TIME_DIVISORS[suffix] ? suffix.replace(/s$/, (end) => (suffix.length > 3 ? '' : end)) : suffix,
      };
  }
  return { text: fix(seconds, decimals), suffix: ' s' };
}

function clock(seconds: number): string {
  const sign = seconds < 0 ? '-' : '';
  const whole = Math.floor(Math.abs(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const days = Math.floor(whole / 86_400);
  const rest = `${two(Math.floor((whole % 86_400) / 3600))}:${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  return sign + (days > 0 ? `${days} d ${rest}` : rest);
}

function date(ms: number, style: 'iso' | 'us' | 'ago' | 'local', nowMs: number): string {
  const instant = new Date(ms);
  if (Number.isNaN(instant.getTime())) return 'Invalid date';
  if (style === 'ago') {
    const past = nowMs - ms;
    const { text, suffix } = duration(Math.abs(past) / 1000, 0);
    return past >= 0 ? `${text}${suffix} ago` : `in ${text}${suffix}`;
  }
  const two = (n: number) => String(n).padStart(2, '0');
  const [y, mo, d] = [instant.getFullYear(), two(instant.getMonth() + 1), two(instant.getDate())];
  const time = `${two(instant.getHours())}:${two(instant.getMinutes())}:${two(instant.getSeconds())}`;
  return style === 'us' ? `${mo}/${d}/${y} ${time}` : `${y}-${mo}-${d} ${time}`;
}

export type FormatOptions = { readonly decimals?: number | undefined; readonly nowMs?: number };

/** A value with its unit, number and unit apart so that the unit can be drawn smaller. */
export function formatValue(value: number, unitId: string, options: FormatOptions = {}): Formatted {
  const { decimals } = options;
  const odd = special(value);
  if (odd !== undefined) return { text: odd, suffix: '' };
  const unit = unitOf(unitId === '' ? 'short' : unitId);
  switch (unit.kind) {
    case 'scale': {
      const { value: shown, step } = scaled(value, unit.scale);
      return { text: fix(shown, decimals), suffix: (unit.space && step !== '' ? ' ' : '') + step + (unit.per ?? '') };
    }
    case 'fixed': {
      const shown = value * (unit.multiply ?? 1);
      if (unit.prefix === undefined) return { text: fix(shown, decimals), suffix: unit.suffix };
      const { value: part, step } = scaled(shown, { factor: 1000, steps: ['', 'K', 'M', 'B', 'T'], start: 0 });
      return { text: unit.prefix + fix(part, decimals), suffix: step };
    }
    case 'time':
      return duration(value * unit.seconds, decimals);
    case 'clock':
      return { text: clock(value * unit.seconds), suffix: '' };
    case 'date':
      return { text: date(value, unit.style, options.nowMs ?? value), suffix: '' };
    case 'words':
      return { text: value === 0 ? unit.no : unit.yes, suffix: '' };
    case 'raw':
      return { text: raw(value, unit.style, decimals), suffix: '' };
  }
}

function raw(value: number, style: string, decimals: number | undefined): string {
  switch (style) {
    case 'hex':
    case 'hex0x': {
      const digits = Math.trunc(value).toString(16).toUpperCase();
      return style === 'hex0x' ? `0x${digits}` : digits;
    }
    case 'sci':
      return value.toExponential(decimals);
    case 'locale':
      return value.toLocaleString('en-US', { maximumFractionDigits: decimals ?? 3 });
    case 'string':
      return String(value);
    case 'none':
      return Math.abs(value) >= 1e15 || (value !== 0 && Math.abs(value) < 1e-6)
        ? value.toPrecision(6)
        : fix(value, decimals);
    default: {
      if (Math.abs(value) < 1000)
        return value !== 0 && Math.abs(value) < 1e-4 ? value.toExponential(2) : fix(value, decimals);
      const { value: shown, step } = scaled(value, { factor: 1000, steps: SHORT, start: 0 });
      return fix(shown, decimals) + step;
    }
  }
}

export function formatText(value: number | null | undefined, unitId: string, options?: FormatOptions): string {
  if (value === null || value === undefined) return '–';
  const { text, suffix } = formatValue(value, unitId, options);
  return text + suffix;
}
