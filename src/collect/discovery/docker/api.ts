// The Docker API as discovery uses it, for containers and for swarms: lists as JSON over TCP or a Unix socket.

import { integer, list, object, optional, type Schema, string, withDefault } from '#base/config/schema.ts';
import { OperatingError } from '#base/errors.ts';
import { createHttpClient, type HttpClient } from '#clients/http/client.ts';
import type { HttpClientConfig } from '#clients/http/config.ts';
import type { DiscoveryContext } from '../provider.ts';

export type Filter = { readonly name: string; readonly values: readonly string[] };
export const filters: Schema<readonly Filter[]> = list(object({ name: string(), values: list(string()) }));
export const hostField = optional(string());
export const portField = withDefault(integer(0, 65_535), 80);

/** Undefined when the host is well written. */
export function hostProblem(host: string | undefined): string | undefined {
  if (!host) return 'host missing';
  return /^(unix|tcp|http|https):\/\/.+/.test(host) ? undefined : `unable to parse docker host ${JSON.stringify(host)}`;
}

export type DockerApi = {
  readonly get: (path: string, chosen?: readonly Filter[]) => Promise<unknown>;
  readonly close: () => void;
};

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export function dockerApi(
  host: string,
  http: HttpClientConfig,
  timeoutMs: number,
  context: DiscoveryContext,
): DockerApi {
  const client: HttpClient = createHttpClient(http, context);
  const socketPath = /^unix:\/\/(.+)$/.exec(host)?.[1];
  const scheme = http.tls ? 'https:' : 'http:';
  const base = socketPath ? 'http://localhost' : host.replace(/^tcp:/, scheme).replace(/\/$/, '');
  return {
    close: () => client.close(),
    async get(path, chosen = []) {
      const wanted = Object.fromEntries(chosen.map(({ name, values }) => [name, values]));
      const query = chosen.length > 0 ? `?filters=${encodeURIComponent(JSON.stringify(wanted))}` : '';
      const reply = await client.call({
        url: `${base}${path}${query}`,
        timeoutMs,
        maxBodyBytes: MAX_ANSWER_BYTES,
        ...(socketPath ? { socketPath } : {}),
      });
      const text = reply.body.toString('utf8');
      if (reply.status !== 200) {
        throw new OperatingError('docker', `${path}: server returned ${reply.status}: ${text.slice(0, 300)}`);
      }
      return JSON.parse(text) as unknown;
    },
  };
}

export type LabelSet = Record<string, string>;

export const sanitized = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, '_');

export function joinHostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `prefix` + each name, made a label name. */
export function prefixed(prefix: string, values: Readonly<Record<string, string>> | null | undefined): LabelSet {
  return Object.fromEntries(Object.entries(values ?? {}).map(([name, value]) => [prefix + sanitized(name), value]));
}

type Network = {
  readonly Id: string;
  readonly Name: string;
  readonly Scope?: string;
  readonly Internal?: boolean;
  readonly Ingress?: boolean;
  readonly Labels?: Readonly<Record<string, string>> | null;
};

/** Labels of every network, by its id. */
export async function networkLabels(api: DockerApi, prefix: string): Promise<Map<string, LabelSet>> {
  const networks = (await api.get('/networks')) as readonly Network[];
  return new Map(
    networks.map((network) => [
      network.Id,
      {
        [`${prefix}network_id`]: network.Id,
        [`${prefix}network_name`]: network.Name,
        [`${prefix}network_scope`]: network.Scope ?? '',
        [`${prefix}network_internal`]: String(network.Internal ?? false),
        [`${prefix}network_ingress`]: String(network.Ingress ?? false),
        ...prefixed(`${prefix}network_label_`, network.Labels),
      },
    ]),
  );
}
