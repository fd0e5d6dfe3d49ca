// The frame of one panel: title, menu, state of its data, and the drawing inside it, asked for only once it is near the
// screen.

import { Loader, Tooltip } from '@mantine/core';
import { lazy, Suspense, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { frameLength } from '../../src/view/frame.ts';
import { interpolate, type Scope } from '../../src/view/interpolate.ts';
import type { Panel } from '../../src/view/model.ts';
import { useAbsent } from '../base/absent.ts';
import { localized, useText } from '../base/text.ts';
import { Boundary } from '../shell/boundary.tsx';
import { Icon } from '../shell/icons.tsx';
import { absentText, Empty, Failure } from '../shell/parts.tsx';
import { apiOf, resolveSource, scrapeMsOf, useDashboard, withBuiltIns } from './context.ts';
import { asksNothing, type PanelData, usePanelData } from './data.ts';
import { panelPicture } from './export.ts';
import { type PanelActions, PanelMenu } from './panel-menu.tsx';
import { AlertsPanel, ClockPanel, LinksPanel, LogsPanel, TextPanel, UnsupportedPanel } from './panels/plain.tsx';
import { TablePanel } from './panels/table.tsx';
import { BarGaugePanel, GaugePanel, StatPanel } from './panels/values.tsx';

const EchartsPanel = lazy(async () => ({ default: (await import('./panels/echarts.tsx')).EchartsPanel }));
const series = () => import('./panels/series.tsx');
const TimeSeriesPanel = lazy(async () => ({ default: (await series()).TimeSeriesPanel }));
const HeatMapPanel = lazy(async () => ({ default: (await series()).HeatMapPanel }));
const TimelinePanel = lazy(async () => ({ default: (await series()).TimelinePanel }));

export function PanelFrame({
  panel,
  scope,
  actions,
  preset,
}: {
  panel: Panel;
  scope: Scope;
  actions?: PanelActions;
  preset?: PanelData;
}) {
  const t = useText();
  const context = useDashboard();
  const holder = useRef<HTMLElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [near, setNear] = useState(false);
  const [pictureError, setPictureError] = useState('');

  useLayoutEffect(() => {
    const element = body.current;
    if (!element) return;
    const measure = () => {
      const [width, height] = [element.clientWidth, element.clientHeight];
      setSize((before) => (before.width === width && before.height === height ? before : { width, height }));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const element = holder.current;
    if (!element || near) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setNear(true),
      { rootMargin: '200px' },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [near]);

  const answer = usePanelData(panel, context, scope, size.width, near && preset === undefined);
  const data = preset ?? answer.data;
  const scrapeMs = scrapeMsOf(resolveSource(panel.source, context.sources, scope));
  const all = withBuiltIns(scope, context.span, data?.stepMs ?? scrapeMs, scrapeMs, context.dashboard);
  const title = interpolate(localized(panel.title), all);
  const description = interpolate(localized(panel.description), all);
  const problems = [...(data?.errors ?? []), ...(pictureError ? [pictureError] : [])];
  return (
    <section
      ref={holder}
      className={panel.transparent ? 'panel bare' : 'panel'}
      aria-label={title || t('Panel {id}', { id: panel.id })}
    >
      <header className={title === '' ? 'panel-head untitled' : 'panel-head'}>
        <h2 title={title}>{title}</h2>
        {description && (
          <Tooltip label={description} multiline maw={360}>
            <span className="dim" role="img" aria-label={description}>
              <Icon name="info" size={15} />
            </span>
          </Tooltip>
        )}
        {problems.length > 0 && (
          <Tooltip label={problems.join('\n')} multiline maw={460}>
            <span style={{ color: 'var(--bad)' }} role="img" aria-label={problems.join('; ')}>
              <Icon name="warning" size={15} />
            </span>
          </Tooltip>
        )}
        {answer.isFetching && data && <Loader size={12} />}
        <PanelMenu
          panel={panel}
          title={title}
          data={data}
          scope={all}
          {...(actions ? { actions } : {})}
          picture={() => panelPicture(holder.current!, title || 'panel')}
          onFailure={setPictureError}
        />
      </header>
      <div ref={body} className="panel-body">
        <Boundary about={panel}>
          <Body
            panel={panel}
            scope={all}
            data={data}
            error={answer.error}
            retry={() => answer.refetch()}
            width={size.width}
            height={size.height}
          />
        </Boundary>
      </div>
    </section>
  );
}

function Body({
  panel,
  scope,
  data,
  error,
  retry,
  width,
  height,
}: {
  panel: Panel;
  scope: Scope;
  data: PanelData | undefined;
  error: unknown;
  retry: () => void;
  width: number;
  height: number;
}) {
  const t = useText();
  if (width === 0 || height <= 0) return null;
  switch (panel.type) {
    case 'text':
      return <TextPanel panel={panel} scope={scope} height={height} />;
    case 'alerts':
      return <AlertsPanel panel={panel} scope={scope} height={height} />;
    case 'clock':
      return <ClockPanel panel={panel} width={width} height={height} />;
    case 'links':
      return <LinksPanel panel={panel} height={height} />;
    case 'unsupported':
      return <UnsupportedPanel panel={panel} />;
  }
  if (asksNothing(panel) && !data)
    return <Empty title={t('This panel has no query')}>{t('Edit it to add one.')}</Empty>;
  if (error) return <Failure error={error} retry={retry} />;
  if (!data) return <div className="panel-wait" role="status" aria-label={t('Loading')} />;
  const isEmpty = data.frames.every(
    (frame) => frameLength(frame) === 0 || frame.fields.every((field) => field.kind === 'time'),
  );
  if (isEmpty) {
    if (data.errors.length > 0) {
      return (
        <div style={{ height, overflow: 'auto' }} tabIndex={0} role="alert">
          <p className="mono wrap" style={{ color: 'var(--bad)', margin: 6, fontSize: 12.5 }}>
            {data.errors.join('\n')}
          </p>
        </div>
      );
    }
    return <NoData data={data} height={height} />;
  }
  const props = { panel, data, scope, width, height };
  return <Suspense fallback={<div className="panel-wait" />}>{draw(props)}</Suspense>;
}

const TALL_PX = 90;

/** Why there is nothing to draw: the metrics that have no series, where that is the reason. */
function NoData({ data, height }: { data: PanelData; height: number }) {
  const t = useText();
  const questions = data.asked
    .filter(({ source }) => source.kind === 'prometheus')
    .map(({ source, expr }) => ({ api: apiOf(source), expr }));
  const { data: absent = [], isSuccess: isSettled } = useAbsent(questions, data.span);
  const reasons = absent.map((one) =>
    one.why === 'unknown' ? t('No series is called {name}.', { name: one.name }) : absentText(t, one),
  );
  const shown =
    reasons.length > 0
      ? reasons
      : [
          questions.length > 0 && isSettled
            ? t('Every metric asked for has series; nothing fulfils the query at present.')
            : t('Nothing was measured in this range, or nothing matches the query.'),
        ];
  return (
    <div className="panel-empty" title={shown.join('\n')} tabIndex={0}>
      <div>
        {t('No data')}
        {height > TALL_PX
          ? shown.map((one) => <span key={one}>{one}</span>)
          : absent.length > 0 && <span>{absent.map(({ name, selector }) => name || selector).join(', ')}</span>}
      </div>
    </div>
  );
}

function draw(props: { panel: Panel; data: PanelData; scope: Scope; width: number; height: number }) {
  switch (props.panel.type) {
    case 'timeseries':
      return <TimeSeriesPanel {...props} />;
    case 'heatmap':
      return <HeatMapPanel {...props} />;
    case 'timeline':
      return <TimelinePanel {...props} />;
    case 'stat':
      return <StatPanel {...props} />;
    case 'gauge':
      return <GaugePanel {...props} />;
    case 'bargauge':
      return <BarGaugePanel {...props} />;
    case 'table':
      return <TablePanel {...props} />;
    case 'logs':
      return <LogsPanel {...props} />;
    default:
      return <EchartsPanel {...props} />;
  }
}
