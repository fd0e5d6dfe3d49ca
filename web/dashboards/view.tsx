// A dashboard on screen: its title and links, its variables, its panels, one crosshair and one range for all.

import './dashboards.css';
import { ActionIcon, Button, Group } from '@mantine/core';
import { useCallback, useEffect, useMemo, useState } from 'react';
import type { Dashboard, Panel } from '../../src/view/model.ts';
import { useNow } from '../base/clock.ts';
import { changeQuery, useLocation } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import { parseDuration, resolveRange, type Span } from '../base/time.ts';
import { Icon } from '../shell/icons.tsx';
import { Failure, Waiting } from '../shell/parts.tsx';
import { absolute, TimePicker } from '../shell/timepicker.tsx';
import { CurrentDashboard, type DashboardContext } from './context.ts';
import { useSources } from './entries.ts';
import { PanelGrid, type PanelGridProps } from './grid.tsx';
import { DashboardLinks } from './links.tsx';
import { type DashboardMark, useMarks } from './marks.ts';
import { filtersOf, VariableBar } from './variable-bar.tsx';
import { scopeOf, useVariables } from './variables.ts';

export type DashboardViewProps = PanelGridProps & {
  readonly toolbar?: React.ReactNode;
  readonly title?: React.ReactNode;
  /** Of a snapshot: its annotations, never asked anew. */
  readonly marks?: readonly DashboardMark[] | undefined;
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
  const wanted = query.get('refresh') ?? dashboard.refresh ?? '';
  const refresh = (parseDuration(wanted) ?? 0) > 0 ? wanted : '';
  const [reload, setReload] = useState(0);
  const nowMs = useNow(parseDuration(refresh) ?? 0, reload);
  const span = useMemo(() => resolveRange(range, nowMs), [range, nowMs]);
  const sources = useSources();
  const variables = useVariables(dashboard, query, sources.data, span);
  const resolved = variables.data ?? [];
  const scope = useMemo(() => scopeOf(resolved), [resolved]);
  const { marks, error: marksError } = useMarks(dashboard, sources.data, scope, span, props.marks);
  const onZoom = useCallback((zoom: Span) => changeQuery(absolute(zoom)), []);
  const editing = props.onChange !== undefined;
  const filters = useMemo(() => filtersOf(resolved, query), [resolved, query]);
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
        <DashboardLinks dashboard={dashboard} scope={scope} range={range} />
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
          className="wide-only"
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
      {marksError !== null && <Failure error={marksError} what={t('The annotations could not be loaded')} />}
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
