// Where the Kubernetes API is and who asks: an address with an HTTP configuration, a kubeconfig file, or the service account
// of the pod that the program runs in.

import path from 'node:path';
import { loadYaml } from '#base/config/load.ts';
import { anything } from '#base/config/schema.ts';
import type { Disk } from '#base/disk/disk.ts';
import { OperatingError } from '#base/errors.ts';
import type { ExecConfig } from '../cloud/config.ts';
import { DEFAULT_HTTP_CLIENT, type HttpClientConfig, type Secret, type TlsConfig } from '../http/config.ts';

export type KubernetesConnection = { readonly server: string; readonly http: HttpClientConfig };

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** From inside a pod. */
export function inClusterConnection(environment: Readonly<Record<string, string | undefined>>): KubernetesConnection {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'];
  if (!host || !port) {
    throw new OperatingError(
      'kubernetes',
      'unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined',
    );
  }
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    http: {
      ...DEFAULT_HTTP_CLIENT,
      authorization: { type: 'Bearer', credentials: { file: `${ACCOUNT}/token` } },
      tls: { caFile: `${ACCOUNT}/ca.crt`, insecureSkipVerify: false },
    },
  };
}

/** The namespace of the pod that the program runs in. */
export function ownNamespace(disk: Disk): string {
  const name = Buffer.from(disk.readFile(`${ACCOUNT}/namespace`))
    .toString('utf8')
    .trim();
  if (name === '') throw new OperatingError('kubernetes', 'could not read own namespace name (empty file)');
  return name;
}

type Named<T> = { readonly name: string } & T;
type KubeConfig = {
  readonly 'current-context'?: string;
  readonly contexts?: readonly Named<{ context: { cluster: string; user: string } }>[];
  readonly clusters?: readonly Named<{ cluster: Record<string, unknown> }>[];
  readonly users?: readonly Named<{ user: Record<string, unknown> }>[];
};

export function kubeConfigConnection(file: string, disk: Disk): KubernetesConnection {
  const config = loadYaml(Buffer.from(disk.readFile(file)).toString('utf8'), anything(), file) as KubeConfig;
  const wrong = (what: string) => new OperatingError('kubernetes', `cannot use ${file}: ${what}`);
  const current = config['current-context'] ?? '';
  const context = config.contexts?.find(({ name }) => name === current)?.context;
  if (!context) throw wrong(`context ${JSON.stringify(current)} does not exist`);
  const cluster = config.clusters?.find(({ name }) => name === context.cluster)?.cluster;
  if (!cluster) throw wrong(`cluster ${JSON.stringify(context.cluster)} does not exist`);
  const user = config.users?.find(({ name }) => name === context.user)?.user ?? {};
  if (user['auth-provider']) throw wrong('auth-provider is no longer supported by Kubernetes, use exec');
  const folder = path.dirname(file);
  const text = (from: Record<string, unknown>, key: string) =>
    typeof from[key] === 'string' && from[key] !== '' ? (from[key] as string) : undefined;
  const inline = (from: Record<string, unknown>, key: string) => {
    const data = text(from, `${key}-data`);
    return data === undefined ? undefined : Buffer.from(data, 'base64').toString('utf8');
  };
  const fileOf = (from: Record<string, unknown>, key: string) => {
    const name = text(from, key);
    return name === undefined ? undefined : path.resolve(folder, name);
  };
  const server = text(cluster, 'server');
  if (!server) throw wrong(`cluster ${JSON.stringify(context.cluster)} has no server`);
  const tls = definedOnly({
    insecureSkipVerify: cluster['insecure-skip-tls-verify'] === true,
    ca: inline(cluster, 'certificate-authority'),
    caFile: fileOf(cluster, 'certificate-authority'),
    serverName: text(cluster, 'tls-server-name'),
    cert: inline(user, 'client-certificate'),
    certFile: fileOf(user, 'client-certificate'),
    key: inline(user, 'client-key'),
    keyFile: fileOf(user, 'client-key'),
  }) as TlsConfig;
  const token = text(user, 'token');
  const tokenFile = fileOf(user, 'tokenFile');
  const credentials: Secret | undefined = tokenFile ? { file: tokenFile } : token ? { text: token } : undefined;
  const exec = user['exec'] ? execOf(user['exec'] as Record<string, unknown>, cluster, folder, wrong) : undefined;
  const username = text(user, 'username');
  const proxyUrl = text(cluster, 'proxy-url');
  return {
    server,
    http: {
      ...DEFAULT_HTTP_CLIENT,
      tls,
      ...(exec && !credentials ? { cloud: exec } : {}),
      ...(credentials ? { authorization: { type: 'Bearer', credentials } } : {}),
      ...(username && !credentials
        ? { basicAuth: { username: { text: username }, password: { text: text(user, 'password') ?? '' } } }
        : {}),
      ...(proxyUrl ? { proxy: { ...DEFAULT_HTTP_CLIENT.proxy, url: proxyUrl } } : {}),
    },
  };
}

const EXEC_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

/** A program that gives tokens; one with a slash in its name lies relative to the file. */
function execOf(
  exec: Record<string, unknown>,
  cluster: Record<string, unknown>,
  folder: string,
  wrong: (what: string) => OperatingError,
): ExecConfig {
  const command = typeof exec['command'] === 'string' ? exec['command'] : '';
  if (command === '') throw wrong('exec has no command');
  const version = String(exec['apiVersion'] ?? '');
  if (!EXEC_VERSIONS.includes(version)) throw wrong(`exec plugin: invalid apiVersion ${JSON.stringify(version)}`);
  if (exec['interactiveMode'] === 'Always') throw wrong('exec plugin: a program that asks people cannot be used here');
  const env = (exec['env'] ?? []) as readonly { readonly name: string; readonly value: string }[];
  return {
    kind: 'exec',
    apiVersion: version,
    command: command.includes('/') ? path.resolve(folder, command) : command,
    args: ((exec['args'] ?? []) as readonly unknown[]).map(String),
    env: Object.fromEntries(env.map(({ name, value }) => [name, String(value)])),
    installHint: String(exec['installHint'] ?? ''),
    ...(exec['provideClusterInfo'] === true
      ? {
          cluster: definedOnly({
            server: cluster['server'],
            'tls-server-name': cluster['tls-server-name'],
            'insecure-skip-tls-verify': cluster['insecure-skip-tls-verify'],
            'certificate-authority-data': cluster['certificate-authority-data'],
          }),
        }
      : {}),
  };
}

function definedOnly(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
