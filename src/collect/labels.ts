// From a discovered target to the one that is scraped: job defaults are filled in, target relabeling runs, what remains is
// checked and becomes URL, interval and labels. Pure functions; the same ones explain a target step by step.

import { createHash } from 'node:crypto';
import { formatDuration, parseDuration } from '#base/units.ts';
import { keepLabels, type Labels, labelsFrom, labelsKey, labelValue, withLabel } from '#model/labels.ts';
import { addressProblem, type ScrapeJob } from './config.ts';
import type { Relabel } from './relabel/relabel.ts';
import type { TargetSpec } from './scrape/spec.ts';

type LabelSet = Readonly<Record<string, string>>;

export type Populated =
  | { readonly kind: 'target'; readonly labels: Labels }
  | { readonly kind: 'dropped' }
  | { readonly kind: 'invalid'; readonly reason: string };

/** Labels before relabeling: the target's own, its group's, then what the job says. */
export function discoveredLabels(job: ScrapeJob, target: LabelSet, group: LabelSet): Labels {
  const labels = new Map<string, string>();
  const fill = (name: string, value: string) => {
    if (!labels.get(name)) labels.set(name, value);
  };
  for (const [name, value] of Object.entries(target)) labels.set(name, value);
  for (const [name, value] of Object.entries(group)) if (!Object.hasOwn(target, name)) labels.set(name, value);
  fill('job', job.spec.name);
  fill('__scrape_interval__', formatDuration(job.intervalMs));
  fill('__scrape_timeout__', formatDuration(job.timeoutMs));
  fill('__metrics_path__', job.metricsPath);
  fill('__scheme__', job.scheme);
  fill('__convert_classic_histograms_to_nhcb__', String(job.convertClassicHistograms));
  fill('__always_scrape_classic_histograms__', String(job.alwaysClassicHistograms));
  fill('__scrape_native_histograms__', String(job.nativeHistograms));
  for (const [name, values] of Object.entries(job.params))
    if (values[0] !== undefined) fill(`__param_${name}`, values[0]);
  return labelsFrom(labels);
}

export function populateLabels(discovered: Labels, relabel: Relabel): Populated {
  const labels = relabel(discovered);
  if (labels === undefined) return { kind: 'dropped' };
  const reason = problemOf(labels);
  if (reason !== undefined) return { kind: 'invalid', reason };
  const kept = keepLabels(labels, (name) => !name.startsWith('__meta_'));
  const instance = labelValue(kept, 'instance') || labelValue(kept, '__address__');
  return { kind: 'target', labels: withLabel(kept, 'instance', instance) };
}

function problemOf(labels: Labels): string | undefined {
  const address = labelValue(labels, '__address__');
  if (address === '' && labelValue(labels, '__unix_socket__') === '') return 'no address';
  if (address.includes('/')) return addressProblem(address);
  const interval = labelValue(labels, '__scrape_interval__');
  const timeout = labelValue(labels, '__scrape_timeout__');
  const intervalMs = parseDuration(interval);
  const timeoutMs = parseDuration(timeout);
  if (intervalMs === undefined)
    return `error parsing scrape interval: not a valid duration string: ${JSON.stringify(interval)}`;
  if (intervalMs === 0) return 'scrape interval cannot be 0';
  if (timeoutMs === undefined)
    return `error parsing scrape timeout: not a valid duration string: ${JSON.stringify(timeout)}`;
  if (timeoutMs === 0) return 'scrape timeout cannot be 0';
  if (timeoutMs > intervalMs) {
    return `scrape timeout cannot be greater than scrape interval (${JSON.stringify(timeout)} > ${JSON.stringify(interval)})`;
  }
  for (const [name, what] of BOOLEANS) {
    const value = labelValue(labels, name);
    if (value !== '' && goBoolean(value) === undefined) {
      return `error parsing ${what}: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
    }
  }
  return undefined;
}

const BOOLEANS: readonly (readonly [string, string])[] = [
  ['__convert_classic_histograms_to_nhcb__', 'convert classic histograms to nhcb'],
  ['__always_scrape_classic_histograms__', 'always scrape classic histograms'],
  ['__scrape_native_histograms__', 'scrape native histograms'],
];

function goBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

/** Labels that every sample of the target gets. */
export const publicLabels = (labels: Labels): Labels => keepLabels(labels, (name) => !name.startsWith('__'));

export function targetUrl(job: ScrapeJob, labels: Labels): string {
  const params = new Map<string, string[]>(Object.entries(job.params).map(([name, values]) => [name, [...values]]));
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    if (!name.startsWith('__param_')) continue;
    const values = params.get(name.slice(8)) ?? [];
    values[0] = labels[i + 1]!;
    params.set(name.slice(8), values);
  }
  const pairs = [...params.keys()]
    .sort()
    .flatMap((name) => params.get(name)!.map((value) => `${queryEscape(name)}=${queryEscape(value)}`));
  const path = labelValue(labels, '__metrics_path__');
  const host = labelValue(labels, '__address__') || 'localhost';
  const rooted = path === '' || path.startsWith('/') ? path : `/${path}`;
  const query = pairs.length > 0 ? `?${pairs.join('&')}` : '';
  return `${labelValue(labels, '__scheme__')}://${host}${pathEscape(rooted)}${query}`;
}

const queryEscape = (text: string) => new URLSearchParams([['', text]]).toString().slice(1).replace(/\*/g, '%2A');
const pathEscape = (path: string) =>
  path.replace(/[\s"#%<>?\\^`{|}\x00-\x1f\x7f-\uffff]+/g, (part) => encodeURIComponent(part));

export function targetSpec(job: ScrapeJob, labels: Labels, forcedError: string | undefined): TargetSpec {
  const url = targetUrl(job, labels);
  const digest = createHash('md5')
    .update(`${labelsKey(labels)}\xff${url}`)
    .digest();
  const flag = (name: string, fallback: boolean) => goBoolean(labelValue(labels, name)) ?? fallback;
  const socketPath = labelValue(labels, '__unix_socket__');
  return {
    id: digest.toString('base64url', 0, 12),
    url,
    labels: publicLabels(labels),
    intervalMs: parseDuration(labelValue(labels, '__scrape_interval__')) ?? job.intervalMs,
    timeoutMs: parseDuration(labelValue(labels, '__scrape_timeout__')) ?? job.timeoutMs,
    phase: digest.readUInt32BE(12) / 2 ** 32,
    socketPath: socketPath === '' ? undefined : socketPath,
    nativeHistograms: flag('__scrape_native_histograms__', job.nativeHistograms),
    alwaysClassicHistograms: flag('__always_scrape_classic_histograms__', job.alwaysClassicHistograms),
    convertClassicHistograms: flag('__convert_classic_histograms_to_nhcb__', job.convertClassicHistograms),
    forcedError,
  };
}
