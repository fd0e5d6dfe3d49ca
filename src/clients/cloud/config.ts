// The sections sigv4, azuread and google_iam of prometheus.yml: how requests to the cloud providers' own endpoints say who
// they are.

import { boolean, object, optional, type Schema, secret, string, withDefault } from '#base/config/schema.ts';
import type { Secret } from '../http/config.ts';

export type SigV4Config = {
  readonly kind: 'sigv4';
  readonly region: string;
  readonly keys?: { readonly accessKey: string; readonly secretKey: string };
  readonly profile: string;
  readonly roleArn: string;
  readonly externalId: string;
  readonly useFipsSts: boolean;
};

export type AzureMethod =
  | { readonly name: 'managed_identity'; readonly clientId: string }
  | {
      readonly name: 'workload_identity';
      readonly clientId: string;
      readonly tenantId: string;
      readonly tokenFile: string;
    }
  | { readonly name: 'oauth'; readonly clientId: string; readonly tenantId: string; readonly clientSecret: string }
  | {
      readonly name: 'certificate';
      readonly clientId: string;
      readonly tenantId: string;
      readonly certificateFile: string;
      readonly keyFile: string;
      readonly sendChain: boolean;
    }
  | { readonly name: 'sdk'; readonly tenantId: string };

export type AzureConfig = {
  readonly kind: 'azuread';
  readonly cloud: AzureCloud;
  readonly scope: string;
  readonly method: AzureMethod;
};

export type GoogleConfig = { readonly kind: 'google_iam'; readonly credentials?: Secret & { readonly file: string } };

/** A program of a kubeconfig file that gives tokens. */
export type ExecConfig = {
  readonly kind: 'exec';
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly installHint: string;
  /** What the program is told about the cluster, when it wants to be. */
  readonly cluster?: Readonly<Record<string, unknown>>;
};

export type CloudAuth = SigV4Config | AzureConfig | GoogleConfig | ExecConfig;

const text = () => withDefault(string(), '');

export const sigv4Section = object(
  {
    region: text(),
    access_key: text(),
    secret_key: withDefault(secret(), ''),
    profile: text(),
    role_arn: text(),
    external_id: text(),
    use_fips_sts_endpoint: withDefault(boolean(), false),
  },
  (value, report) => {
    if ((value.access_key === '') !== (value.secret_key === '')) {
      report(
        'access_key',
        'must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config',
      );
    }
    if (value.external_id !== '' && value.role_arn === '') {
      report('external_id', 'external_id can only be used with role_arn');
    }
  },
);

export const sigv4From = (raw: Parsed<typeof sigv4Section>): SigV4Config => ({
  kind: 'sigv4',
  region: raw.region,
  ...(raw.access_key !== '' ? { keys: { accessKey: raw.access_key, secretKey: raw.secret_key } } : {}),
  profile: raw.profile,
  roleArn: raw.role_arn,
  externalId: raw.external_id,
  useFipsSts: raw.use_fips_sts_endpoint,
});

type Parsed<S> = S extends Schema<infer T> ? T : never;

const AZURE_CLOUDS = ['AzurePublic', 'AzureGovernment', 'AzureChina'] as const;
export type AzureCloud = (typeof AZURE_CLOUDS)[number];

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const WORKLOAD_TOKEN = '/var/run/secrets/azure/tokens/azure-identity-token';

export const azureSection = object(
  {
    cloud: text(),
    scope: text(),
    managed_identity: optional(object({ client_id: text() })),
    workload_identity: optional(object({ client_id: text(), tenant_id: text(), token_file_path: text() })),
    oauth: optional(object({ client_id: text(), client_secret: withDefault(secret(), ''), tenant_id: text() })),
    certificate: optional(
      object({
        client_id: text(),
        tenant_id: text(),
        certificate_path: text(),
        certificate_key_path: text(),
        certificate_password: withDefault(secret(), ''),
        send_certificate_chain: withDefault(boolean(), false),
      }),
    ),
    sdk: optional(object({ tenant_id: text() })),
  },
  (value, report) => {
    const { cloud, scope, managed_identity, workload_identity, oauth, certificate, sdk } = value;
    if (cloud !== '' && !AZURE_CLOUDS.includes(cloud as AzureCloud)) {
      report('cloud', `must provide a cloud in the Azure AD config, one of ${AZURE_CLOUDS.join(', ')}`);
    }
    const given = [managed_identity, workload_identity, oauth, certificate, sdk].filter((one) => one !== undefined);
    if (given.length === 0) {
      report(
        'cloud',
        'must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth, Azure Certificate or Azure SDK in the Azure AD config',
      );
    } else if (given.length > 1) {
      report('cloud', 'cannot provide multiple authentication methods in the Azure AD config');
    }
    const needs = (section: 'workload_identity' | 'oauth' | 'certificate', name: string, fields: object) => {
      for (const [field, found] of Object.entries(fields)) {
        if (found === '') report(section, `must provide an Azure ${name} ${field} in the Azure AD config`);
        else if (field === 'client_id' && !UUID.test(found)) {
          report(section, `the provided Azure ${name} client_id is invalid`);
        }
      }
    };
    if (managed_identity && managed_identity.client_id !== '' && !UUID.test(managed_identity.client_id)) {
      report('managed_identity', 'the provided Azure Managed Identity client_id is invalid');
    }
    if (workload_identity) {
      const { client_id, tenant_id } = workload_identity;
      needs('workload_identity', 'Workload Identity', { client_id, tenant_id });
    }
    if (oauth) needs('oauth', 'OAuth', oauth);
    if (certificate) {
      const { client_id, tenant_id, certificate_path, certificate_password } = certificate;
      needs('certificate', 'Certificate', { client_id, tenant_id, certificate_path });
      if (/\.(pfx|p12)$/i.test(certificate_path) || certificate_password !== '') {
        report('certificate', 'certificates in PFX files are not read: convert it (openssl pkcs12 -nodes) to PEM');
      }
    }
    if (scope !== '' && !/^[\w\s:/.-]+$/.test(scope)) report('scope', 'the provided scope contains invalid characters');
  },
);

export function azureFrom(raw: Parsed<typeof azureSection>, resolve: (file: string) => string): AzureConfig {
  return {
    kind: 'azuread',
    cloud: (raw.cloud || 'AzurePublic') as AzureCloud,
    scope: raw.scope,
    method: methodFrom(raw, resolve),
  };
}

function methodFrom(raw: Parsed<typeof azureSection>, resolve: (file: string) => string): AzureMethod {
  const { managed_identity, workload_identity, oauth, certificate, sdk } = raw;
  if (workload_identity) {
    const { client_id, tenant_id, token_file_path } = workload_identity;
    const tokenFile = token_file_path === '' ? '' : resolve(token_file_path);
    return { name: 'workload_identity', clientId: client_id, tenantId: tenant_id, tokenFile };
  }
  if (oauth) {
    const { client_id, tenant_id, client_secret } = oauth;
    return { name: 'oauth', clientId: client_id, tenantId: tenant_id, clientSecret: client_secret };
  }
  if (certificate) {
    return {
      name: 'certificate',
      clientId: certificate.client_id,
      tenantId: certificate.tenant_id,
      certificateFile: resolve(certificate.certificate_path),
      keyFile: resolve(certificate.certificate_key_path || certificate.certificate_path),
      sendChain: certificate.send_certificate_chain,
    };
  }
  if (sdk) return { name: 'sdk', tenantId: sdk.tenant_id };
  return { name: 'managed_identity', clientId: managed_identity?.client_id ?? '' };
}

/** Where the token of a workload lies when nothing says so. */
export const workloadTokenFile = (environment: Readonly<Record<string, string | undefined>>): string =>
  environment['AZURE_FEDERATED_TOKEN_FILE'] || WORKLOAD_TOKEN;

export const googleSection = object({ credentials_file: text() });

export const googleFrom = (raw: Parsed<typeof googleSection>, resolve: (file: string) => string): GoogleConfig => ({
  kind: 'google_iam',
  ...(raw.credentials_file !== '' ? { credentials: { file: resolve(raw.credentials_file) } } : {}),
});
