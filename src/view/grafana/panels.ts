// One panel of Grafana, of any age, into ours: its type, options, fields. Old types (graph, singlestat, table-old) are
// brought to what replaced them; types that have no counterpart become an 'unsupported' panel that says so.

import { calculationOf } from '../calculate.ts';
import type { FieldOptions, Grid, Override, Panel, PanelOptions, PanelType, Transformation } from '../model.ts';
import { knowsTransformation } from '../transform.ts';
import { readFieldOptions, readLinks, readOldMappings, readOverrides, readUnit } from './fields.ts';
import { array, bool, compact, filled, type Json, number, object, objects, type Problems, string } from './json.ts';
import { noteLeftovers } from './leftovers.ts';
import { durationOf, type Inputs, readQueries, readSource } from './queries.ts';

const TYPES: Readonly<Record<string, PanelType>> = {
  row: 'row',
  graph: 'timeseries',
  timeseries: 'timeseries',
  trend: 'timeseries',
  stat: 'stat',
  singlestat: 'stat',
  'grafana-singlestat-panel': 'stat',
  gauge: 'gauge',
  bargauge: 'bargauge',
  table: 'table',
  'table-old': 'table',
  'grafana-table-panel': 'table',
  heatmap: 'heatmap',
  'heatmap-new': 'heatmap',
  histogram: 'histogram',
  piechart: 'pie',
  'grafana-piechart-panel': 'pie',
  barchart: 'bar',
  'state-timeline': 'timeline',
  'status-history': 'timeline',
  'natel-discrete-panel': 'timeline',
  'flant-statusmap-panel': 'timeline',
  'vonage-status-panel': 'stat',
  text: 'text',
  alertlist: 'alerts',
  'camptocamp-prometheus-alertmanager-datasource': 'alerts',
  logs: 'logs',
  'grafana-clock-panel': 'clock',
  xychart: 'scatter',
  'digrich-bubblechart-panel': 'scatter',
  geomap: 'map',
  'grafana-worldmap-panel': 'map',
  'fatcloud-windrose-panel': 'windrose',
  'operato-windrose-panel': 'windrose',
  'snuids-radar-panel': 'radar',
  nodeGraph: 'nodes',
  dashlist: 'links',
  news: 'unsupported',
  'michaeldmoore-multistat-panel': 'bargauge',
  'blackmirror1-singlestat-math-panel': 'stat',
  'simpod-json-panel': 'logs',
  'grafana-polystat-panel': 'stat',
  'michaeldmoore-annunciator-panel': 'stat',
  'mtanda-histogram-panel': 'histogram',
  'savantly-heatmap-panel': 'heatmap',
  'briangann-datatable-panel': 'table',
  'yesoreyeram-boomtable-panel': 'table',
};

export function readPanel(panel: Json, id: number, grid: Grid, inputs: Inputs, problems: Problems): Panel {
  const title = string(panel.title) ?? '';
  const where = `panel "${title || `#${id}`}"`;
  const grafanaType = string(panel.type) ?? 'text';
  let type = TYPES[grafanaType] ?? 'unsupported';
  if (type === 'unsupported')
    problems.add(where, `panels of type "${grafanaType}" have no counterpart; it shows what it was`);
  else if (grafanaType.endsWith('-panel') && !grafanaType.startsWith('grafana-'))
    problems.add(where, `panels of type "${grafanaType}" are drawn as "${type}"; options of their own are left out`);
  const isOldGraph = grafanaType === 'graph';
  if (isOldGraph && object(panel.xaxis).mode === 'histogram') type = 'histogram';
  if (isOldGraph && object(panel.xaxis).mode === 'series') type = 'bar';
  if (type === 'stat' && object(panel.gauge).show === true) type = 'gauge';
  const source = readSource(panel.datasource, inputs, where, problems);
  const config = object(panel.fieldConfig);
  const isOldStat = /singlestat/.test(grafanaType);
  const isOldTable = grafanaType === 'table-old' || (grafanaType === 'table' && Array.isArray(panel.styles));
  const field = isOldGraph
    ? oldGraphField(panel, where, problems)
    : isOldStat
      ? oldStatField(panel, where, problems)
      : readFieldOptions(config.defaults, where, problems);
  const overrides = isOldGraph
    ? oldGraphOverrides(panel, where, problems)
    : isOldTable
      ? oldTableOverrides(panel, where, problems)
      : readOverrides(config.overrides, where, problems);
  const queries = readQueries(panel.targets, source, inputs, where, problems);
  const repeat = filled(panel.repeat);
  if (type !== 'unsupported') noteLeftovers(panel, problems);
  if (panel.libraryPanel)
    problems.add(where, 'it is a library panel; only what the dashboard itself holds is imported');
  if (panel.alert)
    problems.add(
      where,
      `its alert "${string(object(panel.alert).name) ?? title}" is not imported; make a rule from the panel's menu`,
    );
  return compact({
    id,
    type,
    title,
    description: filled(panel.description),
    grid,
    source,
    queries:
      isOldTable || type === 'table'
        ? queries.map((query) => ({ ...query, format: query.format ?? ('series' as const) }))
        : queries,
    transformations: readTransformations(panel, where, problems),
    field: Object.keys(field).length > 0 ? field : undefined,
    overrides,
    options: readOptions(type, grafanaType, panel, where, problems),
    links: readLinks(panel.links),
    interval: durationOf(panel.interval),
    maxPoints: number(panel.maxDataPoints),
    timeFrom: filled(panel.timeFrom),
    timeShift: filled(panel.timeShift),
    repeat:
      repeat === undefined
        ? undefined
        : compact({
            variable: repeat,
            direction: panel.repeatDirection === 'v' ? ('v' as const) : ('h' as const),
            perRow: number(panel.maxPerRow),
          }),
    transparent: bool(panel.transparent) || undefined,
  });
}

function readTransformations(panel: Json, where: string, problems: Problems): Transformation[] | undefined {
  const found = objects(panel.transformations).map(
    (one): Transformation =>
      compact({ id: string(one.id) ?? '', options: object(one.options), disabled: bool(one.disabled) || undefined }),
  );
  for (const { id } of found) if (!knowsTransformation(id)) problems.add(where, `transformation "${id}" is left out`);
  const known = found.filter(({ id }) => knowsTransformation(id));
  // Old tables say in one word how series become rows.
  const old = panel.transform;
  if (old === 'timeseries_to_rows') known.push({ id: 'seriesToRows', options: {} });
  if (old === 'timeseries_to_columns') known.push({ id: 'seriesToColumns', options: {} });
  if (old === 'timeseries_aggregations')
    known.push({
      id: 'reduce',
      options: {
        reducers: objects(panel.columns).map((column) => calculationOf(string(column.value)) ?? 'lastNotNull'),
      },
    });
  if (old === 'table') known.push({ id: 'merge', options: {} });
  return known.length > 0 ? known : undefined;
}

function readLegend(panel: Json): PanelOptions['legend'] {
  const legend = object(object(panel.options).legend ?? panel.legend);
  if (panel.type === 'graph') {
    const calcs = (['min', 'max', 'avg', 'current', 'total'] as const)
      .filter((name) => legend[name] === true)
      .map((name) => calculationOf(name)!);
    return compact({
      show: legend.show !== false,
      placement: legend.rightSide === true ? ('right' as const) : ('bottom' as const),
      table: bool(legend.alignAsTable) || (legend.values === true && calcs.length > 0) || undefined,
      calcs: calcs.length > 0 ? calcs : undefined,
    });
  }
  if (Object.keys(legend).length === 0) return undefined;
  const calcs = array(legend.calcs ?? legend.values)
    .map((name) => calculationOf(String(name)))
    .filter((name) => name !== undefined);
  return compact({
    show: legend.showLegend !== false && legend.displayMode !== 'hidden',
    placement: legend.placement === 'right' ? ('right' as const) : ('bottom' as const),
    table: legend.displayMode === 'table' || undefined,
    calcs: calcs.length > 0 ? calcs : undefined,
  });
}

function readOptions(
  type: PanelType,
  grafanaType: string,
  panel: Json,
  where: string,
  problems: Problems,
): PanelOptions | undefined {
  const options = object(panel.options);
  const reduce = object(options.reduceOptions ?? options.fieldOptions);
  const calc = calculationOf(string(array(reduce.calcs)[0]) ?? filled(panel.valueName));
  const tooltip = object(options.tooltip).mode ?? (object(panel.tooltip).shared === false ? 'single' : undefined);
  const common: PanelOptions = compact({
    legend: readLegend(panel),
    tooltip: tooltip === 'single' ? ('single' as const) : tooltip === 'none' ? ('none' as const) : undefined,
    calc,
    allRows: bool(reduce.values) || undefined,
    limit: number(reduce.limit ?? options.maxItems ?? options.limit ?? panel.limit),
  });
  const own = ownOptions(type, grafanaType, panel, options, where, problems);
  const found = compact({ ...common, ...own });
  return Object.keys(found).length > 0 ? found : undefined;
}

function ownOptions(
  type: PanelType,
  grafanaType: string,
  panel: Json,
  options: Json,
  where: string,
  problems: Problems,
): PanelOptions {
  switch (type) {
    case 'text': {
      const mode = string(options.mode ?? panel.mode) ?? 'markdown';
      if (mode === 'html') problems.add(where, 'its HTML is shown as text with the tags removed');
      return { content: string(options.content ?? panel.content) ?? '', mode };
    }
    case 'stat': {
      const isOld = /singlestat/.test(grafanaType);
      const colorMode = string(options.colorMode);
      return compact({
        spark: isOld ? object(panel.sparkline).show === true : options.graphMode !== 'none',
        color: isOld
          ? panel.colorBackground === true
            ? ('ground' as const)
            : panel.colorValue === true
              ? ('value' as const)
              : ('none' as const)
          : colorMode?.startsWith('background')
            ? ('ground' as const)
            : colorMode === 'none'
              ? ('none' as const)
              : ('value' as const),
        text: textMode(options.textMode),
        orientation: orientation(options.orientation),
      });
    }
    case 'gauge':
      return compact({ orientation: orientation(options.orientation) });
    case 'bargauge':
      return compact({ orientation: orientation(options.orientation), mode: string(options.displayMode) });
    case 'pie': {
      const kind = string(options.pieType ?? panel.pieType);
      return compact({ donut: kind === 'donut' || undefined, labels: array(options.displayLabels).map(String) });
    }
    case 'bar':
      return compact({
        orientation: orientation(options.orientation),
        stack: options.stacking === 'normal' || options.stacking === 'percent' ? options.stacking : undefined,
        xField: filled(options.xField),
        showValue: options.showValue === 'always' || undefined,
      });
    case 'timeline':
      return compact({
        showValue: options.showValue !== 'never',
        mode: grafanaType === 'status-history' ? 'history' : undefined,
      });
    case 'heatmap':
      return compact({
        rowUnit: readUnit(object(options.yAxis).unit ?? object(panel.yAxis).format, where, problems),
      });
    case 'histogram':
      return compact({
        buckets: number(options.bucketCount),
        bucketSize: number(options.bucketSize) ?? number(object(panel.xaxis).buckets),
      });
    case 'alerts':
      return compact({
        filter: filled(options.alertName ?? panel.nameFilter),
        states: array(panel.stateFilter).map(String),
      });
    case 'clock':
      return compact({
        zone: filled(options.timezone),
        format: filled(object(options.timeSettings).customFormat),
        mode: string(options.mode),
      });
    case 'links':
      return compact({
        tags: array(options.tags ?? panel.tags).map(String),
        filter: filled(options.query ?? panel.query),
      });
    case 'scatter':
      return compact({
        xField: filled(object(options.dims).x) ?? fieldNamed(objects(options.series)[0]?.x) ?? filled(options.xField),
        yField: fieldNamed(objects(options.series)[0]?.y),
        sizeField:
          filled(object(object(objects(options.series)[0]).pointSize).field) ??
          fieldNamed(objects(options.series)[0]?.size),
      });
    case 'map':
      return compact({
        latitude:
          filled(object(panel.tableQueryOptions).latitudeField) ??
          filled(object(objects(options.layers)[0]?.location).latitude),
        longitude:
          filled(object(panel.tableQueryOptions).longitudeField) ??
          filled(object(objects(options.layers)[0]?.location).longitude),
        locationField: filled(object(objects(options.layers)[0]?.location).lookup),
      });
    case 'table': {
      const sort = objects(options.sortBy).map((one) =>
        compact({ name: string(one.displayName) ?? '', desc: bool(one.desc) || undefined }),
      );
      const footer = object(options.footer);
      const fields = array(footer.fields).map(String).filter(Boolean);
      const calculation = calculationOf(string(array(footer.reducer ?? footer.reducers)[0]));
      return compact({
        sortBy: sort.length > 0 ? sort : undefined,
        footer:
          footer.show === true
            ? compact({ calc: calculation ?? 'sum', fields: fields.length > 0 ? fields : undefined })
            : undefined,
      });
    }
    case 'unsupported':
      return { original: grafanaType };
    default:
      return {};
  }
}

/** A field that is chosen by its name, as a text or as a matcher. */
function fieldNamed(value: unknown): string | undefined {
  if (typeof value === 'string') return filled(value);
  const matcher = object(object(value).matcher);
  return matcher.id === 'byName' ? filled(matcher.options) : undefined;
}

function textMode(value: unknown): PanelOptions['text'] {
  switch (value) {
    case 'value':
    case 'name':
    case 'none':
      return value;
    case 'value_and_name':
      return 'both';
    default:
      return undefined;
  }
}

const orientation = (value: unknown): PanelOptions['orientation'] =>
  value === 'horizontal' || value === 'vertical' ? value : undefined;

function oldGraphField(panel: Json, where: string, problems: Problems): FieldOptions {
  const axes = objects(panel.yaxes);
  const formats = array(panel.y_formats);
  const left = axes[0] ?? {};
  const grid = object(panel.grid);
  const nulls = panel.nullPointMode;
  const lines = objects(panel.thresholds);
  return compact({
    unit: readUnit(left.format ?? formats[0], where, problems),
    decimals: number(panel.decimals ?? left.decimals),
    min: number(left.min ?? grid.leftMin),
    max: number(left.max ?? grid.leftMax),
    thresholds:
      lines.length > 0
        ? {
            mode: 'absolute' as const,
            steps: [
              { value: null, color: 'transparent' },
              ...lines.map((line) => ({
                value: number(line.value) ?? 0,
                color: filled(line.lineColor ?? line.fillColor) ?? (line.colorMode === 'warning' ? 'orange' : 'red'),
              })),
            ],
          }
        : undefined,
    draw: compact({
      style:
        panel.bars === true
          ? ('bars' as const)
          : panel.lines === false && panel.points === true
            ? ('points' as const)
            : undefined,
      shape: panel.steppedLine === true ? ('step' as const) : undefined,
      width: number(panel.linewidth),
      fill: panel.lines === false ? undefined : (number(panel.fill) ?? 1) / 10,
      stack:
        panel.stack === true ? (panel.percentage === true ? ('percent' as const) : ('normal' as const)) : undefined,
      connect: nulls === 'connected' || undefined,
      logBase: number(left.logBase) === 1 ? undefined : number(left.logBase),
      axisLabel: filled(left.label),
      thresholds:
        lines.length > 0
          ? lines.some((line) => line.fill === true)
            ? ('area' as const)
            : ('line' as const)
          : undefined,
      points: panel.points === true ? ('always' as const) : ('never' as const),
    }),
  });
}

function oldGraphOverrides(panel: Json, where: string, problems: Problems): Override[] | undefined {
  const right = objects(panel.yaxes)[1] ?? {};
  const rightUnit = readUnit(right.format ?? array(panel.y_formats)[1], where, problems);
  const found: Override[] = [];
  for (const [name, color] of Object.entries(object(panel.aliasColors)))
    if (typeof color === 'string')
      found.push({ match: { by: 'name', value: name }, set: { color: { mode: 'fixed', fixed: color } } });
  for (const series of objects(panel.seriesOverrides)) {
    const alias = string(series.alias) ?? '';
    const isRegex = /^\/.*\/[a-z]*$/s.test(alias);
    const isRight = series.yaxis === 2;
    found.push({
      match: { by: isRegex ? 'regex' : 'name', value: alias },
      set: compact({
        unit: isRight ? rightUnit : undefined,
        color: filled(series.color) ? { mode: 'fixed' as const, fixed: filled(series.color)! } : undefined,
        draw: compact({
          axis: isRight ? ('right' as const) : undefined,
          fill: number(series.fill) === undefined ? undefined : number(series.fill)! / 10,
          width: number(series.linewidth),
          style:
            series.bars === true
              ? ('bars' as const)
              : series.points === true && series.lines === false
                ? ('points' as const)
                : undefined,
          negative: series.transform === 'negative-Y' || undefined,
          stack: series.stack === false ? ('none' as const) : series.stack === true ? ('normal' as const) : undefined,
          stackGroup: typeof series.stack === 'string' ? series.stack : undefined,
          dash:
            series.dashes === true ? [number(series.dashLength) ?? 10, number(series.spaceLength) ?? 10] : undefined,
          hideFrom: series.legend === false ? (['legend'] as const) : undefined,
        }),
      }),
    });
    if (series.fillBelowTo !== undefined)
      problems.add(where, `the band of "${alias}" down to "${String(series.fillBelowTo)}" is drawn as a line`);
  }
  return found.length > 0 ? found : undefined;
}

function oldStatField(panel: Json, where: string, problems: Problems): FieldOptions {
  const levels = (string(panel.thresholds) ?? '').split(',').map((one) => number(one));
  const colors = array(panel.colors).map(String);
  const isColored = panel.colorValue === true || panel.colorBackground === true || object(panel.gauge).show === true;
  const steps =
    levels.every((one) => one !== undefined) && colors.length > 0
      ? colors
          .slice(0, levels.length + 1)
          .map((color, index) => ({ value: index === 0 ? null : levels[index - 1]!, color }))
      : undefined;
  const gauge = object(panel.gauge);
  const format = readUnit(panel.format, where, problems);
  const [prefix, postfix] = [filled(panel.prefix), filled(panel.postfix)];
  const custom =
    format !== undefined && format !== 'none' && format !== 'short'
      ? undefined
      : prefix !== undefined && postfix === undefined
        ? `prefix:${prefix}`
        : postfix !== undefined && prefix === undefined
          ? `suffix:${postfix}`
          : undefined;
  if ((prefix ?? postfix) !== undefined && custom === undefined)
    problems.add(where, 'text before or after the value is left out');
  return compact({
    unit: custom ?? format,
    decimals: number(panel.decimals),
    mappings: readOldMappings(panel),
    thresholds: isColored && steps ? { mode: 'absolute' as const, steps } : undefined,
    color: isColored && steps ? { mode: 'thresholds' as const } : undefined,
    min: gauge.show === true ? number(gauge.minValue) : undefined,
    max: gauge.show === true ? number(gauge.maxValue) : undefined,
    noValue: filled(panel.nullText),
  });
}

function oldTableOverrides(panel: Json, where: string, problems: Problems): Override[] | undefined {
  const found = objects(panel.styles).flatMap((style): Override[] => {
    const pattern = string(style.pattern) ?? '';
    const isRegex = /^\/.*\/[a-z]*$/s.test(pattern);
    const colors = array(style.colors).map(String);
    const levels = array(style.thresholds).map((one) => number(one));
    return [
      {
        match: { by: isRegex ? 'regex' : 'name', value: pattern },
        set: compact({
          displayName: filled(style.alias),
          unit: style.type === 'date' ? 'dateTimeAsIso' : readUnit(style.unit, where, problems),
          decimals: number(style.decimals),
          hidden: style.type === 'hidden' || undefined,
          cell:
            style.colorMode === 'cell' || style.colorMode === 'row'
              ? ('ground' as const)
              : style.colorMode === 'value'
                ? ('text' as const)
                : undefined,
          thresholds:
            colors.length > 0 && levels.length > 0
              ? {
                  mode: 'absolute' as const,
                  steps: colors.map((color, index) => ({
                    value: index === 0 ? null : (levels[index - 1] ?? 0),
                    color,
                  })),
                }
              : undefined,
          mappings: readOldMappings(style),
          links:
            style.link === true
              ? [{ title: string(style.linkTooltip) ?? '', url: string(style.linkUrl) ?? '' }]
              : undefined,
        }),
      },
    ];
  });
  return found.length > 0 ? found : undefined;
}
