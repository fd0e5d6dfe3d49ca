// Durations and sizes as Prometheus writes them: "1h30m", "15d", "512MB". Durations are milliseconds, sizes bytes.

const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const DURATION_UNITS = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1];
const DURATION_NAMES = ['y', 'w', 'd', 'h', 'm', 's', 'ms'];

/** Undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = text === '' ? null : DURATION.exec(text);
  if (!match) return undefined;
  let ms = 0;
  for (let i = 0; i < DURATION_UNITS.length; i++) ms += Number(match[i + 1] ?? 0) * DURATION_UNITS[i]!;
  return ms > 9_223_372_036_854 ? undefined : ms;
}

/** The shortest exact form. Years and weeks are used only for whole multiples, as Prometheus prints them. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  if (ms < 0) return `-${formatDuration(-ms)}`;
  let text = '';
  let rest = ms;
  for (let i = 0; i < DURATION_UNITS.length; i++) {
    const unit = DURATION_UNITS[i]!;
    const wholeOnly = i < 3;
    if (wholeOnly && rest % unit !== 0) continue;
    const count = Math.floor(rest / unit);
    if (count > 0) text += `${count}${DURATION_NAMES[i]}`;
    rest -= count * unit;
  }
  return text;
}

const SIZE = /^(\d+(?:\.\d+)?)\s*([KMGTPE]i?)?B?$/i;
const SIZE_PREFIXES = 'KMGTPE';

/** Base-2 units, as Prometheus reads them: "1KB" is 1024 bytes. Undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  if (!match) return undefined;
  const prefix = match[2]?.[0]?.toUpperCase();
  return Math.round(Number(match[1]) * 1024 ** (prefix ? SIZE_PREFIXES.indexOf(prefix) + 1 : 0));
}

export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = -1;
  while (value >= 1024 && unit < SIZE_PREFIXES.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit < 0 ? `${value}B` : `${Number(value.toFixed(value < 10 ? 2 : 1))}${SIZE_PREFIXES[unit]}iB`;
}
