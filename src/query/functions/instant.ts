// The table of functions of single floats: applied to every float of a vector, histograms are left out.

import { ABSENT, FLOAT, type Vector, withoutEmptyRows, withoutNames } from '../execute/vector.ts';

const DAY_MS = 86_400_000;

/** Go's Round-half-up, by the inverse of the step, which has fewer floating point surprises. */
const round = (value: number, args: readonly number[]): number => {
  const inverse = 1 / (args[0] ?? 1);
  return Math.floor(value * inverse + 0.5) / inverse;
};

type Elementwise = (value: number, args: readonly number[]) => number;

export const goMin = (a: number, b: number): number =>
  a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b);
export const goMax = (a: number, b: number): number => (a === Infinity || b === Infinity ? Infinity : Math.max(a, b));

/** Of seconds since the epoch, UTC. */
const ofDate =
  (part: (date: Date) => number): Elementwise =>
  (seconds) => {
    const date = new Date(Math.trunc(seconds) * 1000);
    return Number.isNaN(date.getTime()) ? Number.NaN : part(date);
  };

export const DATE_FUNCTIONS: Readonly<Record<string, Elementwise>> = {
  minute: ofDate((date) => date.getUTCMinutes()),
  hour: ofDate((date) => date.getUTCHours()),
  day_of_week: ofDate((date) => date.getUTCDay()),
  day_of_month: ofDate((date) => date.getUTCDate()),
  day_of_year: ofDate((date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY_MS) + 1),
  days_in_month: ofDate((date) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()),
  month: ofDate((date) => date.getUTCMonth() + 1),
  year: ofDate((date) => date.getUTCFullYear()),
};

export const FLOAT_FUNCTIONS: Readonly<Record<string, Elementwise>> = {
  ...DATE_FUNCTIONS,
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  sqrt: Math.sqrt,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  deg: (value) => (value * 180) / Math.PI,
  rad: (value) => (value * Math.PI) / 180,
  sgn: (value) => (value < 0 ? -1 : value > 0 ? 1 : value),
  round,
  clamp: (value, [min, max]) => goMax(min!, goMin(max!, value)),
  clamp_min: (value, [min]) => goMax(min!, value),
  clamp_max: (value, [max]) => goMin(max!, value),
};

/** Applies one of the table's functions; parameters have a value for each step. */
export function applyFloats(
  name: string,
  vector: Vector,
  parameters: readonly Float64Array[],
  delayed: boolean,
): Vector {
  const compute = FLOAT_FUNCTIONS[name]!;
  const { steps, labels } = vector;
  const values = new Float64Array(vector.values.length);
  const kinds = new Uint8Array(vector.kinds.length);
  const args: number[] = [];
  for (let step = 0; step < steps; step++) {
    parameters.forEach((parameter, i) => {
      args[i] = parameter[step]!;
    });
    const empty = name === 'clamp' && args[1]! < args[0]!;
    for (let row = 0; row < labels.length; row++) {
      const at = row * steps + step;
      if (vector.kinds[at] !== FLOAT || empty) {
        kinds[at] = ABSENT;
        continue;
      }
      kinds[at] = FLOAT;
      values[at] = compute(vector.values[at]!, args);
    }
  }
  return withoutNames(withoutEmptyRows({ ...vector, values, kinds, histograms: undefined }), delayed);
}
