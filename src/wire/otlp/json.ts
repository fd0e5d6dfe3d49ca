// ExportMetricsServiceRequest of OTLP in JSON: lower camel case names, 64-bit numbers as text or numbers, ids hexadecimal.
// Unknown fields are passed over; a field of the wrong kind is an error that names its path.

import { OperatingError } from '#base/errors.ts';
import {
  type Attribute,
  attributeText,
  type ExponentialBuckets,
  type MetricData,
  type OtlpExemplar,
  type OtlpMetric,
  type ResourceMetrics,
  type ScopeMetrics,
  TEMPORALITIES,
  type Temporality,
} from './model.ts';

const MAX_DEPTH = 32;

const wrong = (path: string, expected: string) =>
  new OperatingError('otlp_json', `cannot decode OTLP JSON: ${path}: expected ${expected}`);

/** A JSON object with its place in the document. */
class Fields {
  readonly path: string;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, 'an object');
    this.#values = value as Record<string, unknown>;
    this.path = path;
  }

  raw(name: string): unknown {
    return this.#values[name];
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== null;
  }

  text(name: string): string {
    const value = this.#values[name] ?? '';
    if (typeof value !== 'string') throw wrong(`${this.path}.${name}`, 'text');
    return value;
  }

  number(name: string): number {
    return toNumber(this.#values[name] ?? 0, `${this.path}.${name}`);
  }

  /** Nanoseconds, which do not fit into a double, as milliseconds. */
  time(name: string): number {
    const value = this.#values[name] ?? 0;
    if (typeof value === 'number' && Number.isInteger(value)) return Math.floor(value / 1_000_000);
    if (typeof value === 'string' && /^\d{1,20}$/.test(value)) return Number(BigInt(value) / 1_000_000n);
    throw wrong(`${this.path}.${name}`, 'nanoseconds');
  }

  list<T>(name: string, read: (value: unknown, path: string) => T): T[] {
    const value = this.#values[name] ?? [];
    if (!Array.isArray(value)) throw wrong(`${this.path}.${name}`, 'a list');
    return value.map((item, i) => read(item, `${this.path}.${name}[${i}]`));
  }

  object(name: string): Fields {
    return new Fields(this.#values[name] ?? {}, `${this.path}.${name}`);
  }
}

function toNumber(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity') return Infinity;
  if (value === '-Infinity') return -Infinity;
  if (typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))) return Number(value);
  throw wrong(path, 'a number');
}

export function decodeOtlpJson(text: string): ResourceMetrics[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new OperatingError('otlp_json', `cannot decode OTLP JSON: ${(error as Error).message}`, { cause: error });
  }
  return new Fields(parsed, '$').list('resourceMetrics', (value, path): ResourceMetrics => {
    const fields = new Fields(value, path);
    return {
      attributes: readAttributes(fields.object('resource'), 'attributes'),
      scopes: fields.list('scopeMetrics', readScope),
    };
  });
}

function readAttributes(fields: Fields, name: string): Attribute[] {
  return fields.list(name, (value, path): Attribute => {
    const attribute = new Fields(value, path);
    return [attribute.text('key'), attributeText(readAny(attribute.object('value'), 0))];
  });
}

function readAny(fields: Fields, depth: number): unknown {
  if (depth > MAX_DEPTH) throw wrong(fields.path, `no more than ${MAX_DEPTH} values inside each other`);
  if (fields.has('stringValue')) return fields.text('stringValue');
  if (fields.has('boolValue')) return fields.raw('boolValue') === true || fields.raw('boolValue') === 'true';
  if (fields.has('intValue')) {
    const value = fields.raw('intValue');
    return typeof value === 'string' ? value : fields.number('intValue');
  }
  if (fields.has('doubleValue')) return fields.number('doubleValue');
  if (fields.has('bytesValue')) return fields.text('bytesValue');
  if (fields.has('arrayValue')) {
    return fields.object('arrayValue').list('values', (value, path) => readAny(new Fields(value, path), depth + 1));
  }
  if (fields.has('kvlistValue')) {
    const entries = fields.object('kvlistValue').list('values', (value, path): [string, unknown] => {
      const entry = new Fields(value, path);
      return [entry.text('key'), readAny(entry.object('value'), depth + 1)];
    });
    return Object.fromEntries(entries);
  }
  return undefined;
}

function readScope(value: unknown, path: string): ScopeMetrics {
  const fields = new Fields(value, path);
  const scope = fields.object('scope');
  return {
    name: scope.text('name'),
    version: scope.text('version'),
    schemaUrl: fields.text('schemaUrl'),
    attributes: readAttributes(scope, 'attributes'),
    metrics: fields.list('metrics', readMetric),
  };
}

function readMetric(value: unknown, path: string): OtlpMetric {
  const fields = new Fields(value, path);
  return {
    name: fields.text('name'),
    description: fields.text('description'),
    unit: fields.text('unit'),
    data: readData(fields),
  };
}

function readData(fields: Fields): MetricData {
  if (fields.has('gauge')) return { kind: 'gauge', points: fields.object('gauge').list('dataPoints', readNumber) };
  if (fields.has('sum')) {
    const sum = fields.object('sum');
    return {
      kind: 'sum',
      points: sum.list('dataPoints', readNumber),
      temporality: temporality(sum),
      monotonic: sum.raw('isMonotonic') === true,
    };
  }
  if (fields.has('histogram')) {
    const histogram = fields.object('histogram');
    const points = histogram.list('dataPoints', (value, path) => {
      const point = new Fields(value, path);
      return {
        ...common(point),
        count: point.number('count'),
        sum: point.has('sum') ? point.number('sum') : undefined,
        bucketCounts: point.list('bucketCounts', toNumber),
        bounds: point.list('explicitBounds', toNumber),
      };
    });
    return { kind: 'histogram', points, temporality: temporality(histogram) };
  }
  if (fields.has('exponentialHistogram')) {
    const histogram = fields.object('exponentialHistogram');
    const points = histogram.list('dataPoints', (value, path) => {
      const point = new Fields(value, path);
      return {
        ...common(point),
        count: point.number('count'),
        sum: point.has('sum') ? point.number('sum') : undefined,
        scale: point.number('scale'),
        zeroCount: point.number('zeroCount'),
        zeroThreshold: point.number('zeroThreshold'),
        positive: buckets(point.object('positive')),
        negative: buckets(point.object('negative')),
      };
    });
    return { kind: 'exponential', points, temporality: temporality(histogram) };
  }
  if (fields.has('summary')) {
    const points = fields.object('summary').list('dataPoints', (value, path) => {
      const point = new Fields(value, path);
      return {
        ...common(point),
        count: point.number('count'),
        sum: point.number('sum'),
        quantiles: point.list('quantileValues', (inner, innerPath) => {
          const quantile = new Fields(inner, innerPath);
          return { quantile: quantile.number('quantile'), value: quantile.number('value') };
        }),
      };
    });
    return { kind: 'summary', points };
  }
  return { kind: 'none', points: [] };
}

function common(point: Fields) {
  return {
    attributes: readAttributes(point, 'attributes'),
    start: point.time('startTimeUnixNano'),
    timestamp: point.time('timeUnixNano'),
    noValue: (point.number('flags') & 1) === 1,
    exemplars: point.list('exemplars', readExemplar),
  };
}

function readNumber(value: unknown, path: string) {
  const point = new Fields(value, path);
  return { ...common(point), value: point.has('asInt') ? point.number('asInt') : point.number('asDouble') };
}

function temporality(fields: Fields): Temporality {
  const value = fields.raw('aggregationTemporality');
  if (typeof value === 'string' && !/^\d+$/.test(value)) {
    return TEMPORALITIES.find((name) => value === `AGGREGATION_TEMPORALITY_${name.toUpperCase()}`) ?? 'unspecified';
  }
  return TEMPORALITIES[fields.number('aggregationTemporality')] ?? 'unspecified';
}

const buckets = (fields: Fields): ExponentialBuckets => ({
  offset: fields.number('offset'),
  counts: fields.list('bucketCounts', toNumber),
});

function readExemplar(value: unknown, path: string): OtlpExemplar {
  const fields = new Fields(value, path);
  return {
    attributes: readAttributes(fields, 'filteredAttributes'),
    timestamp: fields.time('timeUnixNano'),
    value: fields.has('asInt') ? fields.number('asInt') : fields.number('asDouble'),
    traceId: fields.text('traceId').toLowerCase(),
    spanId: fields.text('spanId').toLowerCase(),
  };
}
