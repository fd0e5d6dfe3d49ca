// How many samples a query looks at in each of its steps, counted as Prometheus counts them: a sample counts again in every step
// whose window it lies in, and of a subquery its points. Worked out by queries that count, so only when somebody asks.

import { type Grid, gridLength } from '#model/query.ts';
import type { QueryEngine, QueryOptions } from './engine.ts';
import { ABSENT } from './execute/vector.ts';
import { childrenOf, type Expr } from './parse/ast.ts';
import { printExpr } from './parse/print.ts';

export async function samplesPerStep(
  engine: QueryEngine,
  query: string,
  grid: Grid,
  options: QueryOptions,
): Promise<Float64Array> {
  const counts = new Float64Array(gridLength(grid));
  for (const expression of counting(engine.parse(query))) {
    const { data } =
      grid.step === 0
        ? await engine.instant(expression, grid.start, options)
        : await engine.range(expression, grid, options);
    if (data.type !== 'vector' && data.type !== 'matrix') continue;
    const { kinds, values } = data.vector;
    for (let at = 0; at < kinds.length; at++) if (kinds[at] !== ABSENT) counts[at % counts.length]! += values[at]!;
  }
  return counts;
}

/** One query for each selector and subquery that is not within a subquery. */
function* counting(expr: Expr): Generator<string> {
  const plain = { anchored: false, smoothed: false };
  if (expr.kind === 'vector') yield `count(${printExpr({ ...expr, ...plain })})`;
  else if (expr.kind === 'matrix') {
    yield `sum(count_over_time(${printExpr({ ...expr, selector: { ...expr.selector, ...plain } })}))`;
  } else if (expr.kind === 'subquery') yield `sum(count_over_time(${printExpr(expr)}))`;
  else if (expr.kind === 'call' && expr.func.name === 'info') yield* counting(expr.args[0]!);
  else for (const child of childrenOf(expr)) yield* counting(child);
}
