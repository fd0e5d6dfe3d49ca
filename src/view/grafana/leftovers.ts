// What a panel asks for that has no effect here, so that the import can say so: options beyond those that are taken over, unless
// they hold what would be so anyway, or only concern details of drawing that are this program's own.

import { isObject, type Json, object, objects, type Problems } from './json.ts';

/** Options of panels that are taken over, as paths below `options`; all panels may have the first group. */
const TAKEN = new RegExp(
  `^(${[
    'legend\\.(show|showLegend|calcs|values|displayMode|placement|asTable|isVisible)',
    'tooltip\\.(mode|show)',
    '(reduceOptions|fieldOptions)\\.(calcs|values|limit|defaults|overrides|thresholds|mappings)',
    'orientation|displayMode|graphMode|colorMode|textMode|pieType|displayLabels|stacking|xField|showValue',
    'bucketCount|bucketSize|combine|mode|content|code|sortBy|limit|maxItems|query|tags',
    'alertName|alertInstanceLabelFilter|stateFilter|timezone|timeSettings|mapping|series|seriesMapping|dims|layers|view|basemap|controls',
    'calculate|calculation|rowsFrame|yAxis\\.unit|showStarred|showSearch|showRecentlyViewed|showHeadings|includeVars|keepTime',
    'footer\\.(show|reducer|reducers|fields|countRows)',
  ].join('|')})(\\.|$)`,
);

/** Details of drawing: colours of scales, gaps, sizes, corners. How they look is decided here, alike for all dashboards. */
const DETAIL = new RegExp(
  `^(${[
    'text|justifyMode|wideLayout|percentChangeColorMode|sizing|minViz(Height|Width)|maxVizHeight|namePlacement|valueMode|showUnfilled',
    'cellHeight|cellGap|cellValues|cellRadius|color|exemplars|alignValue|rowHeight|mergeValues|barWidth|barRadius|groupWidth',
    'legend\\.(width|sortBy|sortDesc|showColorScale)|tooltip\\.(sort|maxHeight|maxWidth|hideZeros|yHistogram|showColorScale)',
    'yAxis\\.(axisPlacement|reverse|decimals|min|max|axisWidth|axisLabel)|filterValues|colWidth|xTick\\w+|fullHighlight|effects|shape',
    'showThreshold(Labels|Markers)|barWidthFactor|barGlow|gradient|endpointMarker|segmentCount|segmentSpacing|sparkline|neutral',
    'dataLinks|alertThreshold|pointradius|enablePagination|footer\\.enablePagination|frameIndex|showTypeIcons|folderId|folderUID',
    'bgColor|clockType|countdownSettings|dateSettings|timezoneSettings|fontMono|refresh|wrapLogMessage|prettifyLogMessage|sortOrder',
    'enableLogDetails|dedupStrategy|showTime|showLabels|showCommonLabels|enableInfiniteScrolling|syntaxHighlighting|fontSize|detailsMode',
    'groupMode|groupBy|sortOrder|dashboardAlerts|datasource|viewMode|alertGroupsOptions|showInstances|perPage',
  ].join('|')})(\\.|$)`,
);

/** Options of fields below `custom`. */
const FIELD_TAKEN =
  /^(drawStyle|lineInterpolation|lineWidth|fillOpacity|lineStyle|showPoints|spanNulls|stacking|transform|axisPlacement|axisLabel|axisSoftMin|axisSoftMax|scaleDistribution|thresholdsStyle|hideFrom|cellOptions|displayMode|width|align|hidden|pointSize|show|pointShape|pointStrokeWidth|footer)$/;
const FIELD_DETAIL =
  /^(axisBorderShow|axisColorMode|axisGridShow|axisWidth|barAlignment|barWidthFactor|gradientMode|insertNulls|filterable|inspect|minWidth|wrapText|showValues|neutral|orientation|tooltip)$/;

/** Values that say nothing. */
const isNeutral = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === false ||
  value === '' ||
  value === 0 ||
  value === 'auto' ||
  value === 'none' ||
  value === 'off' ||
  value === 'default' ||
  (Array.isArray(value) && value.length === 0) ||
  (isObject(value) && Object.values(value).every(isNeutral));

export function noteLeftovers(panel: Json, problems: Problems): void {
  const type = String(panel.type);
  const say = (name: string) => problems.add('', `option "${name}" of panels of type "${type}" is left out`);
  const walk = (node: Json, prefix: string) => {
    for (const [name, value] of Object.entries(node)) {
      const path = prefix + name;
      if (isNeutral(value) || TAKEN.test(path)) continue;
      if (DETAIL.test(path)) problems.detail(path);
      else if (isObject(value)) walk(value, `${path}.`);
      else say(path);
    }
  };
  const { showHeader, ...options } = object(panel.options);
  if (showHeader === false) say('showHeader');
  walk(options, '');
  const config = object(panel.fieldConfig);
  const defaults = object(config.defaults);
  for (const [name, value] of Object.entries(object(defaults.custom))) {
    if (isNeutral(value) || FIELD_TAKEN.test(name)) continue;
    if (FIELD_DETAIL.test(name)) problems.detail(`custom.${name}`);
    else say(`custom.${name}`);
  }
  for (const query of objects(panel.targets)) {
    const { format } = query;
    if (typeof format === 'string' && !QUERY_FORMATS.has(format))
      problems.add('', `format "${format}" of queries is not known`);
  }
  for (const one of objects(panel.transformations))
    if (isObject(one.filter)) problems.add('', 'a transformation of some of the queries is done for all of them');
}

const QUERY_FORMATS = new Set(['time_series', 'table', 'heatmap', 'logs', '', 'timeseries']);
