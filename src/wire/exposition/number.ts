// Numbers as the exposition formats write and read them: Go's ParseFloat without hexadecimal and underscores, and the
// two ways of printing a float that Prometheus' client libraries use.

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INFINITY = /^([+-]?)inf(?:inity)?$/i;

/** Undefined when the text is no float. "NaN" takes no sign; "inf" and "infinity" take one; case does not matter. */
export function parseFloat64(text: string): number | undefined {
  if (DECIMAL.test(text)) {
    const value = Number(text);
    // Beyond the range of a double is an error, as in Go, not an infinity.
    return Number.isFinite(value) ? value : undefined;
  }
  const infinity = INFINITY.exec(text);
  if (infinity) return infinity[1] === '-' ? -Infinity : Infinity;
  return text.length === 3 && text.toLowerCase() === 'nan' ? Number.NaN : undefined;
}

/** As Go's FormatFloat(v, 'g', -1, 64): the shortest digits, an exponent below 1e-4 and from 1e6 on. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) {
    const [digits, exponent] = value.toExponential().split('e') as [string, string];
    const sign = exponent[0] === '-' ? '-' : '+';
    return `${digits}e${sign}${exponent.slice(1).padStart(2, '0')}`;
  }
  return String(value);
}

/** As OpenMetrics writes floats: `formatFloat`, but always with a decimal point or an exponent. */
export function formatOpenMetricsFloat(value: number): string {
  const text = formatFloat(value);
  return /[.eEN]|Inf/.test(text) ? text : `${text}.0`;
}
