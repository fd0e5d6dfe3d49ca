// Prints metric families as exposition text: Prometheus' text format and OpenMetrics. The program's own /metrics page,
// the push gateway and federation print through here; `render` also knows the protobuf form.

import type { MetricType } from '#model/batch.ts';
import type { FamilySample, MetricFamily, WrittenFamily } from '#model/family.ts';
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

export function renderAs(families: readonly WrittenFamily[], choice: Negotiated): string | Uint8Array {
  switch (choice.format) {
    case 'text':
      return writeText(families, choice.escaping);
    case 'openmetrics':
      return writeOpenMetrics(families, choice.escaping);
    case 'protobuf':
      return writeProtobuf(families, choice.escaping);
  }
}

/** As `render`, for pages that may be large: written piece by piece as it is asked for, whatever comes of the families meanwhile. */
export function renderPieces(
  families: readonly WrittenFamily[],
  accept: string | undefined,
): { readonly contentType: string; readonly pieces: Iterable<string | Uint8Array> } {
  const choice = negotiate(accept);
  const { contentType, escaping } = choice;
  switch (choice.format) {
    case 'text':
      return { contentType, pieces: inPieces(textLines(families, escaping)) };
    case 'openmetrics':
      return { contentType, pieces: inPieces(openMetricsLines(families, escaping)) };
    case 'protobuf':
      return { contentType, pieces: protobufPieces(families, escaping) };
  }
}

const PIECE_CHARACTERS = 64 * 1024;

function* inPieces(lines: Iterable<string>): Generator<string> {
  let piece: string[] = [];
  let length = 0;
  for (const line of lines) {
    piece.push(line);
    length += line.length;
    if (length < PIECE_CHARACTERS) continue;
    yield piece.join('');
    piece = [];
    length = 0;
  }
  if (piece.length > 0) yield piece.join('');
}

function* protobufPieces(families: readonly WrittenFamily[], escaping: EscapingScheme): Generator<Uint8Array> {
  for (const family of families) yield writeProtobuf([family], escaping);
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

export const writeText = (families: readonly WrittenFamily[], escaping: EscapingScheme = 'allow-utf-8'): string =>
  [...inPieces(textLines(families, escaping))].join('');

function* textLines(families: readonly WrittenFamily[], escaping: EscapingScheme): Generator<string> {
  for (const family of families) {
    const name = escapeName(family.name, escaping, ':');
    const shown = isLegacyMetricName(name) ? name : quoted(name);
    if (family.help !== '') yield `# HELP ${shown} ${family.help.replace(/[\\\n]/g, escapeHelp)}\n`;
    yield `# TYPE ${shown} ${TEXT_TYPES[family.type]}\n`;
    for (const sample of family.samples) {
      if (sample.histogram) continue;
      const time = sample.timestamp === undefined ? '' : ` ${sample.timestamp}`;
      yield `${seriesText(name + sample.suffix, sample.labels, escaping)} ${formatFloat(sample.value)}${time}\n`;
    }
  }
}

export const writeOpenMetrics = (
  families: readonly WrittenFamily[],
  escaping: EscapingScheme = 'allow-utf-8',
): string => [...inPieces(openMetricsLines(families, escaping))].join('');

function* openMetricsLines(families: readonly WrittenFamily[], escaping: EscapingScheme): Generator<string> {
  for (const family of families) {
    const isCounter = family.type === 'counter';
    const base = isCounter && family.name.endsWith('_total') ? family.name.slice(0, -6) : family.name;
    const name = escapeName(base, escaping, ':');
    const shown = isLegacyMetricName(name) ? name : quoted(name);
    if (family.help !== '') yield `# HELP ${shown} ${family.help.replace(/[\\\n"]/g, escapeValue)}\n`;
    yield `# TYPE ${shown} ${family.type}\n`;
    if (family.unit && name.endsWith(`_${family.unit}`)) yield `# UNIT ${shown} ${family.unit}\n`;
    for (const sample of family.samples) {
      if (sample.histogram) continue;
      const suffix = isCounter && (sample.suffix === '' || sample.suffix === '_total') ? '_total' : sample.suffix;
      yield openMetricsLine(name + suffix, sample, escaping);
    }
  }
  yield '# EOF\n';
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
