// The kubernetes_sd_configs section.

import { boolean, list, map, object, oneOf, optional, type Schema, string, withDefault } from '#base/config/schema.ts';
import { checkHttpClient, type HttpClientConfig, httpClientFields, httpClientFrom } from '#clients/http/config.ts';
import type { ResolvePath } from '../provider.ts';
import { ROLES, type Role } from './roles.ts';

export type KubernetesConfig = {
  readonly role: Role;
  readonly apiServer: string | undefined;
  readonly kubeConfigFile: string | undefined;
  readonly http: HttpClientConfig;
  readonly ownNamespace: boolean;
  readonly namespaces: readonly string[];
  readonly selectors: Readonly<Partial<Record<Role, { readonly label: string; readonly field: string }>>>;
  readonly attach: {
    readonly node: boolean;
    readonly namespace: boolean;
    readonly deployment: boolean;
    readonly job: boolean;
    readonly cronjob: boolean;
  };
};

const SELECTABLE: Readonly<Record<Role, readonly Role[]>> = {
  pod: ['pod', 'node'],
  service: ['service'],
  endpointslice: ['pod', 'service', 'endpointslice'],
  endpoints: ['pod', 'service', 'endpoints'],
  node: ['node'],
  ingress: ['ingress'],
};

const NO_ATTACHMENT = { node: false, namespace: false, deployment: false, job: false, cronjob: false };
const flag = () => withDefault(boolean(), false);

/** The term of a field selector that is no comparison. */
const unclearField = (text: string): string | undefined =>
  text.split(/(?<!\\),/).find((term) => term !== '' && !/^[^=!]+(?:=|==|!=)/.test(term));

const KEY = String.raw`(?:[\w.-]+/)?[\w.-]+`;
const LABEL_TERM = new RegExp(
  String.raw`^\s*(?:!\s*${KEY}|${KEY}|${KEY}\s*(?:==?|!=|>|<)\s*[\w.-]*|${KEY}\s+(?:in|notin)\s*\([\w.,\s-]*\))\s*$`,
);

/** The requirement of a label selector that Kubernetes would not read. */
const unclearLabel = (text: string): string | undefined =>
  text === '' ? undefined : text.split(/,(?![^(]*\))/).find((term) => !LABEL_TERM.test(term));

export function kubernetesSchema(resolve: ResolvePath): Schema<KubernetesConfig> {
  const section = object(
    {
      ...httpClientFields,
      api_server: optional(string()),
      role: optional(oneOf(...ROLES)),
      kubeconfig_file: withDefault(string(), ''),
      namespaces: withDefault(object({ own_namespace: flag(), names: list(string()) }), {
        own_namespace: false,
        names: [],
      }),
      selectors: list(
        object({ role: oneOf(...ROLES), label: withDefault(string(), ''), field: withDefault(string(), '') }),
      ),
      attach_metadata: withDefault(
        object({ node: flag(), namespace: flag(), deployment: flag(), job: flag(), cronjob: flag() }),
        NO_ATTACHMENT,
      ),
    },
    (value, report) => {
      checkHttpClient(value, report);
      if (value.role === undefined) {
        report('role', 'role missing (one of: pod, service, endpoints, endpointslice, node, ingress)');
        return;
      }
      const hasOwnClient = Boolean(
        value.basic_auth ||
          value.authorization ||
          value.oauth2 ||
          value.bearer_token ||
          value.bearer_token_file ||
          value.tls_config ||
          value.proxy_url ||
          value.proxy_from_environment,
      );
      if (value.api_server && value.kubeconfig_file) {
        report('kubeconfig_file', "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
      }
      if (value.kubeconfig_file && hasOwnClient) {
        report('kubeconfig_file', "cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
      } else if (!value.api_server && hasOwnClient) {
        report('api_server', "to use custom HTTP client configuration please provide the 'api_server' URL explicitly");
      }
      if (value.namespaces.own_namespace && value.api_server) {
        report('namespaces', "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
      }
      if (value.namespaces.own_namespace && value.kubeconfig_file) {
        report('namespaces', "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
      }
      const seen = new Set<Role>();
      for (const { role, label, field } of value.selectors) {
        const unclear = unclearField(field) ?? unclearLabel(label);
        if (unclear !== undefined) {
          report('selectors', `invalid selector: '${field || label}'; can't understand '${unclear}'`);
        }
        const allowed = SELECTABLE[value.role];
        if (seen.has(role)) report('selectors', `duplicated selector role: ${role}`);
        if (!allowed.includes(role))
          report('selectors', `${value.role} role supports only ${allowed.join(', ')} selectors`);
        seen.add(role);
      }
    },
  );
  return map(section, (value) => ({
    role: value.role!,
    apiServer: value.api_server,
    kubeConfigFile: value.kubeconfig_file ? resolve(value.kubeconfig_file) : undefined,
    http: httpClientFrom(value, resolve),
    ownNamespace: value.namespaces.own_namespace,
    namespaces: value.namespaces.names,
    selectors: Object.fromEntries(value.selectors.map(({ role, label, field }) => [role, { label, field }])),
    attach: value.attach_metadata,
  }));
}
