// The panels of a dashboard on its grid. In editing, panels are moved by their title and sized by their corner, with the mouse
// or the arrow keys.

import { Modal } from '@mantine/core';
import { type KeyboardEvent, type PointerEvent, useEffect, useMemo, useRef, useState } from 'react';
import { interpolate } from '../../src/view/interpolate.ts';
import { type Dashboard, GRID_COLUMNS, type Grid, type Panel } from '../../src/view/model.ts';
import { changeQuery, useLocation } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';
import type { DashboardContext } from './context.ts';
import type { PanelData } from './data.ts';
import { PanelFrame } from './frame.tsx';
import { addPanel, changePanel, fixed, layOut, moveTo, type Placed } from './layout.ts';
import type { Resolved } from './variables.ts';

const ROW_PX = 30;
const GAP_PX = 8;
const NARROW_PX = 760;

export type PanelGridProps = {
  readonly dashboard: Dashboard;
  /** Set while editing. */
  readonly onChange?: ((dashboard: Dashboard) => void) | undefined;
  readonly onEditPanel?: ((panel: Panel) => void) | undefined;
  /** Of a snapshot: data by a panel's place (a repeated one has several), never asked anew. */
  readonly data?: Readonly<Record<string, PanelData>> | undefined;
};

export function PanelGrid({
  dashboard,
  onChange,
  onEditPanel,
  data,
  resolved,
  context,
  viewed,
}: PanelGridProps & { resolved: readonly Resolved[]; context: DashboardContext; viewed: number }) {
  const t = useText();
  const holder = useRef<HTMLDivElement>(null);
  const [toggled, setToggled] = useState<ReadonlySet<number>>(new Set());
  const [width, setWidth] = useState(window.innerWidth);
  const [ghost, setGhost] = useState<{ id: number; grid: Grid } | undefined>();
  useEffect(() => {
    const element = holder.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const { query } = useLocation();
  const tabs = useMemo(() => dashboard.panels.filter((panel) => panel.tab), [dashboard.panels]);
  const wantedTab = Number(query.get('tab') ?? 0);
  const tab = tabs.find((one) => one.id === wantedTab) ?? tabs[0];
  const shown = useMemo(
    () =>
      layOut(ghost ? moveTo(dashboard, ghost.id, ghost.grid) : dashboard, context.scope, resolved, toggled, tab?.id),
    [dashboard, context.scope, resolved, toggled, ghost, tab],
  );
  const narrow = width < NARROW_PX;
  const actions = {
    onView: (panel: Panel) => changeQuery({ viewPanel: String(panel.id) }),
    ...(onEditPanel ? { onEdit: onEditPanel } : {}),
    ...(onChange
      ? {
          onCopy: (panel: Panel) => {
            const { id: _id, grid, ...rest } = panel;
            onChange(addPanel(dashboard, rest, { w: grid.w, h: grid.h }));
          },
          onRemove: (panel: Panel) => onChange(fixed(changePanel(dashboard, panel.id, () => undefined))),
        }
      : {}),
  };
  const large = shown.find(({ panel }) => panel.id === viewed);
  return (
    <>
      {tabs.length > 0 && (
        <div className="tabs" role="tablist" aria-label={t('Tabs')}>
          {tabs.map((one) => (
            <button
              key={one.id}
              type="button"
              role="tab"
              aria-selected={one.id === tab?.id}
              onClick={() => changeQuery({ tab: String(one.id) })}
            >
              {interpolate(localized(one.title), context.scope)}
            </button>
          ))}
        </div>
      )}
      <div
        ref={holder}
        className={narrow ? 'panels narrow' : 'panels'}
        style={narrow ? undefined : { gridAutoRows: ROW_PX, gap: GAP_PX }}
      >
        {shown.map((placed) =>
          placed.panel.type === 'row' ? (
            <RowTitle
              key={placed.key}
              placed={placed}
              folded={(placed.panel.folded ?? false) !== toggled.has(placed.panel.id)}
              onToggle={() => setToggled(flip(toggled, placed.panel.id))}
            />
          ) : (
            <Slot
              key={placed.key}
              placed={placed}
              narrow={narrow}
              width={width}
              {...(onChange
                ? {
                    onMove: (grid: Grid, done: boolean) => {
                      setGhost(done ? undefined : { id: placed.panel.id, grid });
                      if (done) onChange(fixed(moveTo(dashboard, placed.panel.id, grid)));
                    },
                  }
                : {})}
            >
              <PanelFrame
                panel={placed.panel}
                scope={placed.scope}
                actions={actions}
                {...(data?.[placed.key] ? { preset: data[placed.key]! } : {})}
              />
            </Slot>
          ),
        )}
        {shown.length === 0 && <p className="dim">{t('This dashboard has no panels yet. Edit it to add some.')}</p>}
        <Modal
          opened={large !== undefined}
          onClose={() => changeQuery({ viewPanel: undefined })}
          fullScreen
          withCloseButton
          closeButtonProps={{ 'aria-label': t('Close') }}
          title={large ? localized(large.panel.title) : ''}
        >
          {large && (
            <div style={{ height: 'calc(100vh - 100px)' }}>
              <PanelFrame
                panel={{ ...large.panel, title: '' }}
                scope={large.scope}
                {...(data?.[large.key] ? { preset: data[large.key]! } : {})}
              />
            </div>
          )}
        </Modal>
      </div>
    </>
  );
}

function flip(set: ReadonlySet<number>, id: number): Set<number> {
  const next = new Set(set);
  if (!next.delete(id)) next.add(id);
  return next;
}

function RowTitle({ placed, folded, onToggle }: { placed: Placed; folded: boolean; onToggle: () => void }) {
  return (
    <button
      type="button"
      className="panel-row"
      aria-expanded={!folded}
      style={{ gridColumn: '1 / -1', gridRow: `${placed.grid.y + 1} / span 1` }}
      onClick={onToggle}
    >
      <Icon name={folded ? 'right' : 'down'} size={16} />
      {interpolate(localized(placed.panel.title), placed.scope)}
      {folded && placed.panel.panels && <span className="dim">({placed.panel.panels.length})</span>}
    </button>
  );
}

type Drag = { readonly kind: 'move' | 'size'; readonly x: number; readonly y: number; readonly from: Grid };

function Slot({
  placed,
  narrow,
  width,
  onMove,
  children,
}: {
  placed: Placed;
  narrow: boolean;
  width: number;
  onMove?: (grid: Grid, done: boolean) => void;
  children: React.ReactNode;
}) {
  const t = useText();
  const drag = useRef<Drag | undefined>(undefined);
  const { grid, panel } = placed;
  const columnPx = (width + GAP_PX) / GRID_COLUMNS;
  const start = (kind: Drag['kind']) => (event: PointerEvent<HTMLElement>) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { kind, x: event.clientX, y: event.clientY, from: panel.grid };
  };
  const target = (event: PointerEvent): Grid | undefined => {
    const now = drag.current;
    if (!now) return undefined;
    const dx = Math.round((event.clientX - now.x) / columnPx);
    const dy = Math.round((event.clientY - now.y) / (ROW_PX + GAP_PX));
    return now.kind === 'move'
      ? { ...now.from, x: now.from.x + dx, y: Math.max(0, now.from.y + dy + (dy > 0 ? 0.5 : dy < 0 ? -0.5 : 0)) }
      : { ...now.from, w: now.from.w + dx, h: now.from.h + dy };
  };
  const move = (event: PointerEvent) => {
    const next = target(event);
    if (next && drag.current?.kind === 'size') onMove?.(next, false);
  };
  const end = (event: PointerEvent) => {
    const next = target(event);
    drag.current = undefined;
    if (next) onMove?.(next, true);
  };
  const keys = (event: KeyboardEvent) => {
    const step: Record<string, [number, number]> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const by = step[event.key];
    if (!by || !onMove) return;
    event.preventDefault();
    const from = panel.grid;
    onMove(
      event.shiftKey
        ? { ...from, w: from.w + by[0], h: from.h + by[1] }
        : { ...from, x: from.x + by[0], y: from.y + by[1] * (from.h + 0.5) },
      true,
    );
  };
  return (
    <div
      className={onMove ? 'slot editing' : 'slot'}
      style={
        narrow
          ? { height: Math.max(4, grid.h) * (ROW_PX + GAP_PX) }
          : { gridColumn: `${grid.x + 1} / span ${grid.w}`, gridRow: `${Math.floor(grid.y) + 1} / span ${grid.h}` }
      }
    >
      {children}
      {onMove && !narrow && (
        <>
          <button
            type="button"
            className="slot-move"
            aria-label={t('Move panel: arrow keys move, with Shift they size')}
            onPointerDown={start('move')}
            onPointerMove={move}
            onPointerUp={end}
            onKeyDown={keys}
          />
          <button
            type="button"
            className="slot-size"
            tabIndex={-1}
            aria-label={t('Size of the panel')}
            onPointerDown={start('size')}
            onPointerMove={move}
            onPointerUp={end}
          />
        </>
      )}
    </div>
  );
}
