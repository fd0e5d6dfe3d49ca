// What a query does: its parts as a tree, each with the series and samples it worked on and the time it took, as far as
// the server tells; and, from any server, what each part gives when asked alone.

import { Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { ask, get } from '../base/api.ts';
import { queryInstant } from '../base/prom.ts';
import { useText } from '../base/text.ts';
import { formatDuration, type Range, resolveRange, stepFor } from '../base/time.ts';
import { Failure, Loaded, Waiting } from '../shell/parts.tsx';

/** A node of the parsed query, as /api/v1/parse_query answers. */
type Node = {
  readonly type: string;
  readonly [field: string]: unknown;
};
type PlanNode = {
  readonly id: number;
  readonly step: string;
  readonly steps: number;
  readonly series?: number;
  readonly points?: number;
  readonly timeMs?: number;
  readonly read?: { readonly series?: number; readonly samples?: number; readonly bytes?: number };
  readonly inputs?: readonly PlanNode[];
};

export function Explain({ expr, range, nowMs }: { expr: string; range: Range; nowMs: number }) {
  const t = useText();
  const span = resolveRange(range, nowMs);
  const plan = useQuery({
    queryKey: ['explore', 'plan', expr, span.fromMs, span.toMs],
    queryFn: async ({ signal }) => {
      const step = stepFor(span, 360, 1000) / 1000;
      const answer = await ask<{ plan?: PlanNode; stats?: Record<string, unknown> }>('/api/v1/query_range', {
        params: {
          query: expr,
          start: span.fromMs / 1000,
          end: span.toMs / 1000,
          step,
          analyze: 'true',
          stats: 'all',
          limit: 1,
        },
        signal,
      });
      return answer.data;
    },
  });
  const tree = useQuery({
    queryKey: ['explore', 'tree', expr],
    queryFn: ({ signal }) => get<Node>('/api/v1/parse_query', { query: expr }, signal),
    retry: false,
  });
  const found = plan.data?.plan;
  return (
    <div style={{ padding: 14 }}>
      {plan.error ? <Failure error={plan.error} what={t('The query failed')} /> : plan.isLoading ? <Waiting /> : null}
      {found !== undefined && (
        <>
          <Text fw={600} mb={6}>
            {t('Plan and what it cost')}
          </Text>
          <div className="surface" style={{ padding: 10, marginBottom: 14 }}>
            <PlanView node={found} />
          </div>
        </>
      )}
      {plan.data?.stats && <Stats stats={plan.data.stats} />}
      <Text fw={600} mb={6}>
        {t('Parts of the query')}
      </Text>
      {tree.error ? (
        <Text size="sm" c="dimmed">
          {t('This server does not take queries apart (it has no /api/v1/parse_query).')}
        </Text>
      ) : (
        <Loaded of={tree}>{(node) => <TreeView node={node} atMs={span.toMs} />}</Loaded>
      )}
    </div>
  );
}

function PlanView({ node }: { node: PlanNode }) {
  const t = useText();
  const { read } = node;
  return (
    <div>
      <Group gap="sm" py={3}>
        <span className="mono wrap">{node.step}</span>
        <span className="dim" style={{ fontSize: 12 }}>
          {[
            node.series !== undefined && t('{n} series', { n: node.series.toLocaleString() }),
            node.points !== undefined && t('{n} points', { n: node.points.toLocaleString() }),
            read?.samples !== undefined && t('{n} samples read', { n: read.samples.toLocaleString() }),
            read?.bytes !== undefined && `${(read.bytes / 1000).toFixed(1)} kB`,
            node.timeMs !== undefined && `${node.timeMs.toFixed(2)} ms`,
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </Group>
      {node.inputs && node.inputs.length > 0 && (
        <div style={{ marginLeft: 10, paddingLeft: 12, borderLeft: '2px solid var(--line)' }}>
          {node.inputs.map((child) => (
            <PlanView key={child.id} node={child} />
          ))}
        </div>
      )}
    </div>
  );
}

function Stats({ stats }: { stats: Record<string, unknown> }) {
  const t = useText();
  const rows = Object.entries(stats).flatMap(([group, values]) =>
    typeof values === 'object' && values !== null
      ? Object.entries(values)
          .filter(([, value]) => typeof value === 'number')
          .map(([name, value]) => [`${group}.${name}`, value as number] as const)
      : [],
  );
  if (rows.length === 0) return null;
  return (
    <>
      <Text fw={600} mb={6}>
        {t('Measured by the server')}
      </Text>
      <div className="surface scroll" style={{ marginBottom: 14 }}>
        <table className="data">
          <tbody>
            {rows.map(([name, value]) => (
              <tr key={name}>
                <td className="mono">{name}</td>
                <td className="num mono">{Number.isInteger(value) ? value.toLocaleString() : value.toPrecision(4)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const CHILD_FIELDS = ['expr', 'lhs', 'rhs', 'param'] as const;

function childrenOf(node: Node): Node[] {
  const found = CHILD_FIELDS.map((field) => node[field]).filter(
    (value): value is Node => typeof value === 'object' && value !== null && 'type' in value,
  );
  return Array.isArray(node.args) ? [...found, ...(node.args as Node[])] : found;
}

function TreeView({ node, atMs }: { node: Node; atMs: number }) {
  return (
    <div>
      <TreeRow node={node} atMs={atMs} />
      <div style={{ marginLeft: 12, paddingLeft: 14, borderLeft: '2px solid var(--line)' }}>
        {childrenOf(node).map((child, index) => (
          <TreeView key={index} node={child} atMs={atMs} />
        ))}
      </div>
    </div>
  );
}

function TreeRow({ node, atMs }: { node: Node; atMs: number }) {
  const t = useText();
  const text = printNode(node);
  const answer = useQuery({
    queryKey: ['explore', 'part', text, atMs],
    queryFn: ({ signal }) => queryInstant('', text, atMs, { signal }),
    enabled: !['numberLiteral', 'stringLiteral', 'placeholder'].includes(node.type),
    retry: false,
  });
  return (
    <Group gap="sm" py={3} wrap="nowrap" align="baseline">
      <span className="state" data-tone="plain">
        {node.type}
      </span>
      <span className="mono wrap">{text}</span>
      <span className="dim" style={{ fontSize: 12, whiteSpace: 'nowrap' }}>
        {answer.data &&
          t('{n} series', { n: new Set(answer.data.data.rows.map((row) => JSON.stringify(row.labels))).size })}
        {answer.data && ` · ${answer.data.tookMs.toFixed(0)} ms`}
        {answer.error && <span style={{ color: 'var(--bad)' }}>{answer.error.message}</span>}
      </span>
    </Group>
  );
}

type Matcher = { name: string; value: string; type: string };

/** Writes a node of the parse tree as PromQL again. */
export function printNode(node: Node): string {
  const n: Readonly<Record<string, unknown>> = node;
  const inner = (value: unknown) => (value ? printNode(value as Node) : '');
  const list = (value: unknown) => ((value as string[] | undefined) ?? []).join(', ');
  switch (node.type) {
    case 'vectorSelector':
    case 'matrixSelector': {
      const matchers = (n.matchers as Matcher[] | undefined) ?? [];
      const name = String(n.name ?? '');
      const rest = matchers.filter((m) => !(m.name === '__name__' && m.type === '=' && m.value === name));
      const braces =
        rest.length > 0 || name === ''
          ? `{${rest.map((m) => `${m.name}${m.type}${JSON.stringify(m.value)}`).join(', ')}}`
          : '';
      const range = node.type === 'matrixSelector' ? `[${formatDuration(Number(n.range))}]` : '';
      return name + braces + range + at(node);
    }
    case 'call':
      return `${(n.func as { name: string }).name}(${(n.args as Node[]).map(printNode).join(', ')})`;
    case 'aggregation': {
      const grouping = (n.grouping as string[] | undefined) ?? [];
      const by = grouping.length > 0 || n.without ? ` ${n.without ? 'without' : 'by'} (${grouping.join(', ')})` : '';
      return `${n.op}${by} (${n.param ? `${inner(n.param)}, ` : ''}${inner(n.expr)})`;
    }
    case 'binaryExpr': {
      const matching = n.matching as
        | { card: string; labels: string[]; on: boolean; include: string[] }
        | null
        | undefined;
      const on =
        matching && (matching.labels.length > 0 || matching.on)
          ? ` ${matching.on ? 'on' : 'ignoring'} (${list(matching.labels)})`
          : '';
      const group =
        matching?.card === 'many-to-one'
          ? ` group_left (${list(matching.include)})`
          : matching?.card === 'one-to-many'
            ? ` group_right (${list(matching.include)})`
            : '';
      return `${inner(n.lhs)} ${n.op}${n.bool ? ' bool' : ''}${on}${group} ${inner(n.rhs)}`;
    }
    case 'parenExpr':
      return `(${inner(n.expr)})`;
    case 'unaryExpr':
      return `${n.op}${inner(n.expr)}`;
    case 'subquery':
      return `${inner(n.expr)}[${formatDuration(Number(n.range))}:${Number(n.step) ? formatDuration(Number(n.step)) : ''}]${at(node)}`;
    case 'numberLiteral':
      return String(n.val);
    case 'stringLiteral':
      return JSON.stringify(n.val);
    default:
      return String(n.text ?? node.type);
  }
}

function at(node: Node): string {
  const offset = Number(node.offset ?? 0);
  const moment =
    node.timestamp !== null && node.timestamp !== undefined
      ? ` @ ${Number(node.timestamp) / 1000}`
      : node.startOrEnd
        ? ` @ ${String(node.startOrEnd)}()`
        : '';
  return moment + (offset === 0 ? '' : ` offset ${formatDuration(offset)}`);
}
