// Targets over the API: what is scraped and how it goes, what relabeling dropped, metadata of metrics by target, and what
// each relabeling rule makes of a label set. Also the page of the configuration in force, secrets hidden.

import net from 'node:net';
import { publicLabels } from '#collect/labels.ts';
import { type RelabelRule, relabelSteps } from '#collect/relabel/relabel.ts';
import type { TargetStatus } from '#collect/scrape/spec.ts';
import type { ActiveTarget, Targets } from '#collect/targets.ts';
import { type Labels, labelsOf, labelsToRecord, labelValue } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import type { TargetFamily } from '#scale/shards/protocol.ts';
import { ApiError, type HttpRequest, type Route, success } from './http.ts';

export type TargetsOptions = {
  readonly targets: Targets;
  /** Gathered from all workers. */
  readonly statuses: () => Promise<readonly TargetStatus[]>;
  /** Metric families by job and target id, gathered from all workers. */
  readonly families: () => Promise<readonly TargetFamily[]>;
  /** Parses `metric{label="value"}`; throws a UserError. */
  readonly parseSelector: (text: string) => readonly Matcher[];
  /** The configuration as it was written, with secrets hidden. */
  readonly configText: () => string;
  /** The same of one job. */
  readonly jobText: (name: string) => string | undefined;
  /** Where this server is reached from outside, and the port it listens on: links to local targets are made to work. */
  readonly externalUrl: string;
  readonly listenPort: number;
};

const NEVER = '0001-01-01T00:00:00Z';

export function targetRoutes(options: TargetsOptions): Route[] {
  const get = (pattern: string, handler: (request: HttpRequest) => unknown): Route => ({
    methods: ['GET'],
    pattern: `/api/v1/${pattern}`,
    handler: async (request) => success(await handler(request)),
  });
  return [
    get('targets', (request) => listTargets(request, options)),
    get('scrape_pools', () => ({
      scrapePools: options.targets
        .jobs()
        .map((job) => job.spec.name)
        .sort(),
    })),
    get('scrape_pools/config', ({ query }) => {
      const pool = query.get('scrapePool') ?? '';
      if (pool === '') throw new ApiError('bad_data', 'no scrapePool parameter provided');
      const yaml = options.jobText(pool);
      if (yaml === undefined) throw noPool(pool);
      return { yaml };
    }),
    get('targets/metadata', (request) => listMetadata(request, options)),
    get('targets/relabel_steps', (request) => explainRelabeling(request, options)),
    get('status/config', () => ({ yaml: options.configText() })),
  ];
}

async function listTargets({ query }: HttpRequest, options: TargetsOptions): Promise<unknown> {
  const pool = query.get('scrapePool') ?? '';
  const state = (query.get('state') ?? '').toLowerCase();
  const isShown = (which: string) => state === '' || state === 'any' || state === which;
  const inPool = (job: { readonly spec: { readonly name: string } }) => pool === '' || job.spec.name === pool;
  const statuses = new Map((await options.statuses()).map((status) => [`${status.job}\xff${status.id}`, status]));
  const active = options.targets.active().filter((target) => inPool(target.job));
  const dropped = options.targets.dropped().filter((target) => inPool(target.job));
  return {
    activeTargets: isShown('active')
      ? sortedByPool(active).map((target) =>
          describeTarget(target, statuses.get(`${target.job.spec.name}\xff${target.spec.id}`), options),
        )
      : [],
    droppedTargets: isShown('dropped')
      ? sortedByPool(dropped).map(({ job, discovered }) => ({
          discoveredLabels: labelsToRecord(discovered),
          scrapePool: job.spec.name,
        }))
      : [],
    droppedTargetCounts: isShown('dropped') ? options.targets.droppedCounts() : null,
  };
}

function sortedByPool<T extends { readonly job: { readonly spec: { readonly name: string } } }>(
  targets: readonly T[],
): T[] {
  return [...targets].sort((a, b) =>
    a.job.spec.name < b.job.spec.name ? -1 : a.job.spec.name > b.job.spec.name ? 1 : 0,
  );
}

function describeTarget(target: ActiveTarget, status: TargetStatus | undefined, options: TargetsOptions): unknown {
  const { spec, labels } = target;
  return {
    discoveredLabels: labelsToRecord(target.discovered()),
    labels: labelsToRecord(publicLabels(labels)),
    scrapePool: target.job.spec.name,
    scrapeUrl: spec.url,
    globalUrl: globalUrl(spec.url, options),
    lastError: status?.lastError ?? '',
    lastScrape: status?.lastScrape ? new Date(status.lastScrape).toISOString() : NEVER,
    lastScrapeDuration: status?.lastDurationSeconds ?? 0,
    health: status?.health ?? 'unknown',
    scrapeInterval: labelValue(labels, '__scrape_interval__'),
    scrapeTimeout: labelValue(labels, '__scrape_timeout__'),
  };
}

/** A target on this host, as a browser elsewhere reaches it. */
export function globalUrl(url: string, options: Pick<TargetsOptions, 'externalUrl' | 'listenPort'>): string {
  if (!URL.canParse(url)) return url;
  const target = new URL(url);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const isLocal = host === 'localhost' || host === '::1' || (net.isIPv4(host) && host.startsWith('127.'));
  if (!isLocal) return url;
  const external = new URL(options.externalUrl);
  const port = target.port || (target.protocol === 'https:' ? '443' : '80');
  const rest = url.slice(url.indexOf(target.host) + target.host.length);
  if (port === String(options.listenPort)) return `${external.protocol}//${external.host}${rest}`;
  return `${target.protocol}//${external.hostname}${target.port ? `:${target.port}` : ''}${rest}`;
}

async function listMetadata({ query }: HttpRequest, options: TargetsOptions): Promise<unknown> {
  const limitText = query.get('limit') ?? '';
  if (limitText !== '' && !/^-?\d+$/.test(limitText)) throw new ApiError('bad_data', 'limit must be a number');
  const limit = limitText === '' ? -1 : Number(limitText);
  const selector = query.get('match_target') ?? '';
  const metric = query.get('metric') ?? '';
  const matches = selector === '' ? () => true : compileMatchers(parseSelector(selector, options));
  const labels = new Map<string, Labels>();
  for (const target of options.targets.active()) {
    const shown = publicLabels(target.labels);
    if (matches(shown)) labels.set(`${target.job.spec.name}\xff${target.spec.id}`, shown);
  }
  const result: unknown[] = [];
  for (const { job, target, family, metadata } of await options.families()) {
    if (limit >= 0 && result.length >= limit) break;
    const targetLabels = labels.get(`${job}\xff${target}`);
    if (!targetLabels || (metric !== '' && family !== metric)) continue;
    result.push({
      target: labelsToRecord(targetLabels),
      ...(metric === '' ? { metric: family } : {}),
      type: metadata.type,
      help: metadata.help,
      unit: metadata.unit,
    });
  }
  return result;
}

function parseSelector(text: string, options: TargetsOptions): readonly Matcher[] {
  try {
    return options.parseSelector(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ApiError('bad_data', `invalid parameter "match_target": ${reason}`, { cause: error });
  }
}

const noPool = (pool: string) =>
  new ApiError('bad_data', `error retrieving scrape config: scrape pool ${JSON.stringify(pool)} not found`);

function explainRelabeling({ query }: HttpRequest, options: TargetsOptions): unknown {
  const pool = query.get('scrapePool') ?? '';
  if (pool === '') throw new ApiError('bad_data', 'no scrapePool parameter provided');
  const text = query.get('labels') ?? '';
  if (text === '') throw new ApiError('bad_data', 'no labels parameter provided');
  const labels = labelsOf(parseLabels(text));
  const job = options.targets.jobs().find((known) => known.spec.name === pool);
  if (!job) throw noPool(pool);
  return {
    steps: relabelSteps(job.relabelRules, labels).map(({ rule, output, keep }) => ({
      rule: describeRule(rule),
      output: labelsToRecord(output),
      keep,
    })),
  };
}

function parseLabels(text: string): Record<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new ApiError('bad_data', `error parsing labels: ${error instanceof Error ? error.message : error}`);
  }
  const isRecord = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  if (!isRecord || Object.values(parsed as object).some((value) => typeof value !== 'string')) {
    throw new ApiError('bad_data', 'error parsing labels: expected an object of texts');
  }
  return parsed as Record<string, string>;
}

/** A rule as it is written in a configuration file. */
export function describeRule(rule: RelabelRule): Record<string, unknown> {
  return {
    ...(rule.sourceLabels.length > 0 ? { source_labels: rule.sourceLabels } : {}),
    separator: rule.separator,
    regex: rule.regex,
    ...(rule.modulus > 0 ? { modulus: rule.modulus } : {}),
    ...(rule.targetLabel !== '' ? { target_label: rule.targetLabel } : {}),
    replacement: rule.replacement,
    action: rule.action,
  };
}
