// Colours of series: a palette that people with colour vision deficiencies can tell apart (after Okabe and Ito, widened
// by lightness), adjusted to the scheme, and the scales of heat maps.

const LIGHT = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#b8860b',
  '#56b4e9',
  '#6a51a3',
  '#8c564b',
  '#3d5a80',
  '#e07a5f',
  '#2a9d8f',
  '#9b2226',
  '#5f7a1f',
  '#7b6d8d',
  '#118ab2',
  '#aa6f00',
] as const;
const DARK = [
  '#4aa8e0',
  '#ff8f4d',
  '#2cc79b',
  '#e6a0c8',
  '#f0c94b',
  '#8fd3ff',
  '#b39ddb',
  '#c8a08f',
  '#86a9d4',
  '#ffb199',
  '#66d1c4',
  '#f08a8d',
  '#b7cf6a',
  '#c3b6d6',
  '#5cc9e8',
  '#e0ab4c',
] as const;

/** The colour of the n-th series; beyond the palette, hues are spread by the golden angle. */
/** Lines of the grid and labels of the axes, also given to style sheets; asking those for them costs a layout per chart. */
export const CHART_COLORS = {
  light: { grid: '#e8edf3', axis: '#56637a' },
  dark: { grid: '#232d39', axis: '#93a1b5' },
} as const;

export function seriesColor(index: number, dark: boolean): string {
  const palette = dark ? DARK : LIGHT;
  const direct = palette[index];
  if (direct !== undefined) return direct;
  const hue = (index * 137.508 + 20) % 360;
  return `hsl(${hue.toFixed(0)} ${dark ? 65 : 60}% ${dark ? 66 : 40}%)`;
}

/** Named colours of imported dashboards, readable in both schemes. */
const NAMED: Readonly<Record<string, readonly [light: string, dark: string]>> = {
  green: ['#2b8a57', '#4fc88a'],
  'dark-green': ['#1c6b41', '#37a56d'],
  'semi-dark-green': ['#248152', '#44b87c'],
  'light-green': ['#5fb287', '#8adfb2'],
  'super-light-green': ['#8fd0ae', '#bdf0d5'],
  red: ['#c92a3b', '#ff7478'],
  'dark-red': ['#9d1b2a', '#e2525a'],
  'semi-dark-red': ['#b52334', '#f2626a'],
  'light-red': ['#e36571', '#ff9da0'],
  'super-light-red': ['#f0a1a8', '#ffc9ca'],
  yellow: ['#a87c00', '#f2cc4d'],
  'dark-yellow': ['#8a6500', '#d6ad2b'],
  'semi-dark-yellow': ['#997000', '#e5bc3c'],
  'light-yellow': ['#c9a43a', '#f8de86'],
  orange: ['#c65200', '#ffa04d'],
  'dark-orange': ['#a34300', '#e88324'],
  'semi-dark-orange': ['#b54a00', '#f59238'],
  'light-orange': ['#e0853f', '#ffc08a'],
  blue: ['#1f6fb8', '#5fb0f0'],
  'dark-blue': ['#15538c', '#3c8fd6'],
  'semi-dark-blue': ['#1a61a2', '#4ea0e3'],
  'light-blue': ['#5a9bd6', '#94cdfa'],
  'super-light-blue': ['#92bfe6', '#c3e3fc'],
  purple: ['#7a4fb5', '#c08ff0'],
  'dark-purple': ['#5d3691', '#a06fd6'],
  'semi-dark-purple': ['#6c43a3', '#b07fe3'],
  'light-purple': ['#a17fd0', '#d8b8fa'],
  text: ['#2a3544', '#d5dde8'],
  gray: ['#66758a', '#93a1b5'],
  transparent: ['rgba(0,0,0,0)', 'rgba(0,0,0,0)'],
  white: ['#ffffff', '#ffffff'],
  black: ['#000000', '#000000'],
};

export function namedColor(name: string | undefined, dark: boolean): string | undefined {
  if (name === undefined || name === '') return undefined;
  const named = NAMED[name];
  return named ? named[dark ? 1 : 0] : name;
}

const HEAT_LIGHT = ['#f0f4fa', '#c9dcef', '#8fbfe0', '#4a98cb', '#1f6fae', '#124c86', '#0c2f5c'];
const HEAT_DARK = ['#16202c', '#1c3b56', '#1f5f86', '#2f8f9f', '#63bd8f', '#bfe07a', '#fff3a0'];

/** A colour between nothing (0) and most (1). */
export function heatColor(share: number, dark: boolean): string {
  const stops = dark ? HEAT_DARK : HEAT_LIGHT;
  const at = Math.min(0.99999, Math.max(0, share)) * (stops.length - 1);
  const low = Math.floor(at);
  return mix(stops[low]!, stops[low + 1]!, at - low);
}

export function mix(from: string, to: string, share: number): string {
  const [a, b] = [Number.parseInt(from.slice(1), 16), Number.parseInt(to.slice(1), 16)];
  const part = (shift: number) => {
    const [x, y] = [(a >> shift) & 255, (b >> shift) & 255];
    return Math.round(x + (y - x) * share);
  };
  return `rgb(${part(16)} ${part(8)} ${part(0)})`;
}

/** A colour with an opacity, for fills below lines. */
export function withAlpha(color: string, alpha: number): string {
  if (color.startsWith('#') && color.length === 7)
    return (
      color +
      Math.round(alpha * 255)
        .toString(16)
        .padStart(2, '0')
    );
  return `color-mix(in srgb, ${color} ${Math.round(alpha * 100)}%, transparent)`;
}
