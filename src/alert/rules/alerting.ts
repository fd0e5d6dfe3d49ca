// An alerting rule and its alerts: pending while the expression holds, firing once it has held for long enough, kept
// firing for a while, resolved. Labels and annotations are templates. The rule writes ALERTS and ALERTS_FOR_STATE.

import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Alert } from '#model/alert.ts';
import { type Labels, labelsFrom, labelsKey, METRIC_NAME } from '#model/labels.ts';
import { printExpr } from '#query/parse/print.ts';
import { queryEscape } from '../template/builtins.ts';
import { ALERT_PREAMBLE, alertData, RuleTemplate } from '../template/prometheus.ts';
import type { AlertingConfig, AlertState, QueryOrigin, Row, RuleEngine, VectorSample } from './contract.ts';

/** How long a resolved alert is kept, and sent again. */
export const RESOLVED_RETENTION_MS = 15 * 60_000;

export type ActiveAlert = {
  readonly labels: Labels;
  annotations: Labels;
  value: number;
  state: AlertState;
  activeAt: number;
  /** 0: not yet. */
  firedAt: number;
  resolvedAt: number;
  lastSentAt: number;
  validUntil: number;
  keepFiringSince: number;
};

export type AlertingOptions = {
  readonly engine: RuleEngine;
  readonly logger: Logger;
  readonly externalUrl: string;
  readonly externalLabels: Labels;
  readonly onExpansion?: (failed: boolean) => void;
};

export class AlertingRule {
  readonly config: AlertingConfig;
  readonly query: string;
  /** By the key of the labels. */
  readonly active = new Map<string, ActiveAlert>();
  /** Whether the state of before the start has been looked up; until then nothing is written. */
  restored: boolean;
  readonly #options: AlertingOptions;
  readonly #labels: readonly Text[];
  readonly #annotations: readonly Text[];

  constructor(config: AlertingConfig, restored: boolean, options: AlertingOptions) {
    this.config = config;
    this.query = printExpr(config.expr);
    this.restored = restored;
    this.#options = options;
    this.#labels = textsOf(config.name, config.labels);
    this.#annotations = textsOf(config.name, config.annotations);
  }

  get state(): AlertState {
    let state: AlertState = 'inactive';
    for (const alert of this.active.values()) {
      if (alert.state === 'firing') return 'firing';
      if (alert.state === 'pending') state = 'pending';
    }
    return state;
  }

  /** Pending and firing ones. */
  activeAlerts(): ActiveAlert[] {
    return [...this.active.values()].filter((alert) => alert.resolvedAt === 0);
  }

  async evaluate(timeMs: number, offsetMs: number, limit: number, origin: QueryOrigin): Promise<Row[]> {
    const result = await this.#options.engine.evaluate(this.query, timeMs - offsetMs, origin);
    const found = new Map<string, ActiveAlert>();
    for (const [i, sample] of result.entries()) {
      // Thousands of alerts must not hold up everything else in this thread.
      if (i % ALERTS_AT_A_TIME === ALERTS_AT_A_TIME - 1) await new Promise((resolve) => setImmediate(resolve));
      const alert = await this.#alertOf(sample, timeMs, origin);
      const key = labelsKey(alert.labels);
      if (found.has(key)) throw new Error('vector contains metrics with the same labelset after applying alert labels');
      found.set(key, alert);
    }
    for (const [key, alert] of found) {
      const before = this.active.get(key);
      if (before && before.state !== 'inactive') {
        before.value = alert.value;
        before.annotations = alert.annotations;
      } else this.active.set(key, alert);
    }
    return this.#advance(found, timeMs, offsetMs, limit);
  }

  /** Moves every alert on; gives the rows of those that are active. */
  #advance(found: ReadonlyMap<string, ActiveAlert>, now: number, offsetMs: number, limit: number): Row[] {
    const { forMs, keepFiringForMs } = this.config;
    const rows: Row[] = [];
    let active = 0;
    for (const [key, alert] of this.active) {
      if (found.has(key)) alert.keepFiringSince = 0;
      else {
        const keeps = this.#keepsFiring(alert, now, keepFiringForMs);
        const isOld = alert.resolvedAt !== 0 && now - alert.resolvedAt > RESOLVED_RETENTION_MS;
        if (alert.state === 'pending' || isOld) this.active.delete(key);
        if (alert.state !== 'inactive' && !keeps) {
          alert.state = 'inactive';
          alert.resolvedAt = now;
        }
        if (!keeps) continue;
      }
      active++;
      if (alert.state === 'pending' && now - alert.activeAt >= forMs) {
        alert.state = 'firing';
        alert.firedAt = now;
      }
      if (alert.state === 'firing' && now - alert.activeAt < forMs) {
        // The rule was changed to wait longer than it has.
        alert.state = 'pending';
        alert.firedAt = alert.lastSentAt = alert.keepFiringSince = 0;
      }
      if (this.restored) rows.push(...this.#rows(alert, now - offsetMs));
    }
    if (limit > 0 && active > limit) {
      this.active.clear();
      throw new Error(`exceeded limit of ${limit} with ${active} alerts`);
    }
    return rows;
  }

  #keepsFiring(alert: ActiveAlert, now: number, keepFiringForMs: number): boolean {
    if (alert.state !== 'firing' || keepFiringForMs === 0) return false;
    if (alert.keepFiringSince === 0) alert.keepFiringSince = now;
    return now - alert.keepFiringSince < keepFiringForMs;
  }

  async #alertOf(sample: VectorSample, timeMs: number, origin: QueryOrigin): Promise<ActiveAlert> {
    const { engine, externalLabels, externalUrl, logger, onExpansion } = this.#options;
    const data = alertData(sample.labels, externalLabels, externalUrl, sample.value);
    const query = (expression: string) => engine.evaluate(expression, timeMs, origin);
    const options = { query, nowMs: timeMs, externalUrl };
    const expand = async (text: string, template: RuleTemplate | undefined): Promise<string> => {
      if (!template) return text;
      try {
        const expanded = template.expand(data, options);
        const result = typeof expanded === 'string' ? expanded : await expanded;
        onExpansion?.(false);
        return result;
      } catch (error) {
        onExpansion?.(true);
        logger.warn('Expanding alert template failed', { err: error, alert: this.config.name });
        return `<error expanding template: ${errorText(error)}>`;
      }
    };
    const labels: [string, string][] = pairs(sample.labels).filter(([name]) => name !== METRIC_NAME);
    for (const { name, text, template } of this.#labels) labels.push([name, await expand(text, template)]);
    labels.push(['alertname', this.config.name]);
    const annotations: [string, string][] = [];
    for (const { name, text, template } of this.#annotations) annotations.push([name, await expand(text, template)]);
    return {
      labels: labelsFrom(labels),
      annotations: labelsFrom(annotations),
      value: sample.value,
      state: 'pending',
      activeAt: timeMs,
      firedAt: 0,
      resolvedAt: 0,
      lastSentAt: 0,
      validUntil: 0,
      keepFiringSince: 0,
    };
  }

  #rows(alert: ActiveAlert, timestamp: number): Row[] {
    const base = [...pairs(this.config.labels), ...pairs(alert.labels), ['alertname', this.config.name] as const];
    return [
      {
        labels: labelsFrom([...base, [METRIC_NAME, 'ALERTS'], ['alertstate', alert.state]]),
        timestamp,
        value: 1,
      },
      {
        labels: labelsFrom([...base, [METRIC_NAME, 'ALERTS_FOR_STATE']]),
        timestamp,
        value: Math.floor(alert.activeAt / 1000),
      },
    ];
  }

  /** Alerts that are due to be sent now; marks them as sent. */
  due(now: number, resendDelayMs: number, intervalMs: number): Alert[] {
    const due: Alert[] = [];
    for (const alert of this.active.values()) {
      if (!needsSending(alert, now, resendDelayMs)) continue;
      alert.lastSentAt = now;
      // Two evaluations or sends may fail before the alert is taken for resolved.
      alert.validUntil = now + 4 * Math.max(intervalMs, resendDelayMs);
      due.push({
        labels: alert.labels,
        annotations: alert.annotations,
        startsAt: alert.firedAt,
        endsAt: alert.resolvedAt || alert.validUntil,
        generatorUrl: `${this.#options.externalUrl}/graph?g0.expr=${queryEscape(this.query)}&g0.tab=1`,
      });
    }
    return due;
  }
}

/** Alerts whose texts are expanded before other work gets its turn. */
const ALERTS_AT_A_TIME = 250;

/** The text of a label or annotation, parsed when it is a template. */
type Text = { readonly name: string; readonly text: string; readonly template: RuleTemplate | undefined };

function textsOf(alert: string, labels: Labels): Text[] {
  return pairs(labels).map(([name, text]) => ({
    name,
    text,
    template: text.includes('{{') ? new RuleTemplate(`__alert_${alert}`, ALERT_PREAMBLE + text) : undefined,
  }));
}

function needsSending(alert: ActiveAlert, now: number, resendDelayMs: number): boolean {
  if (alert.state === 'pending') return false;
  if (alert.resolvedAt > alert.lastSentAt) return true;
  return alert.lastSentAt + resendDelayMs < now;
}

function pairs(labels: Labels): [string, string][] {
  const result: [string, string][] = [];
  for (let i = 0; i < labels.length; i += 2) result.push([labels[i]!, labels[i + 1]!]);
  return result;
}
