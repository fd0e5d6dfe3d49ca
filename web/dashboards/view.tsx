// A dashboard on screen: its variables, its panels on the grid, one crosshair and one range for all. In editing, panels are
// moved by their title and sized by their corner, with the mouse or the arrow keys.

import './dashboards.css';
import { ActionIcon, Button, Group, Modal, MultiSelect, Select, useComputedColorScheme } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, type PointerEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { applyLegend } from '../../src/view/frame.ts';
import { interpolate } from '../../src/view/interpolate.ts';
import { type Dashboard, GRID_COLUMNS, type Grid, type Panel } from '../../src/view/model.ts';
import { useNow } from '../base/clock.ts';
import { queryRange } from '../base/prom.ts';
import { changeQuery, Link, navigate, useLocation } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import { parseDuration, resolveRange, type Span, stepFor } from '../base/time.ts';
import { namedColor } from '../chart/palette.ts';
import type { Mark } from '../chart/timeseries.tsx';
import { Icon } from '../shell/icons.tsx';
import { Failure, Waiting } from '../shell/parts.tsx';
import { absolute, TimePicker } from '../shell/timepicker.tsx';
import { apiOf, CurrentDashboard, type DashboardContext, resolveSource } from './context.ts';
import type { PanelData } from './data.ts';
import { useEntries, useSources } from './entries.ts';
import { PanelFrame } from './frame.tsx';
import { addPanel, changePanel, fixed, layOut, moveTo, type Placed } from './layout.ts';
import { ALL, type Resolved, scopeOf, useVariables } from './variables.ts';

const ROW_PX = 30;
const GAP_PX = 8;
const NARROW_PX = 760;

export type DashboardViewProps = {
  readonly dashboard: Dashboard;
  /** Set while editing. */
  readonly onChange?: ((dashboard: Dashboard) => void) | undefined;
  readonly onEditPanel?: ((panel: Panel) => void) | undefined;
  /** Of a snapshot: data by panel, never asked anew. */
  readonly data?: Readonly<Record<number, PanelData>> | undefined;
  readonly toolbar?: React.ReactNode;
  readonly title?: React.ReactNode;
};

export function DashboardView(props: DashboardViewProps) {
  const t = useText();
  const { dashboard } = props;
  const { query } = useLocation();
  const range = useMemo(
    () => ({
      from: query.get('from') ?? dashboard.time?.from ?? 'now-1h',
      to: query.get('to') ?? dashboard.time?.to ?? 'now',
    }),
    [query, dashboard.time],
  );
  const refresh = query.get('refresh') ?? dashboard.refresh ?? '';
  const [reload, setReload] = useState(0);
  const nowMs = useNow(parseDuration(refresh) ?? 0, reload);
  const span = useMemo(() => resolveRange(range, nowMs), [range, nowMs]);
  const sources = useSources();
  const variables = useVariables(dashboard, query, sources.data, span);
  const resolved = variables.data ?? [];
  const scope = useMemo(() => scopeOf(resolved), [resolved]);
  const marks = useMarks(dashboard, sources.data, scope, span);
  const onZoom = useCallback((zoom: Span) => changeQuery(absolute(zoom)), []);
  const editing = props.onChange !== undefined;
  const filters = useMemo(
    () =>
      resolved.flatMap(({ variable }) =>
        variable.kind === 'adhoc' ? (adhocFilters(query, variable.name) ?? variable.filters ?? []) : [],
      ),
    [resolved, query],
  );
  const context: DashboardContext = useMemo(
    () => ({ dashboard, sources: sources.data ?? [], scope, range, span, nowMs, marks, filters, onZoom, editing }),
    [dashboard, sources.data, scope, range, span, nowMs, marks, filters, onZoom, editing],
  );
  const viewed = Number(query.get('viewPanel') ?? 0);
  const kiosk = query.has('kiosk');
  useEffect(() => {
    document.title = `${localized(dashboard.title)} · ${document.documentElement.dataset.title ?? 'Pharos'}`;
  }, [dashboard.title]);
  useShortcuts(dashboard, () => setReload((count) => count + 1));
  const ready = (dashboard.variables ?? []).length === 0 || variables.data !== undefined;
  return (
    <div className={kiosk ? 'page dashboard kiosk' : 'page dashboard'} style={{ maxWidth: 'none' }}>
      <header className="no-print">
        {props.title ?? <h1>{localized(dashboard.title)}</h1>}
        <DashboardLinks dashboard={dashboard} />
        <div className="spacer" />
        {props.toolbar}
        <TimePicker
          range={range}
          onRange={(next) => changeQuery({ from: next.from, to: next.to })}
          refresh={refresh}
          onRefresh={(next) => changeQuery({ refresh: next === '' ? (dashboard.refresh ? '0' : '') : next })}
          onReload={() => setReload((count) => count + 1)}
        />
        <ActionIcon
          variant="default"
          size={34}
          aria-label={t('Full screen')}
          title={t('Full screen')}
          onClick={() => toggleKiosk(kiosk)}
        >
          <Icon name="full" />
        </ActionIcon>
      </header>
      {resolved.some(({ variable }) => variable.hide !== 'variable') && <VariableBar resolved={resolved} />}
      {sources.error && (
        <Failure
          error={sources.error}
          what={t('The data sources could not be loaded')}
          retry={() => sources.refetch()}
        />
      )}
      {variables.error && (
        <Failure
          error={variables.error}
          what={t('The variables could not be loaded')}
          retry={() => variables.refetch()}
        />
      )}
      <CurrentDashboard.Provider value={context}>
        {ready && sources.data ? (
          <PanelGrid {...props} resolved={resolved} context={context} viewed={viewed} />
        ) : (
          !sources.error && <Waiting />
        )}
      </CurrentDashboard.Provider>
    </div>
  );
}

function toggleKiosk(kiosk: boolean): void {
  changeQuery({ kiosk: kiosk ? undefined : '1' });
  if (kiosk) void document.exitFullscreen?.().catch(() => undefined);
  else void document.documentElement.requestFullscreen?.().catch(() => undefined);
}

function adhocFilters(
  query: URLSearchParams,
  name: string,
): { key: string; operator: string; value: string }[] | undefined {
  const given = query.getAll(`var-${name}`).filter(Boolean);
  if (given.length === 0) return undefined;
  return given.flatMap((one) => {
    const [key, operator, ...value] = one.split('|');
    return key && operator ? [{ key, operator, value: value.join('|') }] : [];
  });
}

function useShortcuts(dashboard: Dashboard, reload: () => void): void {
  useEffect(() => {
    const press = (event: globalThis.KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (
        /^(input|textarea|select)$/i.test(target.tagName) ||
        target.isContentEditable ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey
      )
        return;
      if (event.key === 'Escape') changeQuery({ viewPanel: undefined, kiosk: undefined });
      if (event.key === 'r') reload();
      if (event.key === 'f') toggleKiosk(new URLSearchParams(location.search).has('kiosk'));
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, [dashboard.uid, reload]);
}

function DashboardLinks({ dashboard }: { dashboard: Dashboard }) {
  const entries = useEntries();
  const links = dashboard.links ?? [];
  if (links.length === 0) return null;
  const shown = links.flatMap((link) => {
    if (link.tags)
      return (entries.data ?? [])
        .filter((entry) => entry.uid !== dashboard.uid && link.tags!.some((tag) => entry.tags.includes(tag)))
        .map((entry) => ({ title: localized(entry.title), to: `/d/${entry.uid}` }));
    if (link.dashboard) return [{ title: localized(link.title), to: `/d/${link.dashboard}` }];
    return [{ title: localized(link.title), to: link.url ?? '' }];
  });
  return (
    <Group gap={6}>
      {shown.slice(0, 12).map((link) =>
        link.to.startsWith('/') ? (
          <Link
            key={link.title + link.to}
            to={link.to}
            className="chip"
            style={{ textDecoration: 'none', fontFamily: 'inherit' }}
          >
            {link.title}
          </Link>
        ) : (
          <a
            key={link.title + link.to}
            href={link.to}
            className="chip"
            rel="noreferrer"
            style={{ textDecoration: 'none', fontFamily: 'inherit' }}
          >
            {link.title}
          </a>
        ),
      )}
    </Group>
  );
}

function VariableBar({ resolved }: { resolved: readonly Resolved[] }) {
  return (
    <Group gap="sm" mb={10} className="no-print" align="flex-end">
      {resolved
        .filter(({ variable }) => variable.hide !== 'variable' && variable.kind !== 'constant')
        .map((one) => (
          <VariableField key={one.variable.name} resolved={one} />
        ))}
    </Group>
  );
}

function setVariable(name: string, values: readonly string[]): void {
  const url = new URLSearchParams(location.search);
  url.delete(`var-${name}`);
  for (const value of values) url.append(`var-${name}`, value);
  const path = `${location.pathname}?${url}`;
  navigate(path.slice(path.indexOf('/d/') >= 0 ? path.indexOf('/d/') : path.lastIndexOf('/')));
}

function VariableField({ resolved: { variable, options, chosen, isAll, error } }: { resolved: Resolved }) {
  const t = useText();
  const label = variable.hide === 'label' ? undefined : localized(variable.label) || variable.name;
  const named = { 'aria-label': localized(variable.label) || variable.name };
  if (variable.kind === 'textbox') {
    return <TextBox label={label} name={variable.name} value={chosen[0] ?? ''} />;
  }
  if (variable.kind === 'adhoc')
    return (
      <TextBox
        label={label ?? t('Filters')}
        name={variable.name}
        value={(variable.filters ?? []).map((one) => `${one.key}|${one.operator}|${one.value}`).join(',')}
        hint="label|=|value"
      />
    );
  const data = [
    ...(variable.all ? [{ value: ALL, label: t('All') }] : []),
    ...options.slice(0, 1000).map((option) => ({ value: option.value, label: option.text })),
  ].filter((one, index, list) => list.findIndex((other) => other.value === one.value) === index);
  for (const value of chosen) if (!data.some((one) => one.value === value)) data.push({ value, label: value });
  if (variable.multi) {
    return (
      <MultiSelect
        {...named}
        label={label}
        size="xs"
        data={data}
        value={isAll ? [ALL] : [...chosen]}
        searchable
        error={error}
        maw={420}
        miw={150}
        onChange={(next) => {
          const added = next.find((value) => !chosen.includes(value));
          setVariable(
            variable.name,
            added === ALL || next.length === 0 ? [ALL] : next.filter((value) => value !== ALL),
          );
        }}
      />
    );
  }
  return (
    <Select
      {...named}
      label={label}
      size="xs"
      data={data}
      value={chosen[0] ?? null}
      searchable={data.length > 8}
      error={error}
      miw={120}
      allowDeselect={false}
      onChange={(value) => value !== null && setVariable(variable.name, [value])}
    />
  );
}

function TextBox({
  label,
  name,
  value,
  hint,
}: {
  label: string | undefined;
  name: string;
  value: string;
  hint?: string;
}) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  return (
    <label style={{ fontSize: 12, fontWeight: 500 }}>
      {label}
      <br />
      <input
        className="field"
        style={{ height: 30 }}
        placeholder={hint}
        value={draft}
        onChange={(e) => setDraft(e.currentTarget.value)}
        onBlur={() => draft !== value && setVariable(name, [draft])}
        onKeyDown={(e) => e.key === 'Enter' && setVariable(name, [draft])}
      />
    </label>
  );
}

function useMarks(
  dashboard: Dashboard,
  sources: DashboardContext['sources'] | undefined,
  scope: DashboardContext['scope'],
  span: Span,
): readonly Mark[] {
  const dark = useComputedColorScheme('light') === 'dark';
  const wanted = (dashboard.annotations ?? []).filter((one) => one.enabled);
  const { data } = useQuery({
    queryKey: ['annotations', wanted, scope, span.fromMs, span.toMs],
    enabled: wanted.length > 0 && sources !== undefined,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      const stepMs = stepFor(span, 500, 15_000);
      const found: { fromMs: number; toMs: number; text: string; color: string }[] = [];
      for (const annotation of wanted) {
        const source = resolveSource(annotation.source, sources ?? [], scope);
        if (source?.kind !== 'prometheus') continue;
        const { data: columns } = await queryRange(
          apiOf(source),
          interpolate(annotation.expr, scope, 'prometheus'),
          span,
          stepMs,
          { signal },
        );
        for (const column of columns.columns) {
          const text =
            [annotation.title, annotation.text]
              .filter(Boolean)
              .map((one) => applyLegend(one!, column.labels))
              .join(': ') || annotation.name;
          let from: number | undefined;
          column.values.forEach((value, index) => {
            const at = columns.times[index]! * 1000;
            const on = value !== null && value !== 0;
            if (on && from === undefined) from = at;
            if (from !== undefined && (!on || index === column.values.length - 1)) {
              found.push({ fromMs: from, toMs: on ? at : at - stepMs, text, color: annotation.color });
              from = undefined;
            }
          });
        }
      }
      return found.slice(0, 500);
    },
  });
  return useMemo(
    () => (data ?? []).map((mark): Mark => ({ ...mark, color: namedColor(mark.color, dark) ?? mark.color })),
    [data, dark],
  );
}

function PanelGrid({
  dashboard,
  onChange,
  onEditPanel,
  data,
  resolved,
  context,
  viewed,
}: DashboardViewProps & { resolved: readonly Resolved[]; context: DashboardContext; viewed: number }) {
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
  const shown = useMemo(
    () => layOut(ghost ? moveTo(dashboard, ghost.id, ghost.grid) : dashboard, context.scope, resolved, toggled),
    [dashboard, context.scope, resolved, toggled, ghost],
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
              {...(data?.[placed.panel.id] ? { preset: data[placed.panel.id]! } : {})}
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
              {...(data?.[large.panel.id] ? { preset: data[large.panel.id]! } : {})}
            />
          </div>
        )}
      </Modal>
    </div>
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

export function EditBar({
  onAdd,
  onCancel,
  onSave,
  busy,
}: {
  onAdd: (type: Panel['type']) => void;
  onCancel: () => void;
  onSave: () => void;
  busy: boolean;
}) {
  const t = useText();
  return (
    <Group gap={6}>
      <Button variant="default" h={34} leftSection={<Icon name="plus" size={15} />} onClick={() => onAdd('timeseries')}>
        {t('Add panel')}
      </Button>
      <Button variant="default" h={34} onClick={() => onAdd('row')}>
        {t('Add row')}
      </Button>
      <Button variant="default" h={34} onClick={onCancel}>
        {t('Cancel')}
      </Button>
      <Button h={34} leftSection={<Icon name="save" size={15} />} loading={busy} onClick={onSave}>
        {t('Save')}
      </Button>
    </Group>
  );
}
