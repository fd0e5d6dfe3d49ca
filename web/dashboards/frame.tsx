// The frame of one panel: title, menu, state of its data, and the drawing inside it, asked for only once it is near the
// screen.

import { ActionIcon, Loader, Menu, Modal, Tooltip } from '@mantine/core';
import { lazy, Suspense, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { frameLength } from '../../src/view/frame.ts';
import { interpolate, type Scope } from '../../src/view/interpolate.ts';
import type { Panel } from '../../src/view/model.ts';
import type { RuleDraft } from '../alerting/rule-form.tsx';
import { hrefOf, linkTo, navigate, PREFIX } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import { exploreLink } from '../explore/state.ts';
import { Boundary } from '../shell/boundary.tsx';
import { Icon } from '../shell/icons.tsx';
import { Empty, Failure } from '../shell/parts.tsx';
import { SELF_UID, useDashboard, withBuiltIns } from './context.ts';
import { asksNothing, type PanelData, usePanelData } from './data.ts';
import { downloadText, panelPicture } from './export.ts';
import { ruleOfPanel } from './panel-rule.ts';
import { AlertsPanel, ClockPanel, LinksPanel, LogsPanel, TextPanel, UnsupportedPanel } from './panels/plain.tsx';
import { TablePanel } from './panels/table.tsx';
import { BarGaugePanel, GaugePanel, StatPanel } from './panels/values.tsx';

const EchartsPanel = lazy(async () => ({ default: (await import('./panels/echarts.tsx')).EchartsPanel }));
const RuleForm = lazy(async () => ({ default: (await import('../alerting/rule-form.tsx')).RuleForm }));
const series = () => import('./panels/series.tsx');
const TimeSeriesPanel = lazy(async () => ({ default: (await series()).TimeSeriesPanel }));
const HeatMapPanel = lazy(async () => ({ default: (await series()).HeatMapPanel }));
const TimelinePanel = lazy(async () => ({ default: (await series()).TimelinePanel }));

export type PanelActions = {
  readonly onView: (panel: Panel) => void;
  readonly onEdit?: (panel: Panel) => void;
  readonly onCopy?: (panel: Panel) => void;
  readonly onRemove?: (panel: Panel) => void;
};

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
  const [inspecting, setInspecting] = useState(false);
  const [pictureError, setPictureError] = useState('');
  const [rule, setRule] = useState<RuleDraft | undefined>();

  useLayoutEffect(() => {
    const element = body.current;
    if (!element) return;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
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
  const all = withBuiltIns(scope, context.span, data?.stepMs ?? 15_000, 15_000, context.dashboard);
  const title = interpolate(localized(panel.title), all);
  const description = interpolate(localized(panel.description), all);
  const problems = [...(data?.errors ?? []), ...(pictureError ? [pictureError] : [])];
  const explore = (data?.asked ?? []).filter((one) => one.source.uid === SELF_UID).map((one) => one.expr);
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
        <Menu position="bottom-end" shadow="lg" withinPortal>
          <Menu.Target>
            <ActionIcon
              className="panel-menu no-print"
              variant="subtle"
              color="gray"
              size={24}
              aria-label={t('Menu of {title}', { title: title || `#${panel.id}` })}
            >
              <Icon name="dots" size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            {actions && (
              <Menu.Item leftSection={<Icon name="full" size={15} />} onClick={() => actions.onView(panel)}>
                {t('View large')}
              </Menu.Item>
            )}
            {actions?.onEdit && (
              <Menu.Item leftSection={<Icon name="edit" size={15} />} onClick={() => actions.onEdit?.(panel)}>
                {t('Edit')}
              </Menu.Item>
            )}
            {explore.length > 0 && (
              <Menu.Item
                leftSection={<Icon name="explore" size={15} />}
                component="a"
                {...linkTo(exploreLink(explore, context.range))}
              >
                {t('Open in Explore')}
              </Menu.Item>
            )}
            {data && (
              <Menu.Item leftSection={<Icon name="table" size={15} />} onClick={() => setInspecting(true)}>
                {t('Data and queries')}
              </Menu.Item>
            )}
            <Menu.Item
              leftSection={<Icon name="camera" size={15} />}
              onClick={() => {
                setPictureError('');
                panelPicture(holder.current!, title || 'panel').catch((error: unknown) =>
                  setPictureError(String(error)),
                );
              }}
            >
              {t('Save as PNG')}
            </Menu.Item>
            {explore.length > 0 && (
              <Menu.Item
                leftSection={<Icon name="bell" size={15} />}
                onClick={() =>
                  setRule(
                    ruleOfPanel(
                      panel,
                      title,
                      explore[0]!,
                      context.dashboard.uid,
                      `${location.origin}${PREFIX}/d/${encodeURIComponent(context.dashboard.uid)}`,
                    ),
                  )
                }
              >
                {t('Make an alert rule')}
              </Menu.Item>
            )}
            {actions?.onCopy && (
              <Menu.Item leftSection={<Icon name="copy" size={15} />} onClick={() => actions.onCopy?.(panel)}>
                {t('Duplicate')}
              </Menu.Item>
            )}
            {actions?.onRemove && (
              <Menu.Item
                color="red"
                leftSection={<Icon name="trash" size={15} />}
                onClick={() => actions.onRemove?.(panel)}
              >
                {t('Remove')}
              </Menu.Item>
            )}
            {panel.links?.map((link) => (
              <Menu.Item
                key={localized(link.title)}
                component="a"
                leftSection={<Icon name="link" size={15} />}
                href={hrefOf(interpolate(link.url ?? '', all))}
              >
                {localized(link.title)}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
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
      <Modal
        opened={inspecting}
        onClose={() => setInspecting(false)}
        size="80%"
        title={title}
        closeButtonProps={{ 'aria-label': t('Close') }}
      >
        {inspecting && data && <Inspector panel={panel} scope={all} data={data} />}
      </Modal>
      {rule && (
        <Suspense fallback={null}>
          <RuleForm draft={rule} onClose={() => setRule(undefined)} onDone={() => navigate('/rules')} />
        </Suspense>
      )}
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
    return (
      <div className="panel-empty">
        <div>
          {t('No data')}
          {height > 90 && <span>{t('Nothing was measured in this range, or nothing matches the query.')}</span>}
        </div>
      </div>
    );
  }
  const props = { panel, data, scope, width, height };
  return <Suspense fallback={<div className="panel-wait" />}>{draw(props)}</Suspense>;
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

function Inspector({ panel, scope, data }: { panel: Panel; scope: Scope; data: PanelData }) {
  const t = useText();
  return (
    <>
      {data.asked.map((one) => (
        <div key={one.ref} style={{ marginBottom: 8 }}>
          <b>{one.ref}</b> <span className="dim">{one.source.name}</span>
          <pre className="code surface" style={{ whiteSpace: 'pre-wrap' }}>
            {one.expr}
          </pre>
        </div>
      ))}
      {[...data.errors, ...data.warnings].map((text) => (
        <p key={text} style={{ color: 'var(--warn)' }} className="wrap">
          {text}
        </p>
      ))}
      <button
        type="button"
        className="item"
        style={{ width: 'auto' }}
        onClick={() => downloadText(`panel-${panel.id}.csv`, toCsv(data), 'text/csv')}
      >
        <Icon name="download" size={16} /> {t('Download as CSV')}
      </button>
      <TablePanel panel={panel} data={data} scope={scope} width={900} height={420} />
    </>
  );
}

function toCsv(data: PanelData): string {
  const quote = (value: unknown) =>
    value === null || value === undefined
      ? ''
      : /[",\n]/.test(String(value))
        ? `"${String(value).replaceAll('"', '""')}"`
        : String(value);
  return data.frames
    .map((frame) => {
      const head = frame.fields.map((field) => quote(field.legend ?? field.name)).join(',');
      const rows = [...Array(frameLength(frame)).keys()].map((row) =>
        frame.fields
          .map((field) =>
            quote(
              field.kind === 'time' && typeof field.values[row] === 'number'
                ? new Date(field.values[row] as number).toISOString()
                : field.values[row],
            ),
          )
          .join(','),
      );
      return [head, ...rows].join('\n');
    })
    .join('\n\n');
}

export const goToDashboard = (uid: string): void => navigate(`/d/${uid}`);
