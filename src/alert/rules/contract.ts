// What rules need from the outside: an engine that evaluates expressions, and what the parts of this room tell each other
// about rules. Times are milliseconds.

import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { RawSeries, TimeRange } from '#model/query.ts';
import type { Expr } from '#query/parse/ast.ts';

export type VectorSample = { readonly labels: Labels; readonly value: number; readonly histogram?: Histogram };

/** Who asks, for the log of queries. */
export type QueryOrigin = { readonly file: string; readonly group: string; readonly rule: string };

/** Evaluates expressions at one time. */
export interface RuleEngine {
  /** The vector; a scalar comes as one sample without labels. Rejects with the engine's message for anything else. */
  evaluate(expression: string, timeMs: number, origin: QueryOrigin): Promise<readonly VectorSample[]>;
  /** Samples as stored. */
  select(matchers: readonly Matcher[], range: TimeRange): Promise<readonly RawSeries[]>;
  /** Whether any series matches in the range. */
  exists(matchers: readonly Matcher[], range: TimeRange): Promise<boolean>;
}

export type AlertingConfig = {
  readonly kind: 'alerting';
  readonly name: string;
  readonly expr: Expr;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  readonly labels: Labels;
  readonly annotations: Labels;
};

export type RecordingConfig = {
  readonly kind: 'recording';
  readonly name: string;
  readonly expr: Expr;
  readonly labels: Labels;
};

export type RuleConfig = AlertingConfig | RecordingConfig;

export type GroupConfig = {
  readonly name: string;
  readonly file: string;
  /** Undefined: the server's evaluation interval. */
  readonly intervalMs: number | undefined;
  readonly queryOffsetMs: number | undefined;
  /** 0: none. */
  readonly limit: number;
  readonly rules: readonly RuleConfig[];
};

export type Health = 'unknown' | 'ok' | 'err';

export type AlertState = 'inactive' | 'pending' | 'firing';

/** One row to be stored; a value of undefined ends the series. */
export type Row = {
  readonly labels: Labels;
  readonly timestamp: number;
  readonly value: number | undefined;
  readonly histogram?: Histogram;
};

export const groupKey = (file: string, name: string): string => `${file};${name}`;
