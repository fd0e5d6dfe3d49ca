// Prints metric families as exposition text: Prometheus' text format and OpenMetrics. The program's own /metrics page,
// the push gateway and federation print through here; `render` also knows the protobuf form.

import type { MetricType } from '#model/batch.ts';
import type { FamilySample, MetricFamily } from '#model/family.ts';
import { isLegacyLabelName, isLegacyMetricName, type Labels } from '#model/labels.ts';
import { type EscapingScheme, escapeName, type Negotiated, negotiate } from './formats.ts';
import { formatFloat, formatOpenMetricsFloat } from './number.ts';
import { writeProtobuf } from './protobuf-write.ts';

export type RenderedPage = { readonly contentType: string; readonly body: string | Uint8Array };

/** The page for a client with this Accept header. */
export function render(families: readonly MetricFamily[], accept: string | undefined): RenderedPage {
  const choice = negotiate(accept);
  return { contentType: choice.contentType, body: renderAs(families, choice) };
}

export function renderAs(families: readonly MetricFamily[], choice: Negotiated): string | Uint8Array {
  switch (choice.format) {
    case 'text':
      return writeText(families, choice.escaping);
    case 'openmetrics':
      return writeOpenMetrics(families, choice.escaping);
    case 'protobuf':
      return writeProtobuf(families, choice.escaping);
  }
}

const TEXT_TYPES: Readonly<Record<MetricType, string>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  gaugehistogram: 'histogram',
  summary: 'summary',
  info: 'gauge',
  stateset: 'gauge',
  unknown: 'untyped',
};

export function writeText(families: readonly MetricFamily[], escaping: EscapingScheme = 'allow-utf-8'): string {
  let page = '';
  for (const family of families) {
    const out: string[] = [];
    const name = escapeName(family.name, escaping, ':');
    const shown = isLegacyMetricName(name) ? name : quoted(name);
    if (family.help !== '') out.push(`# HELP ${shown} ${family.help.replace(/[\\\n]/g, escapeHelp)}\n`);
    out.push(`# TYPE ${shown} ${TEXT_TYPES[family.type]}\n`);
    for (const sample of family.samples) {
      if (sample.histogram) continue;
      const time = sample.timestamp === undefined ? '' : ` ${sample.timestamp}`;
      out.push(`${seriesText(name + sample.suffix, sample.labels, escaping)} ${formatFloat(sample.value)}${time}\n`);
    }
    page += out.join('');
  }
  return page;
}

export function writeOpenMetrics(families: readonly MetricFamily[], escaping: EscapingScheme = 'allow-utf-8'): string {
  const out: string[] = [];
  for (const family of families) {
    const isCounter = family.type === 'counter';
    const base = isCounter && family.name.endsWith('_total') ? family.name.slice(0, -6) : family.name;
    const name = escapeName(base, escaping, ':');
    const shown = isLegacyMetricName(name) ? name : quoted(name);
    if (family.help !== '') out.push(`# HELP ${shown} ${family.help.replace(/[\\\n"]/g, escapeValue)}\n`);
    out.push(`# TYPE ${shown} ${family.type}\n`);
    if (family.unit && name.endsWith(`_${family.unit}`)) out.push(`# UNIT ${shown} ${family.unit}\n`);
    for (const sample of family.samples) {
      if (sample.histogram) continue;
      const suffix = isCounter && (sample.suffix === '' || sample.suffix === '_total') ? '_total' : sample.suffix;
      out.push(openMetricsLine(name + suffix, sample, escaping));
    }
  }
  out.push('# EOF\n');
  return out.join('');
}

function openMetricsLine(name: string, sample: FamilySample, escaping: EscapingScheme): string {
  const time = sample.timestamp === undefined ? '' : ` ${formatSeconds(sample.timestamp)}`;
  // le and quantile are floats there: "1.0", not "1".
  const labels = sample.labels.map((text, i) =>
    i % 2 === 1 && (sample.labels[i - 1] === 'le' || sample.labels[i - 1] === 'quantile') && isNumber(text)
      ? formatOpenMetricsFloat(Number(text))
      : text,
  );
  let exemplar = '';
  if (sample.exemplar) {
    const { labels: exemplarLabels, value, timestamp } = sample.exemplar;
    const inner = seriesText('', exemplarLabels, escaping) || '{}';
    exemplar = ` # ${inner} ${formatOpenMetricsFloat(value)}${timestamp ? ` ${formatSeconds(timestamp)}` : ''}`;
  }
  return `${seriesText(name, labels, escaping)} ${formatOpenMetricsFloat(sample.value)}${time}${exemplar}\n`;
}

const isNumber = (text: string) => /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text);

function formatSeconds(ms: number): string {
  const text = (ms / 1000).toFixed(3);
  return text.replace(/\.?0+$/, '') || '0';
}

function seriesText(name: string, labels: Labels, escaping: EscapingScheme): string {
  const parts: string[] = [];
  const isLegacy = name === '' || isLegacyMetricName(name);
  if (!isLegacy) parts.push(quoted(name));
  for (let i = 0; i < labels.length; i += 2) {
    const label = escapeName(labels[i]!, escaping, '');
    parts.push(`${isLegacyLabelName(label) ? label : quoted(label)}=${quoted(labels[i + 1]!)}`);
  }
  return `${isLegacy ? name : ''}${parts.length > 0 ? `{${parts.join(',')}}` : ''}`;
}

const escapeValue = (char: string) => (char === '\n' ? '\\n' : `\\${char}`);
const escapeHelp = (char: string) => (char === '\n' ? '\\n' : '\\\\');
const quoted = (text: string) => `"${text.replace(/[\\\n"]/g, escapeValue)}"`;
