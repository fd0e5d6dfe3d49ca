// Plans as JSON: what explain and analyze add to a query's answer.

import { formatDuration } from '#base/units.ts';
import { formatMatcher } from '#model/matcher.ts';
import { formatValue } from '#model/value.ts';
import type { NodeStats } from '#query/execute/evaluate.ts';
import { inputsOf, type Plan, type QueryPlan } from '#query/plan/plan.ts';

type PlanTree = {
  readonly id: number;
  readonly step: string;
  readonly steps: number;
  readonly series?: number;
  readonly points?: number;
  readonly timeMs?: number;
  readonly read?: NodeStats['fragment'];
  readonly inputs: readonly PlanTree[];
};

/** The plan as a tree; nodes that occur twice keep their number. */
export function planTree(plan: QueryPlan, stats?: ReadonlyMap<number, NodeStats>): PlanTree {
  const treeFor = (node: Plan): PlanTree => {
    const done = stats?.get(node.id);
    const { grid } = node;
    return {
      id: node.id,
      step: describe(node),
      steps: grid.step > 0 ? Math.floor((grid.end - grid.start) / grid.step) + 1 : 1,
      ...(done ? { series: done.series, points: done.points, timeMs: Math.round(done.timeMs * 1000) / 1000 } : {}),
      ...(done?.fragment ? { read: done.fragment } : {}),
      inputs: inputsOf(node).map(treeFor),
    };
  };
  return treeFor(plan.root);
}

function describe(node: Plan): string {
  switch (node.kind) {
    case 'number':
      return `number ${formatValue(node.value)}`;
    case 'text':
      return `text ${JSON.stringify(node.value)}`;
    case 'time':
      return 'time()';
    case 'spread':
      return 'once for all steps';
    case 'negate':
      return 'negate';
    case 'samples':
      return `samples of {${node.matchers.map(formatMatcher).join(',')}}`;
    case 'info':
      return 'info()';
    case 'call':
      return `${node.name}()`;
    case 'window':
      return `${node.func}() over ${formatDuration(node.window)} of a subquery`;
    case 'binary':
      return node.op;
    case 'aggregate':
      return `${node.op} ${node.without ? 'without' : 'by'} (${node.labels.join(', ')})`;
    case 'fetch': {
      const { func, window, matchers, aggregate, offset, at } = node.fragment;
      const from = `{${matchers.map(formatMatcher).join(',')}}`;
      const moved = `${at === undefined ? '' : ` @ ${at / 1000}`}${offset === 0 ? '' : ` offset ${formatDuration(offset)}`}`;
      const folded = aggregate
        ? `${aggregate.op} ${aggregate.by ? 'by' : 'without'} (${aggregate.labels.join(', ')}) of `
        : '';
      return `in the shards: ${folded}${func} over ${formatDuration(window)} of ${from}${moved}`;
    }
  }
}
