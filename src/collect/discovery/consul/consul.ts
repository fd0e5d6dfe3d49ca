// Targets from Consul's catalog. Blocking queries wait until something changes: one for the list of services, unless they are
// all named, and one for each service that is watched.

import { sleep } from '#base/clock.ts';
import {
  boolean,
  duration,
  list,
  map,
  object,
  optional,
  record,
  secret,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { errorText, OperatingError } from '#base/errors.ts';
import { createHttpClient, type HttpClient } from '#clients/http/client.ts';
import { checkHttpClient, type HttpClientConfig, httpClientFields, httpClientFrom } from '#clients/http/config.ts';
import type { Discoverer, TargetGroup } from '#model/target.ts';
import { type DiscoveryContext, provider } from '../provider.ts';
import { emptyGroup } from '../refresh.ts';

export type ConsulConfig = {
  readonly server: string;
  readonly token: string;
  readonly datacenter: string;
  readonly namespace: string;
  readonly partition: string;
  readonly tagSeparator: string;
  readonly allowStale: boolean;
  readonly refreshIntervalMs: number;
  readonly services: readonly string[];
  readonly tags: readonly string[];
  readonly nodeMeta: Readonly<Record<string, string>>;
  readonly filter: string;
  readonly healthFilter: string;
  readonly http: HttpClientConfig;
};

/** How long the server holds a query that has nothing new. */
const WAIT_MS = 120_000;
const CALL_TIMEOUT_MS = WAIT_MS + 15_000;
const RETRY_MS = 15_000;
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
const META = '__meta_consul_';

const text = () => withDefault(string(), '');

export const consulProvider = provider<ConsulConfig>({
  key: 'consul_sd_configs',
  schema: (resolve) =>
    map(
      object(
        {
          ...httpClientFields,
          server: withDefault(string(), 'localhost:8500'),
          path_prefix: text(),
          token: withDefault(secret(), ''),
          datacenter: text(),
          namespace: text(),
          partition: text(),
          tag_separator: withDefault(string(), ','),
          scheme: withDefault(string(), 'http'),
          username: optional(string()),
          password: optional(secret()),
          allow_stale: withDefault(boolean(), true),
          refresh_interval: withDefault(duration(), 30_000),
          services: list(string()),
          tags: list(string()),
          node_meta: record(string()),
          filter: text(),
          health_filter: text(),
        },
        (value, report) => {
          checkHttpClient(value, report);
          if (value.server.trim() === '') report('server', 'consul SD configuration requires a server address');
          if ((value.username || value.password) && value.basic_auth) {
            report(
              'username',
              'at most one of consul SD configuration username and password and basic auth can be configured',
            );
          }
          if (value.token && (value.authorization || value.oauth2)) {
            report('token', 'at most one of consul SD token, authorization, or oauth2 can be configured');
          }
        },
      ),
      (value) => {
        const http = httpClientFrom(value, resolve);
        const base = value.server.includes('://') ? value.server : `${value.scheme}://${value.server}`;
        const prefix = value.path_prefix.replace(/^\/|\/$/g, '');
        return {
          server: prefix ? `${base}/${prefix}` : base,
          token: value.token,
          datacenter: value.datacenter,
          namespace: value.namespace,
          partition: value.partition,
          tagSeparator: value.tag_separator,
          allowStale: value.allow_stale,
          refreshIntervalMs: value.refresh_interval,
          services: value.services,
          tags: value.tags,
          nodeMeta: value.node_meta,
          filter: value.filter,
          healthFilter: value.health_filter,
          http:
            value.username || value.password
              ? {
                  ...http,
                  basicAuth: { username: { text: value.username ?? '' }, password: { text: value.password ?? '' } },
                }
              : http,
        };
      },
    ),
  create: (config, context) => new ConsulDiscoverer(config, context),
});

type Update = (groups: readonly TargetGroup[]) => void;

type HealthEntry = {
  readonly Node: {
    readonly Node: string;
    readonly Address: string;
    readonly Meta?: Readonly<Record<string, string>> | null;
    readonly TaggedAddresses?: Readonly<Record<string, string>> | null;
  };
  readonly Service: {
    readonly ID: string;
    readonly Address: string;
    readonly Port: number;
    readonly Tags?: readonly string[] | null;
    readonly Meta?: Readonly<Record<string, string>> | null;
    readonly Namespace?: string;
    readonly Partition?: string;
  };
  readonly Checks: readonly { readonly CheckID: string; readonly Status: string }[];
};

class ConsulDiscoverer implements Discoverer {
  readonly #config: ConsulConfig;
  readonly #context: DiscoveryContext;
  readonly #client: HttpClient;
  #datacenter: string;

  constructor(config: ConsulConfig, context: DiscoveryContext) {
    this.#config = config;
    this.#context = context;
    this.#client = createHttpClient(config.http, context);
    this.#datacenter = config.datacenter;
  }

  async run(update: Update, signal: AbortSignal): Promise<void> {
    const { services, tags, filter } = this.#config;
    await this.#findDatacenter(signal);
    if (services.length === 0 || tags.length > 0 || filter !== '') await this.#watchCatalog(update, signal);
    else await Promise.all(services.map((name) => this.#watchService(name, update, signal)));
    this.#client.close();
  }

  async #findDatacenter(signal: AbortSignal): Promise<void> {
    while (this.#datacenter === '' && !signal.aborted) {
      await this.#attempt(signal, 'retrieving datacenter name', async () => {
        const { body } = await this.#query('agent', 'self', '/v1/agent/self', {}, signal);
        const name = (body as { Config?: { Datacenter?: unknown } }).Config?.Datacenter;
        if (typeof name !== 'string') throw new OperatingError('consul', 'the agent does not tell its datacenter');
        this.#datacenter = name;
      });
    }
  }

  async #watchCatalog(update: Update, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    const { refreshIntervalMs, services: wanted, tags } = this.#config;
    const watched = new Map<string, AbortController>();
    const runs = new Set<Promise<void>>();
    let index = 0;
    while (!signal.aborted) {
      const started = clock.monotonic();
      await this.#attempt(signal, 'refreshing service list', async () => {
        const parameters = this.#parameters(index, this.#config.filter);
        const answer = await this.#query('catalog', 'services', '/v1/catalog/services', parameters, signal);
        if (answer.index === index) return;
        index = nextIndex(index, answer.index);
        const services = answer.body as Record<string, readonly string[]>;
        for (const [name, has] of Object.entries(services)) {
          const isWanted = (wanted.length === 0 || wanted.includes(name)) && tags.every((tag) => has.includes(tag));
          if (!isWanted || watched.has(name)) continue;
          const controller = new AbortController();
          watched.set(name, controller);
          const run = this.#watchService(name, update, AbortSignal.any([signal, controller.signal]));
          runs.add(run);
          run.finally(() => runs.delete(run));
        }
        for (const [name, controller] of watched) {
          if (Object.hasOwn(services, name)) continue;
          controller.abort();
          watched.delete(name);
          update([emptyGroup(name)]);
        }
        if (watched.size === 0) update([]);
      });
      await this.#pause(started, refreshIntervalMs, signal);
    }
    await Promise.all(runs);
  }

  async #watchService(name: string, update: Update, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    let index = 0;
    while (!signal.aborted) {
      const started = clock.monotonic();
      await this.#attempt(signal, `refreshing service ${name}`, async () => {
        const parameters = this.#parameters(index, this.#config.healthFilter);
        for (const tag of this.#config.tags) parameters.append('tag', tag);
        const path = `/v1/health/service/${encodeURIComponent(name)}`;
        const answer = await this.#query('health', 'service', path, parameters, signal);
        if (answer.index === index) return;
        index = nextIndex(index, answer.index);
        const targets = (answer.body as readonly HealthEntry[]).map((entry) => this.#target(entry));
        const labels = { [`${META}service`]: name, [`${META}dc`]: this.#datacenter };
        update([{ source: name, targets, labels }]);
      });
      await this.#pause(started, this.#config.refreshIntervalMs, signal);
    }
  }

  #target({ Node: node, Service: service, Checks: checks }: HealthEntry): Record<string, string> {
    const separator = this.#config.tagSeparator;
    const host = service.Address || node.Address;
    const labels: Record<string, string> = {
      __address__: host.includes(':') ? `[${host}]:${service.Port}` : `${host}:${service.Port}`,
      [`${META}address`]: node.Address,
      [`${META}node`]: node.Node,
      [`${META}namespace`]: service.Namespace ?? '',
      [`${META}partition`]: service.Partition ?? '',
      // Surrounded by the separator, so that an expression for one tag need not care where it stands.
      [`${META}tags`]: separator + (service.Tags ?? []).join(separator) + separator,
      [`${META}service_address`]: service.Address,
      [`${META}service_port`]: String(service.Port),
      [`${META}service_id`]: service.ID,
      [`${META}health`]: healthOf(checks),
    };
    const put = (prefix: string, values: Readonly<Record<string, string>> | null | undefined) => {
      for (const [name, value] of Object.entries(values ?? {})) {
        labels[META + prefix + name.replace(/[^a-zA-Z0-9_]/g, '_')] = value;
      }
    };
    put('metadata_', node.Meta);
    put('service_metadata_', service.Meta);
    put('tagged_address_', node.TaggedAddresses);
    return labels;
  }

  #parameters(index: number, filter: string): URLSearchParams {
    const parameters = new URLSearchParams({ index: String(index), wait: `${WAIT_MS}ms` });
    if (this.#config.allowStale) parameters.set('stale', '');
    for (const [name, value] of Object.entries(this.#config.nodeMeta))
      parameters.append('node-meta', `${name}:${value}`);
    if (filter !== '') parameters.set('filter', filter);
    return parameters;
  }

  async #query(
    endpoint: string,
    call: string,
    path: string,
    parameters: URLSearchParams | Record<string, string>,
    signal: AbortSignal,
  ): Promise<{ body: unknown; index: number }> {
    const { clock, metrics } = this.#context;
    const { server, token, datacenter, namespace, partition } = this.#config;
    const query = new URLSearchParams(parameters);
    if (datacenter) query.set('dc', datacenter);
    if (namespace) query.set('ns', namespace);
    if (partition) query.set('partition', partition);
    const started = clock.monotonic();
    const reply = await this.#client.call({
      url: `${server}${path}?${query}`,
      headers: { accept: 'application/json', ...(token ? { 'x-consul-token': token } : {}) },
      timeoutMs: CALL_TIMEOUT_MS,
      maxBodyBytes: MAX_ANSWER_BYTES,
      signal,
    });
    metrics.consulDuration.with(endpoint, call).observe((clock.monotonic() - started) / 1000);
    const answer = reply.body.toString('utf8');
    if (reply.status !== 200) {
      throw new OperatingError('consul', `Unexpected response code: ${reply.status} (${answer.slice(0, 300)})`);
    }
    return { body: JSON.parse(answer), index: Number(reply.headers.get('x-consul-index') ?? 0) };
  }

  async #attempt(signal: AbortSignal, what: string, work: () => Promise<void>): Promise<void> {
    const { clock, log, metrics } = this.#context;
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return;
      metrics.consulFailures.add();
      log.error(`Error ${what}`, { err: errorText(error) });
      await sleep(clock, RETRY_MS, signal).catch(() => {});
    }
  }

  /** Queries are at least the refresh interval apart. */
  async #pause(started: number, intervalMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    const left = started + intervalMs - clock.monotonic();
    if (left > 0) await sleep(clock, left, signal).catch(() => {});
  }
}

/** An index that goes backwards means that the server started anew. */
const nextIndex = (before: number, now: number) => (now < before ? 0 : now);

function healthOf(checks: HealthEntry['Checks']): string {
  const isMaintenance = checks.some(
    ({ CheckID }) => CheckID === '_node_maintenance' || CheckID.startsWith('_service_maintenance:'),
  );
  if (isMaintenance) return 'maintenance';
  for (const status of ['critical', 'warning']) if (checks.some((check) => check.Status === status)) return status;
  return 'passing';
}
