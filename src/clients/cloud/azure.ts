// Access tokens of Microsoft Entra ID: with a client's secret, certificate or federated token, or from the identity service of
// the machine. `sdk` tries what the environment offers, in the order of Microsoft's own kits.

import { createHash, createPrivateKey, createSign, randomUUID, X509Certificate } from 'node:crypto';
import { OperatingError } from '#base/errors.ts';
import { type AzureCloud, type AzureConfig, type AzureMethod, workloadTokenFile } from './config.ts';
import { type CloudParts, type Token, tokenFrom } from './signer.ts';

const AUTHORITIES: Readonly<Record<AzureCloud, string>> = {
  AzurePublic: 'https://login.microsoftonline.com',
  AzureGovernment: 'https://login.microsoftonline.us',
  AzureChina: 'https://login.chinacloudapi.cn',
};
const SCOPES: Readonly<Record<AzureCloud, string>> = {
  AzurePublic: 'https://monitor.azure.com//.default',
  AzureGovernment: 'https://monitor.azure.us//.default',
  AzureChina: 'https://monitor.azure.cn//.default',
};
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const IDENTITY_SERVICE = 'http://169.254.169.254/metadata/identity/oauth2/token';

export async function azureToken(config: AzureConfig, parts: CloudParts): Promise<Token> {
  const scope = config.scope || SCOPES[config.cloud];
  const { method } = config;
  if (method.name === 'managed_identity') return machineToken(method.clientId, scope, parts);
  if (method.name === 'sdk') {
    const found = fromEnvironment(method.tenantId, parts.environment);
    return found ? clientToken(config.cloud, found, scope, parts) : machineToken('', scope, parts);
  }
  return clientToken(config.cloud, method, scope, parts);
}

type ClientMethod = Extract<AzureMethod, { name: 'oauth' | 'workload_identity' | 'certificate' }>;

function fromEnvironment(
  tenant: string,
  environment: Readonly<Record<string, string | undefined>>,
): ClientMethod | undefined {
  const clientId = environment['AZURE_CLIENT_ID'];
  const tenantId = tenant || environment['AZURE_TENANT_ID'];
  if (!clientId || !tenantId) return undefined;
  const clientSecret = environment['AZURE_CLIENT_SECRET'];
  if (clientSecret) return { name: 'oauth', clientId, tenantId, clientSecret };
  const file = environment['AZURE_CLIENT_CERTIFICATE_PATH'];
  if (file) return { name: 'certificate', clientId, tenantId, certificateFile: file, keyFile: file, sendChain: false };
  if (environment['AZURE_FEDERATED_TOKEN_FILE'])
    return { name: 'workload_identity', clientId, tenantId, tokenFile: '' };
  return undefined;
}

async function clientToken(cloud: AzureCloud, method: ClientMethod, scope: string, parts: CloudParts): Promise<Token> {
  const authority = (parts.environment['AZURE_AUTHORITY_HOST'] || AUTHORITIES[cloud]).replace(/\/+$/, '');
  const url = `${authority}/${encodeURIComponent(method.tenantId)}/oauth2/v2.0/token`;
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: method.clientId, scope });
  if (method.name === 'oauth') form.set('client_secret', method.clientSecret);
  else {
    form.set('client_assertion_type', ASSERTION);
    form.set(
      'client_assertion',
      method.name === 'certificate' ? assertion(method, url, parts) : federated(method, parts),
    );
  }
  const reply = await parts.call(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  });
  return tokenFrom(reply, parts.clock.now(), 'Microsoft Entra ID');
}

/** Read every time: Kubernetes changes the file. */
function federated(method: Extract<AzureMethod, { name: 'workload_identity' }>, parts: CloudParts): string {
  const file = method.tokenFile || workloadTokenFile(parts.environment);
  return Buffer.from(parts.disk.readFile(file)).toString('utf8').trim();
}

/** A web token that the certificate's key signs. */
function assertion(method: Extract<AzureMethod, { name: 'certificate' }>, url: string, parts: CloudParts): string {
  const read = (file: string) => Buffer.from(parts.disk.readFile(file)).toString('utf8');
  const chain =
    read(method.certificateFile).match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (!chain[0]) throw new OperatingError('azure', `${method.certificateFile} holds no certificate in PEM form`);
  const certificate = new X509Certificate(chain[0]);
  const now = Math.floor(parts.clock.now() / 1000);
  const header = {
    alg: 'RS256',
    typ: 'JWT',
    x5t: createHash('sha1').update(certificate.raw).digest('base64url'),
    ...(method.sendChain ? { x5c: chain.map((pem) => new X509Certificate(pem).raw.toString('base64')) } : {}),
  };
  const { clientId } = method;
  const claims = { aud: url, iss: clientId, sub: clientId, jti: randomUUID(), nbf: now, iat: now, exp: now + 600 };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode(header)}.${encode(claims)}`;
  const key = createPrivateKey(read(method.keyFile));
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`;
}

async function machineToken(clientId: string, scope: string, parts: CloudParts): Promise<Token> {
  const { environment, clock, call } = parts;
  // App Service and Container Apps say where their service is.
  const endpoint = environment['IDENTITY_ENDPOINT'];
  const secret = environment['IDENTITY_HEADER'];
  const url = new URL(endpoint || IDENTITY_SERVICE);
  url.searchParams.set('api-version', endpoint ? '2019-08-01' : '2018-02-01');
  url.searchParams.set('resource', scope.replace(/\/\.default$/, ''));
  if (clientId !== '') url.searchParams.set('client_id', clientId);
  const headers: Record<string, string> = endpoint && secret ? { 'x-identity-header': secret } : { metadata: 'true' };
  return tokenFrom(await call(url.href, { headers }), clock.now(), 'the managed identity');
}
