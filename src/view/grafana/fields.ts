// Grafana's field configuration into ours: units, thresholds, value mappings, colours, drawing, overrides; from the
// current shape (fieldConfig) and from that of old panels (axes, colours, seriesOverrides).

import { calculationOf } from '../calculate.ts';
import type { Draw, FieldMatch, FieldOptions, Link, Mapping, MappingResult, Override, Thresholds } from '../model.ts';
import { knowsUnit } from '../units.ts';
import {
  array,
  bool,
  compact,
  filled,
  isObject,
  type Json,
  number,
  object,
  objects,
  type Problems,
  string,
} from './json.ts';

export function readUnit(value: unknown, where: string, problems: Problems): string | undefined {
  const unit = filled(value);
  if (unit === undefined) return undefined;
  if (!knowsUnit(unit)) problems.add(where, `unit "${unit}" is shown as it is written`);
  return unit;
}

export function readThresholds(value: unknown): Thresholds | undefined {
  if (!isObject(value)) return undefined;
  const steps = objects(value.steps).map((step) => ({
    value: number(step.value) ?? null,
    color: string(step.color) ?? 'green',
  }));
  if (steps.length === 0) return undefined;
  return { mode: value.mode === 'percentage' ? 'percent' : 'absolute', steps };
}

const result = (value: unknown): MappingResult => {
  const found = object(value);
  return compact({ text: filled(found.text), color: filled(found.color) }) as MappingResult;
};

export function readMappings(value: unknown): Mapping[] | undefined {
  const found = objects(value).flatMap((one): Mapping[] => {
    const options = object(one.options);
    switch (one.type) {
      case 'value':
        return [
          {
            kind: 'value',
            values: Object.fromEntries(Object.entries(options).map(([key, mapped]) => [key, result(mapped)])),
          },
        ];
      case 'range':
        return [
          {
            kind: 'range',
            from: number(options.from) ?? null,
            to: number(options.to) ?? null,
            result: result(options.result),
          },
        ];
      case 'regex':
        return [{ kind: 'regex', pattern: string(options.pattern) ?? '', result: result(options.result) }];
      case 'special':
        return [{ kind: 'special', match: string(options.match) ?? 'null', result: result(options.result) }];
      // Numbered kinds of version 7 and before: 1 is a value, 2 a range.
      case 1:
        return [
          one.value === 'null'
            ? { kind: 'special', match: 'null', result: result(one) }
            : { kind: 'value', values: { [String(one.value)]: result(one) } },
        ];
      case 2:
        return [{ kind: 'range', from: number(one.from) ?? null, to: number(one.to) ?? null, result: result(one) }];
      default:
        return [];
    }
  });
  return found.length > 0 ? found : undefined;
}

/** Value and range maps of singlestat and of old tables. */
export function readOldMappings(panel: Json): Mapping[] | undefined {
  const found: Mapping[] = [];
  if (panel.mappingType !== 2) {
    for (const map of objects(panel.valueMaps)) {
      const text = string(map.text) ?? '';
      if (map.value === 'null') found.push({ kind: 'special', match: 'null', result: { text } });
      else if (filled(map.value) !== undefined)
        found.push({ kind: 'value', values: { [String(map.value)]: { text } } });
    }
  }
  if (panel.mappingType === 2) {
    for (const map of objects(panel.rangeMaps)) {
      const text = string(map.text) ?? '';
      if (map.from === 'null' && map.to === 'null') found.push({ kind: 'special', match: 'null', result: { text } });
      else found.push({ kind: 'range', from: number(map.from) ?? null, to: number(map.to) ?? null, result: { text } });
    }
  }
  return found.length > 0 ? found : undefined;
}

function readColor(value: unknown): FieldOptions['color'] {
  const mode = string(object(value).mode);
  if (mode === undefined) return undefined;
  if (mode === 'fixed' || mode === 'shades')
    return compact({ mode: 'fixed' as const, fixed: filled(object(value).fixedColor) });
  if (mode === 'thresholds') return { mode: 'thresholds' };
  if (mode.startsWith('continuous')) return { mode: 'scale' };
  return { mode: 'palette' };
}

export function readLinks(value: unknown): Link[] | undefined {
  const found = objects(value).map(
    (one): Link =>
      compact({ title: string(one.title) ?? '', url: filled(one.url), newTab: bool(one.targetBlank) || undefined }),
  );
  return found.length > 0 ? found : undefined;
}

const SHAPES: Readonly<Record<string, Draw['shape']>> = {
  linear: 'linear',
  smooth: 'smooth',
  stepBefore: 'step',
  stepAfter: 'step',
};

function readDraw(custom: Json, where: string, problems: Problems): Draw | undefined {
  const stacking = object(custom.stacking);
  const scale = object(custom.scaleDistribution);
  const style = object(custom.lineStyle);
  const hide = object(custom.hideFrom);
  const draw: Draw = compact({
    style:
      custom.drawStyle === 'bars' || custom.drawStyle === 'points' || custom.drawStyle === 'line'
        ? custom.drawStyle
        : undefined,
    shape: SHAPES[string(custom.lineInterpolation) ?? ''],
    width: number(custom.lineWidth),
    fill: number(custom.fillOpacity) === undefined ? undefined : number(custom.fillOpacity)! / 100,
    dash:
      style.fill === 'dash' || style.fill === 'dot' ? array(style.dash).map(Number).filter(Number.isFinite) : undefined,
    points:
      custom.showPoints === 'always' || custom.showPoints === 'never' || custom.showPoints === 'auto'
        ? custom.showPoints
        : undefined,
    connect: custom.spanNulls === true || typeof custom.spanNulls === 'number' || undefined,
    stack:
      stacking.group === false
        ? 'none'
        : stacking.mode === 'normal' || stacking.mode === 'percent' || stacking.mode === 'none'
          ? stacking.mode
          : undefined,
    stackGroup: filled(stacking.group),
    negative: custom.transform === 'negative-Y' || undefined,
    axis:
      custom.axisPlacement === 'right' || custom.axisPlacement === 'left' || custom.axisPlacement === 'hidden'
        ? custom.axisPlacement
        : undefined,
    axisLabel: filled(custom.axisLabel),
    logBase: scale.type === 'log' ? (number(scale.log) ?? 10) : undefined,
    thresholds: readThresholdStyle(object(custom.thresholdsStyle).mode),
    hideFrom: isObject(custom.hideFrom)
      ? (['legend', 'tooltip', 'viz'] as const).filter((one) => hide[one] === true)
      : undefined,
  });
  if (scale.type === 'symlog') problems.add(where, 'a symmetric logarithmic axis is drawn linear');
  return Object.keys(draw).length > 0 ? draw : undefined;
}

function readThresholdStyle(mode: unknown): Draw['thresholds'] {
  if (mode === undefined || mode === 'off') return undefined;
  return mode === 'area' ? 'area' : 'line';
}

function readCell(value: unknown): FieldOptions['cell'] {
  switch (isObject(value) ? value.type : value) {
    case 'color-text':
      return 'text';
    case 'color-background':
    case 'color-background-solid':
      return 'ground';
    case 'gauge':
    case 'basic-gauge':
    case 'gradient-gauge':
    case 'lcd-gauge':
      return 'bar';
    case 'json-view':
      return 'json';
    default:
      return undefined;
  }
}

export function readFieldOptions(value: unknown, where: string, problems: Problems): FieldOptions {
  const found = object(value);
  const custom = object(found.custom);
  return compact({
    displayName: filled(found.displayName),
    unit: readUnit(found.unit, where, problems),
    decimals: number(found.decimals),
    min: number(found.min),
    max: number(found.max),
    noValue: filled(found.noValue),
    thresholds: readThresholds(found.thresholds),
    mappings: readMappings(found.mappings),
    color: readColor(found.color),
    draw: readDraw(custom, where, problems),
    cell: readCell(custom.cellOptions ?? custom.displayMode),
    width: number(custom.width),
    align: custom.align === 'left' || custom.align === 'center' || custom.align === 'right' ? custom.align : undefined,
    hidden: bool(object(custom.hideFrom).viz) || bool(custom.hidden) || undefined,
    links: readLinks(found.links),
  });
}

const MATCHERS: Readonly<Record<string, FieldMatch['by']>> = {
  byName: 'name',
  byRegexp: 'regex',
  byType: 'type',
  byFrameRefID: 'query',
};

export function readOverrides(value: unknown, where: string, problems: Problems): Override[] | undefined {
  const found = objects(value).flatMap((one): Override[] => {
    const matcher = object(one.matcher);
    const properties = objects(one.properties);
    const settings = unflatten(properties);
    const set = readFieldOptions(settings, where, problems);
    for (const { id } of properties)
      if (!KNOWN_PROPERTIES.test(String(id))) problems.add(where, `field override "${String(id)}" is left out`);
    if (matcher.id === 'byNames') {
      const names = array(object(matcher.options).names).map(String);
      return names.map((name) => ({ match: { by: 'name', value: name }, set }));
    }
    if (matcher.id === 'byValue') {
      const { reducer, op, value } = object(matcher.options);
      const [calc, sign] = [calculationOf(String(reducer ?? '')), OPERATORS[String(op ?? 'gte')]];
      if (calc && sign) return [{ match: { by: 'value', value: `${calc} ${sign} ${number(value) ?? 0}` }, set }];
    }
    const by = MATCHERS[String(matcher.id)];
    if (!by) {
      problems.add(where, `fields chosen by "${String(matcher.id)}" keep the panel's options`);
      return [];
    }
    return [{ match: { by, value: String(matcher.options ?? '') }, set }];
  });
  return found.length > 0 ? found : undefined;
}

const OPERATORS: Readonly<Record<string, string>> = { eq: '==', neq: '!=', lt: '<', lte: '<=', gt: '>', gte: '>=' };

const KNOWN_PROPERTIES =
  /^(unit|decimals|min|max|displayName|noValue|thresholds|mappings|color|links|custom\.(drawStyle|lineInterpolation|lineWidth|fillOpacity|lineStyle|showPoints|pointSize|spanNulls|stacking|transform|axisPlacement|axisLabel|axisColorMode|axisGridShow|axisSoftMin|axisSoftMax|gradientMode|barAlignment|scaleDistribution|thresholdsStyle|hideFrom|cellOptions|displayMode|width|minWidth|align|filterable|hidden|inspect))$/;

/** `custom.x` properties into the nested shape of defaults. */
function unflatten(properties: readonly Json[]): Json {
  const flat: Record<string, unknown> = {};
  const custom: Record<string, unknown> = {};
  for (const { id, value } of properties) {
    const name = String(id);
    if (name.startsWith('custom.')) custom[name.slice(7)] = value;
    else flat[name] = value;
  }
  return { ...flat, custom };
}
