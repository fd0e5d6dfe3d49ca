// Everything the role `exporter` measures besides this host: the kinds of servers in one table, the configuration file, and one
// scrape over all of them. blackbox_exporter's file is a valid one: `modules` is its section.

import { duration, type Infer, list, object, oneOf, secret, string, withDefault } from '#base/config/schema.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { FamilySample, MetricFamily } from '#model/family.ts';
import { clickhouseKind } from './clickhouse/clickhouse.ts';
import { elasticsearchKind } from './elasticsearch/elasticsearch.ts';
import { haproxyKind } from './haproxy/haproxy.ts';
import { jolokiaKind } from './jolokia/jolokia.ts';
import { kafkaKind } from './kafka/kafka.ts';
import { mysqlKind } from './mysql/mysql.ts';
import { nginxKind } from './nginx/nginx.ts';
import { checkCollect } from './parts.ts';
import { postgresKind } from './postgres/postgres.ts';
import { modulesSchema } from './probe/modules.ts';
import { redisKind } from './redis/redis.ts';
import { type Source, type SourceEnvironment, type SourceKind, type SourceReader, scrapeSource } from './source.ts';
import { queriesSchema } from './sql/queries.ts';

export const SOURCE_KINDS = {
  clickhouse: clickhouseKind,
  elasticsearch: elasticsearchKind,
  haproxy: haproxyKind,
  jolokia: jolokiaKind,
  kafka: kafkaKind,
  mysql: mysqlKind,
  nginx: nginxKind,
  postgres: postgresKind,
  redis: redisKind,
} as const satisfies Record<string, SourceKind>;

type KindName = keyof typeof SOURCE_KINDS;
const KIND_NAMES = Object.keys(SOURCE_KINDS) as KindName[];

export const exporterSchema = object({
  sources: withDefault(
    list(
      object({
        name: string(),
        kind: oneOf(...KIND_NAMES),
        url: secret((url) => url.replace(/:[^:@/]*@/, ':<secret>@')),
        timeout: withDefault(duration(), 5000),
        collect: withDefault(list(string()), []),
      }),
    ),
    [],
  ),
  queries: withDefault(queriesSchema, []),
  modules: withDefault(modulesSchema, {}),
});
export type ExporterConfig = Infer<typeof exporterSchema>;
type SourceConfig = Omit<ExporterConfig['sources'][number], 'collect'> & { readonly collect?: readonly string[] };

type Running = { readonly source: Source; readonly kind: SourceKind; readonly reader: SourceReader };

export class Sources {
  readonly #environment: SourceEnvironment;
  readonly #running = new Map<string, Running>();

  constructor(sources: readonly SourceConfig[], environment: SourceEnvironment) {
    this.#environment = environment;
    for (const { name, kind, url, timeout, collect = [] } of sources) {
      if (this.#running.has(name)) throw new UserError(`two sources have the name ${name}`);
      if (!URL.canParse(url)) throw new UserError(`source ${name} has no valid URL`);
      const source: Source = { name, kind, url, timeoutMs: timeout, collect };
      const kindOf: SourceKind = SOURCE_KINDS[kind];
      checkCollect(name, collect, kindOf.optional ?? []);
      this.#running.set(name, { source, kind: kindOf, reader: kindOf.create(source, environment) });
    }
  }

  get names(): string[] {
    return [...this.#running.keys()];
  }

  /** The page of one source, as the exporter of its kind would serve it. */
  async one(name: string, signal: AbortSignal): Promise<MetricFamily[]> {
    const running = this.#running.get(name);
    if (!running) throw new UserError(`unknown source ${name}; there are: ${this.names.join(', ') || 'none'}`);
    return scrapeSource(running.source, running.kind.up, running.reader, this.#environment, signal);
  }

  /** All sources on one page, told apart by the label `source`. */
  async all(signal: AbortSignal): Promise<MetricFamily[]> {
    const pages = await Promise.all(
      [...this.#running].map(async ([name]) =>
        (await this.one(name, signal)).map((family) => withSource(family, name)),
      ),
    );
    const joined = new Map<string, { family: MetricFamily; samples: FamilySample[] }>();
    for (const family of pages.flat()) {
      const known = joined.get(family.name);
      if (known) known.samples.push(...family.samples);
      else joined.set(family.name, { family, samples: [...family.samples] });
    }
    return [...joined.values()].map(({ family, samples }) => ({ ...family, samples }));
  }

  async close(): Promise<void> {
    for (const { source, reader } of this.#running.values())
      await reader
        .close()
        .catch((error) => this.#environment.log.warn('cannot close', { source: source.name, err: errorText(error) }));
  }
}

function withSource(family: MetricFamily, name: string): MetricFamily {
  return {
    ...family,
    samples: family.samples.map((sample) => {
      if (sample.labels.includes('source')) return sample;
      const pairs: [string, string][] = [['source', name]];
      for (let i = 0; i < sample.labels.length; i += 2) pairs.push([sample.labels[i]!, sample.labels[i + 1]!]);
      return { ...sample, labels: pairs.sort((a, b) => (a[0] < b[0] ? -1 : 1)).flat() };
    }),
  };
}
