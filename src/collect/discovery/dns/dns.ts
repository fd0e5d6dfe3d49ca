// Targets from DNS records: SRV with their own ports, A, AAAA, MX and NS with a configured one. A name that does not exist
// has no targets; a server that fails leaves them as they were.

import { Resolver } from 'node:dns/promises';
import { duration, integer, list, map, object, string, withDefault } from '#base/config/schema.ts';
import { errorCode, errorText } from '#base/errors.ts';
import type { TargetGroup } from '#model/target.ts';
import { type DiscoveryContext, provider } from '../provider.ts';
import { refreshing } from '../refresh.ts';

const TYPES = ['SRV', 'A', 'AAAA', 'MX', 'NS'] as const;
type RecordType = (typeof TYPES)[number];

export type DnsConfig = {
  readonly names: readonly string[];
  readonly type: RecordType;
  readonly port: number;
  readonly refreshIntervalMs: number;
};

/** What a resolver must do; tests bring one that asks their own server. */
export type Lookup = Pick<Resolver, 'resolve4' | 'resolve6' | 'resolveSrv' | 'resolveMx' | 'resolveNs'>;

export const dnsProvider = provider<DnsConfig>({
  key: 'dns_sd_configs',
  schema: () =>
    map(
      object(
        {
          names: list(string()),
          type: withDefault(string(), 'SRV'),
          port: withDefault(integer(0, 65_535), 0),
          refresh_interval: withDefault(duration(), 30_000),
        },
        (value, report) => {
          if (value.names.length === 0) {
            report('names', 'DNS-SD config must contain at least one SRV record name');
          }
          const type = TYPES.find((known) => known === value.type.toUpperCase());
          if (!type) report('type', `invalid DNS-SD records type ${value.type}`);
          else if (type !== 'SRV' && value.port === 0) {
            report('port', 'a port is required in DNS-SD configs for all record types except SRV');
          }
        },
      ),
      (value) => ({
        names: value.names,
        type: value.type.toUpperCase() as RecordType,
        port: value.port,
        refreshIntervalMs: value.refresh_interval,
      }),
    ),
  create: (config, context) => createDnsDiscoverer(config, context, new Resolver()),
});

export function createDnsDiscoverer(config: DnsConfig, context: DiscoveryContext, lookup: Lookup) {
  const { metrics, log } = context;
  const known = new Map<string, TargetGroup>();
  return refreshing(
    {
      mechanism: 'dns',
      intervalMs: config.refreshIntervalMs,
      async refresh() {
        await Promise.all(
          config.names.map(async (name) => {
            metrics.dnsLookups.add();
            try {
              known.set(name, { source: name, targets: await resolve(name, config, lookup), labels: {} });
            } catch (error) {
              metrics.dnsFailures.add();
              log.error('Error refreshing DNS targets', { name, err: errorText(error) });
            }
          }),
        );
        return [...known.values()];
      },
    },
    context,
  );
}

async function resolve(name: string, config: DnsConfig, lookup: Lookup): Promise<Record<string, string>[]> {
  const { port, type } = config;
  const target = (host: string, at: number, labels: Record<string, string> = {}) => {
    const bare = host.replace(/\.+$/, '');
    return {
      __address__: `${bare.includes(':') ? `[${bare}]` : bare}:${at}`,
      __meta_dns_name: name,
      __meta_dns_srv_record_target: '',
      __meta_dns_srv_record_port: '',
      __meta_dns_mx_record_target: '',
      __meta_dns_ns_record_target: '',
      ...labels,
    };
  };
  try {
    switch (type) {
      case 'A':
        return (await lookup.resolve4(name)).map((host) => target(host, port));
      case 'AAAA':
        return (await lookup.resolve6(name)).map((host) => target(host, port));
      case 'MX':
        return (await lookup.resolveMx(name)).map(({ exchange }) =>
          target(exchange, port, { __meta_dns_mx_record_target: rooted(exchange) }),
        );
      case 'NS':
        return (await lookup.resolveNs(name)).map((host) =>
          target(host, port, { __meta_dns_ns_record_target: rooted(host) }),
        );
      case 'SRV':
        return (await lookup.resolveSrv(name)).map((record) =>
          target(record.name, record.port, {
            __meta_dns_srv_record_target: rooted(record.name),
            __meta_dns_srv_record_port: String(record.port),
          }),
        );
    }
  } catch (error) {
    const code = errorCode(error);
    // The name, or records of this type, do not exist: a good answer.
    if (code === 'ENOTFOUND' || code === 'ENODATA') return [];
    throw error;
  }
}

/** DNS itself writes names with a final dot; Node takes it off. */
const rooted = (host: string) => (host.endsWith('.') ? host : `${host}.`);
