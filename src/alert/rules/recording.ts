// A recording rule: its expression's result under the rule's name and labels.

import { labelsFrom, labelsKey, METRIC_NAME } from '#model/labels.ts';
import { printExpr } from '#query/parse/print.ts';
import type { QueryOrigin, RecordingConfig, Row, RuleEngine } from './contract.ts';

export class RecordingRule {
  readonly config: RecordingConfig;
  readonly query: string;
  readonly #engine: RuleEngine;

  constructor(config: RecordingConfig, engine: RuleEngine) {
    this.config = config;
    this.query = printExpr(config.expr);
    this.#engine = engine;
  }

  async evaluate(timeMs: number, offsetMs: number, limit: number, origin: QueryOrigin): Promise<Row[]> {
    const result = await this.#engine.evaluate(this.query, timeMs - offsetMs, origin);
    const seen = new Set<string>();
    const rows = result.map((sample): Row => {
      const pairs: [string, string][] = [];
      for (const labels of [sample.labels, [METRIC_NAME, this.config.name], this.config.labels]) {
        for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!]);
      }
      const labels = labelsFrom(pairs);
      seen.add(labelsKey(labels));
      const row = { labels, timestamp: timeMs - offsetMs, value: sample.value };
      return sample.histogram ? { ...row, histogram: sample.histogram } : row;
    });
    if (seen.size < rows.length) {
      throw new Error('vector contains metrics with the same labelset after applying rule labels');
    }
    if (limit > 0 && rows.length > limit) throw new Error(`exceeded limit of ${limit} with ${rows.length} series`);
    return rows;
  }
}
