// What gmond tells to whoever connects: an XML document of clusters, hosts and metrics. The scanner reads tags and
// attributes, which is all there is in it.

import { OperatingError } from '#base/errors.ts';

export type GangliaMetric = {
  readonly cluster: string;
  readonly host: string;
  readonly ip: string;
  readonly name: string;
  readonly value: number;
  readonly units: string;
  readonly group: string;
  /** 'zero' never changes, 'positive' is a counter. */
  readonly slope: string;
  readonly title: string;
};

const bad = (cause: string) => new OperatingError('ganglia_xml', `cannot decode gmond's XML: ${cause}`);

const NUMERIC = new Set(['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'float', 'double', 'timestamp']);
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

type Tag = { readonly name: string; readonly attributes: ReadonlyMap<string, string> };

/** Numeric metrics of hosts that report; hosts and metrics that have been silent too long are left out. */
export function decodeGanglia(xml: string): GangliaMetric[] {
  const metrics: GangliaMetric[] = [];
  let seenRoot = false;
  let closed = false;
  let cluster = '';
  let host: Tag | undefined;
  let metric: Tag | undefined;
  let extra = new Map<string, string>();
  const finish = () => {
    const made = metric && host && makeMetric(cluster, host, metric, extra);
    if (made) metrics.push(made);
    metric = undefined;
    extra = new Map();
  };
  for (const { tag, kind } of scan(xml)) {
    if (kind === 'close') {
      if (tag.name === 'METRIC') finish();
      if (tag.name === 'HOST') host = undefined;
      if (tag.name === 'GANGLIA_XML') closed = true;
      continue;
    }
    if (tag.name === 'GANGLIA_XML') seenRoot = true;
    else if (tag.name === 'CLUSTER') cluster = tag.attributes.get('NAME') ?? '';
    else if (tag.name === 'HOST') host = tag;
    else if (tag.name === 'METRIC') {
      metric = tag;
      if (kind === 'empty') finish();
    } else if (tag.name === 'EXTRA_ELEMENT') {
      extra.set(tag.attributes.get('NAME') ?? '', tag.attributes.get('VAL') ?? '');
    }
  }
  if (!seenRoot) throw bad('there is no GANGLIA_XML in it');
  if (!closed) throw bad('it is cut off');
  return metrics;
}

function makeMetric(
  cluster: string,
  host: Tag,
  metric: Tag,
  extra: ReadonlyMap<string, string>,
): GangliaMetric | undefined {
  const number = (tag: Tag, name: string) => Number(tag.attributes.get(name) ?? 0);
  if (!NUMERIC.has(metric.attributes.get('TYPE') ?? '')) return undefined;
  const value = Number(metric.attributes.get('VAL'));
  if (Number.isNaN(value)) return undefined;
  // gmond itself calls a host down after four times its longest silence.
  if (number(host, 'TMAX') > 0 && number(host, 'TN') > 4 * number(host, 'TMAX')) return undefined;
  if (number(metric, 'DMAX') > 0 && number(metric, 'TN') > number(metric, 'DMAX')) return undefined;
  return {
    cluster,
    host: host.attributes.get('NAME') ?? '',
    ip: host.attributes.get('IP') ?? '',
    name: metric.attributes.get('NAME') ?? '',
    value,
    units: (metric.attributes.get('UNITS') ?? '').trim(),
    group: extra.get('GROUP') ?? '',
    slope: metric.attributes.get('SLOPE') ?? '',
    title: extra.get('DESC') ?? extra.get('TITLE') ?? '',
  };
}

/** Tags in the order of the document; declarations, comments and text are passed over. */
function* scan(xml: string): Iterable<{ tag: Tag; kind: 'open' | 'close' | 'empty' }> {
  for (let at = xml.indexOf('<'); at >= 0; at = xml.indexOf('<', at)) {
    if (xml.startsWith('<!--', at)) {
      const end = xml.indexOf('-->', at);
      if (end < 0) throw bad('a comment does not end');
      at = end + 3;
      continue;
    }
    if (xml[at + 1] === '!' || xml[at + 1] === '?') {
      at = declarationEnd(xml, at);
      continue;
    }
    const end = tagEnd(xml, at);
    const body = xml.slice(at + 1, end);
    at = end + 1;
    if (body.startsWith('/')) yield { tag: { name: body.slice(1).trim(), attributes: new Map() }, kind: 'close' };
    else {
      const isEmpty = body.endsWith('/');
      yield { tag: readTag(isEmpty ? body.slice(0, -1) : body), kind: isEmpty ? 'empty' : 'open' };
    }
  }
}

/** A document type may hold declarations of its own in brackets. */
function declarationEnd(xml: string, at: number): number {
  const close = xml.indexOf('>', at);
  const bracket = xml.indexOf('[', at);
  const end = bracket >= 0 && bracket < close ? xml.indexOf(']>', bracket) + 1 : close;
  if (end <= 0) throw bad('a declaration does not end');
  return end + 1;
}

function tagEnd(xml: string, at: number): number {
  let quote = '';
  for (let i = at + 1; i < xml.length; i++) {
    const char = xml[i]!;
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if (char === '"' || char === "'") quote = char;
    else if (char === '>') return i;
  }
  throw bad('it is cut off inside a tag');
}

function readTag(body: string): Tag {
  const name = /^[^\s/]+/.exec(body)?.[0] ?? '';
  const attributes = new Map<string, string>();
  for (const match of body.slice(name.length).matchAll(/([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    attributes.set(match[1]!, decode(match[2] ?? match[3] ?? ''));
  }
  return { name, attributes };
}

const decode = (text: string): string =>
  text.includes('&')
    ? text.replace(/&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(\w+));/g, (all, hex, decimal, name) => {
        const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
        if (hex || decimal) return code <= 0x10ffff ? String.fromCodePoint(code) : all;
        return ENTITIES[name] ?? all;
      })
    : text;
