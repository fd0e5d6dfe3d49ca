// Where panels stand: repeats unfolded, folded rows left out, gaps below closed, moves and sizes changed in editing.

import type { Scope, Value } from '../../src/view/interpolate.ts';
import { allPanels, type Dashboard, GRID_COLUMNS, type Grid, type Panel } from '../../src/view/model.ts';
import type { Resolved } from './variables.ts';

export type Placed = { readonly panel: Panel; readonly grid: Grid; readonly scope: Scope; readonly key: string };

const REPEAT_PER_ROW = 4;

/** The panels on screen, from top to bottom: `toggled` are rows that the user unfolded or folded, `tab` the chosen one. */
export function layOut(
  dashboard: Dashboard,
  scope: Scope,
  resolved: readonly Resolved[],
  toggled: ReadonlySet<number>,
  tab?: number,
): Placed[] {
  const placed: Placed[] = [];
  let shift = 0;
  let hiding = false;
  const panels = ofTab(
    [...dashboard.panels].sort((a, b) => a.grid.y - b.grid.y || a.grid.x - b.grid.x),
    tab,
  );
  /** Within a repeated row the scope is that of its value, and `mark` tells its copies apart. */
  const add = (panel: Panel, outer = scope, mark = '') => {
    const copies = repeats(panel, outer, resolved);
    if (copies.length === 0) {
      const grid = { ...panel.grid, y: panel.grid.y + shift };
      placed.push({ panel, grid, scope: outer, key: `${panel.id}${mark}` });
      return;
    }
    const vertical = panel.repeat!.direction === 'v';
    const perRow = vertical ? 1 : Math.max(1, Math.min(copies.length, panel.repeat!.perRow ?? REPEAT_PER_ROW));
    const width = vertical ? panel.grid.w : Math.floor(GRID_COLUMNS / perRow);
    copies.forEach(({ value, scope: own }, index) => {
      const grid = {
        x: vertical ? panel.grid.x : (index % perRow) * width,
        y: panel.grid.y + shift + Math.floor(index / perRow) * panel.grid.h,
        w: width,
        h: panel.grid.h,
      };
      placed.push({ panel, grid, scope: own, key: `${panel.id}${mark}-${value}` });
    });
    shift += (Math.ceil(copies.length / perRow) - 1) * panel.grid.h;
  };
  for (const panel of panels) {
    if (panel.type === 'row') {
      const folded = (panel.folded ?? false) !== toggled.has(panel.id);
      hiding = folded;
      const copies = repeats(panel, scope, resolved);
      (copies.length === 0 ? [{ value: '', scope }] : copies).forEach(({ value, scope: own }, index) => {
        if (index > 0) shift += 1;
        const mark = value === '' ? '' : `-${value}`;
        placed.push({
          panel,
          grid: { x: 0, y: panel.grid.y + shift, w: GRID_COLUMNS, h: 1 },
          scope: own,
          key: `${panel.id}${mark}`,
        });
        if (folded || !panel.panels || panel.panels.length === 0) return;
        const top = Math.min(...panel.panels.map((one) => one.grid.y));
        const base = panel.grid.y + 1;
        for (const inner of panel.panels)
          add({ ...inner, grid: { ...inner.grid, y: base + inner.grid.y - top } }, own, mark);
        shift += Math.max(...panel.panels.map((one) => one.grid.y + one.grid.h)) - top;
      });
      continue;
    }
    if (!hiding) add(panel);
  }
  return settle(placed);
}

/** What stands before the first tab is on all of them. */
function ofTab(panels: readonly Panel[], tab: number | undefined): Panel[] {
  let current: number | undefined;
  return panels.filter((panel) => {
    if (panel.tab) current = panel.id;
    return !panel.tab && (tab === undefined || current === undefined || current === tab);
  });
}

function repeats(panel: Panel, scope: Scope, resolved: readonly Resolved[]): { value: string; scope: Scope }[] {
  if (!panel.repeat) return [];
  const found = resolved.find(({ variable }) => variable.name === panel.repeat!.variable);
  if (!found) return [];
  // Inside a row that repeats over the same variable there is one value left.
  const outer = scope[panel.repeat.variable];
  if (outer?.repeated) return [];
  const values = found.isAll ? found.options.map((option) => option.value) : found.chosen;
  return values.map((value) => {
    const text = found.options.find((option) => option.value === value)?.text ?? value;
    const own: Value = { values: [value], texts: [text], multi: false, repeated: true };
    return { value, scope: { ...scope, [panel.repeat!.variable]: own } };
  });
}

/** Pushes panels down until none overlaps and up until nothing is between them and what is above. */
export function settle<T extends { readonly grid: Grid }>(placed: readonly T[]): T[] {
  const done: T[] = [];
  const floor = new Array<number>(GRID_COLUMNS).fill(0);
  for (const one of [...placed].sort((a, b) => a.grid.y - b.grid.y || a.grid.x - b.grid.x)) {
    const { x, w, h } = one.grid;
    let y = 0;
    for (let column = x; column < Math.min(GRID_COLUMNS, x + w); column++) y = Math.max(y, floor[column]!);
    for (let column = x; column < Math.min(GRID_COLUMNS, x + w); column++) floor[column] = y + h;
    done.push({ ...one, grid: { ...one.grid, y } });
  }
  return done;
}

export function changePanel(dashboard: Dashboard, id: number, change: (panel: Panel) => Panel | undefined): Dashboard {
  const apply = (panels: readonly Panel[]): Panel[] =>
    panels.flatMap((panel) => {
      if (panel.id === id) {
        const next = change(panel);
        return next ? [next] : [];
      }
      return [panel.panels ? { ...panel, panels: apply(panel.panels) } : panel];
    });
  return { ...dashboard, panels: apply(dashboard.panels) };
}

export function moveTo(dashboard: Dashboard, id: number, grid: Grid): Dashboard {
  const w = Math.min(GRID_COLUMNS, Math.max(2, grid.w));
  const next = {
    x: Math.min(GRID_COLUMNS - w, Math.max(0, grid.x)),
    y: Math.max(0, grid.y),
    w,
    h: Math.max(2, grid.h),
  };
  return changePanel(dashboard, id, (panel) => ({ ...panel, grid: next }));
}

export function addPanel(dashboard: Dashboard, panel: Omit<Panel, 'id' | 'grid'>, size = { w: 12, h: 8 }): Dashboard {
  const id = Math.max(0, ...allPanels(dashboard).map((one) => one.id)) + 1;
  const y = Math.max(0, ...dashboard.panels.map((one) => one.grid.y + one.grid.h));
  return { ...dashboard, panels: [...dashboard.panels, { ...panel, id, grid: { x: 0, y, ...size } }] };
}

export function fixed(dashboard: Dashboard): Dashboard {
  return { ...dashboard, panels: settle(dashboard.panels) };
}
