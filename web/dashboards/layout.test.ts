// Rows that repeat over the values of a variable, panels that repeat inside them, tabs.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Dashboard, type Panel, SCHEMA } from '../../src/view/model.ts';
import { layOut } from './layout.ts';
import type { Resolved } from './variables.ts';

const panel = (id: number, y: number, more: Partial<Panel> = {}): Panel => ({
  ...{ id, type: 'stat', title: `P${id}`, grid: { x: 0, y, w: 6, h: 4 }, queries: [] },
  ...more,
});
const row = (id: number, y: number, more: Partial<Panel> = {}): Panel =>
  panel(id, y, { type: 'row', grid: { x: 0, y, w: 24, h: 1 }, ...more });
const dashboard = (panels: readonly Panel[]): Dashboard => ({ schema: SCHEMA, uid: 'd', title: 'D', panels });

const over = (name: string, values: readonly string[]): Resolved => ({
  ...{ variable: { name, kind: 'custom', query: '', multi: true }, error: undefined, isAll: false },
  options: values.map((value) => ({ text: value.toUpperCase(), value })),
  chosen: values,
});
const shown = (panels: readonly Panel[], resolved: readonly Resolved[], tab?: number) =>
  layOut(dashboard(panels), {}, resolved, new Set(), tab).map(({ key, grid, scope }) =>
    `${key} at ${grid.x},${grid.y} ${scope.job?.texts?.[0] ?? ''}`.trim(),
  );

test('a row is there once per value, with its panels and what follows below', () => {
  const panels = [
    row(1, 0, { repeat: { variable: 'job', direction: 'v' }, panels: [panel(2, 1)] }),
    row(3, 5),
    panel(4, 6),
  ];
  assert.deepEqual(shown(panels, [over('job', ['a', 'b'])]), [
    '1-a at 0,0 A',
    '2-a at 0,1 A',
    '1-b at 0,5 B',
    '2-b at 0,6 B',
    '3 at 0,10',
    '4 at 0,11',
  ]);
});

test('a panel inside repeats over another variable, not over that of its row', () => {
  const inner = panel(2, 1, { repeat: { variable: 'host', direction: 'h', perRow: 2 } });
  const same = panel(5, 5, { repeat: { variable: 'job', direction: 'h' } });
  const panels = [row(1, 0, { repeat: { variable: 'job', direction: 'v' }, panels: [inner, same] })];
  assert.deepEqual(shown(panels, [over('job', ['a']), over('host', ['x', 'y'])]), [
    '1-a at 0,0 A',
    '2-a-x at 0,1 A',
    '2-a-y at 12,1 A',
    '5-a at 0,5 A',
  ]);
});

test('of tabs one is shown, with what stands before all of them', () => {
  const panels = [panel(1, 0), row(2, 4, { tab: true }), panel(3, 5), row(4, 9, { tab: true }), panel(5, 10)];
  assert.deepEqual(shown(panels, [], 4), ['1 at 0,0', '5 at 0,4']);
  assert.deepEqual(shown(panels, [], 2), ['1 at 0,0', '3 at 0,4']);
});
