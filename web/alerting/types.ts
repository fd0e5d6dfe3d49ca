// The shapes of the rules' and Alertmanager's APIs, and small rules for showing them.

import type { LabelSet } from '../base/prom.ts';
import type { Tone } from '../shell/parts.tsx';
import type { TimeInterval } from './recurrence.ts';

/** Under this the browser remembers who silences and acknowledges. */
export const AUTHOR_KEY = 'pharos.author';

export type RuleAlert = {
  readonly labels: LabelSet;
  readonly annotations: LabelSet;
  readonly state: 'pending' | 'firing' | 'inactive';
  readonly activeAt?: string;
  readonly keepFiringSince?: string;
  readonly value: string;
};
export type Rule = {
  readonly type: 'alerting' | 'recording';
  readonly name: string;
  readonly query: string;
  readonly duration?: number;
  readonly keepFiringFor?: number;
  readonly labels?: LabelSet;
  readonly annotations?: LabelSet;
  readonly alerts?: readonly RuleAlert[];
  readonly health: 'ok' | 'err' | 'unknown';
  readonly lastError?: string;
  readonly evaluationTime?: number;
  readonly lastEvaluation?: string;
  readonly state?: 'pending' | 'firing' | 'inactive' | 'unknown';
  /** Pharos adds: selectors of the expression that never matched any series. */
  readonly neverMatched?: readonly string[];
};
export type RuleGroup = {
  readonly name: string;
  readonly file: string;
  readonly interval: number;
  readonly evaluationTime?: number;
  readonly lastEvaluation?: string;
  readonly rules: readonly Rule[];
};

export type Matcher = {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual: boolean;
};
export type AmAlert = {
  readonly fingerprint: string;
  readonly labels: LabelSet;
  readonly annotations: LabelSet;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly updatedAt: string;
  readonly generatorURL?: string;
  readonly receivers: readonly { readonly name: string }[];
  readonly status: {
    readonly state: 'active' | 'suppressed' | 'unprocessed';
    readonly silencedBy: readonly string[];
    readonly inhibitedBy: readonly string[];
    readonly mutedBy?: readonly string[];
  };
  readonly acknowledgement?: { readonly by: string; readonly comment: string; readonly at: string };
};
export type AmGroup = {
  readonly labels: LabelSet;
  readonly receiver: { readonly name: string };
  readonly alerts: readonly AmAlert[];
};
export type Silence = {
  readonly id: string;
  readonly matchers: readonly Matcher[];
  readonly startsAt: string;
  readonly endsAt: string;
  readonly updatedAt: string;
  readonly createdBy: string;
  readonly comment: string;
  /** Pharos adds: it ends once the alerts it silenced have resolved. */
  readonly untilResolved?: boolean;
  /** Pharos adds: it mutes only inside these. */
  readonly recurring?: readonly TimeInterval[];
  readonly annotationMatchers?: readonly Matcher[];
  readonly status: { readonly state: 'active' | 'pending' | 'expired' };
};

export const ALERT_TONES: Record<string, Tone> = {
  firing: 'bad',
  pending: 'warn',
  inactive: 'good',
  active: 'bad',
  suppressed: 'plain',
  unprocessed: 'warn',
};

export function severityTone(labels: LabelSet): Tone {
  const severity = (labels.severity ?? '').toLowerCase();
  if (['critical', 'page', 'error', 'fatal', 'emergency'].includes(severity)) return 'bad';
  return severity.startsWith('warn') ? 'warn' : 'plain';
}

export const operatorOf = (matcher: Matcher): string =>
  matcher.isRegex ? (matcher.isEqual ? '=~' : '!~') : matcher.isEqual ? '=' : '!=';

export const writeMatcher = (matcher: Matcher): string =>
  `${/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(matcher.name) ? matcher.name : JSON.stringify(matcher.name)}${operatorOf(matcher)}${JSON.stringify(matcher.value)}`;

/** `name="value"`, with or without quotes, with or without braces, separated by commas; undefined when it is none. */
export function readMatchers(text: string): Matcher[] | undefined {
  const inner = text
    .trim()
    .replace(/^\{|\}$/g, '')
    .trim();
  const found: Matcher[] = [];
  const pattern =
    /\s*([a-zA-Z_][a-zA-Z0-9_.:-]*|"(?:[^"\\]|\\.)*")\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^",]*)\s*(?:,|$)/y;
  while (pattern.lastIndex < inner.length) {
    const match = pattern.exec(inner);
    if (!match) return undefined;
    const unquote = (part: string) => {
      if (!part.startsWith('"')) return part.trim();
      try {
        return JSON.parse(part) as string;
      } catch {
        return part.slice(1, -1);
      }
    };
    const operator = match[2]!;
    found.push({
      name: unquote(match[1]!),
      value: unquote(match[3]!),
      isRegex: operator.endsWith('~'),
      isEqual: !operator.startsWith('!'),
    });
  }
  return found;
}

export const matcherForLabels = (labels: LabelSet): string =>
  Object.entries(labels)
    .map(([name, value]) => writeMatcher({ name, value, isRegex: false, isEqual: true }))
    .join(', ');
