// The query engine as rules use it: their queries stand in the same line as those of people, and are logged with their rule.

import type { FragmentSource, QueryLimits } from '#model/query.ts';
import type { QueryDesk, QueryInfo } from '#query/desk.ts';
import { DEFAULT_LIMITS, type QueryEngine } from '#query/engine.ts';
import { ABSENT, HISTOGRAM, type Vector } from '#query/execute/vector.ts';
import type { RuleEngine, VectorSample } from './contract.ts';

export function ruleEngine(
  engine: QueryEngine,
  source: FragmentSource,
  limits: QueryLimits = DEFAULT_LIMITS,
  desk?: QueryDesk,
): RuleEngine {
  return {
    async evaluate(expression, timeMs, { file, group, rule }) {
      const info: QueryInfo = {
        ...{ query: expression, start: timeMs, end: timeMs, step: 0, isPatient: true },
        origin: { ruleGroup: { file, name: group }, rule },
      };
      const { data } = desk
        ? await desk.run(info, {}, ({ controller }) => engine.instant(expression, timeMs, { controller }))
        : await engine.instant(expression, timeMs);
      switch (data.type) {
        case 'vector':
          return samplesOf(data.vector);
        case 'scalar':
          return [{ labels: [], value: data.value }];
        default:
          throw new Error('rule result is not a vector or scalar');
      }
    },
    select: (matchers, range) => source.select({ matchers, range }, limits, new AbortController().signal),
    exists: async (matchers, range) => (await source.series([matchers], range, 1)).length > 0,
  };
}

function samplesOf(vector: Vector): VectorSample[] {
  const samples: VectorSample[] = [];
  vector.labels.forEach((labels, i) => {
    if (vector.kinds[i] === ABSENT) return;
    const histogram = vector.kinds[i] === HISTOGRAM ? vector.histograms?.get(i) : undefined;
    samples.push(histogram ? { labels, value: 0, histogram } : { labels, value: vector.values[i]! });
  });
  return samples;
}
