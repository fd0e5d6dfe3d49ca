// Signing for cloud providers: Amazon's published signatures, and against a server that speaks the documented protocols of
// STS, Microsoft Entra ID and Google. The machine's own credentials are never looked at: each test has its environment.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createVerify, generateKeyPairSync, X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { SimClock } from '#base/clock-sim.ts';
import { ConfigError, loadYaml } from '#base/config/load.ts';
import { object, optional } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { peer } from '../../../test/peers.ts';
import { createHttpClient } from '../http/client.ts';
import { DEFAULT_HTTP_CLIENT } from '../http/config.ts';
import { kubeConfigConnection } from '../kubernetes/connection.ts';
import { signV4 } from './aws.ts';
import {
  azureFrom,
  azureSection,
  type CloudAuth,
  googleFrom,
  googleSection,
  sigv4From,
  sigv4Section,
} from './config.ts';
import { createSigner } from './signer.ts';

const KEYS = { accessKey: 'AKIDEXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', sessionToken: '' };
const NOW = Date.parse('2015-08-30T12:36:00Z');
const ENDPOINT = { region: 'us-east-1', service: 'service' };

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-cloud-'));
type Seen = { method: string; url: string; headers: http.IncomingHttpHeaders; form: URLSearchParams };
const seen: Seen[] = [];
let answer: (request: Seen) => { status?: number; body: string } = () => ({ body: '' });
const server = http.createServer(async (request, response) => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const form = new URLSearchParams(Buffer.concat(parts).toString('utf8'));
  const one = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, form };
  seen.push(one);
  const { status = 200, body } = answer(one);
  response.writeHead(status).end(body);
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
after(() => {
  server.closeAllConnections();
  server.close();
  fs.rmSync(folder, { recursive: true });
});

const file = (name: string, text: string): string => {
  fs.writeFileSync(path.join(folder, name), text);
  return path.join(folder, name);
};

const schema = object({
  sigv4: optional(sigv4Section),
  azuread: optional(azureSection),
  google_iam: optional(googleSection),
});

function configOf(text: string): CloudAuth {
  const { sigv4, azuread, google_iam } = loadYaml(text, schema, 'c.yml');
  if (sigv4) return sigv4From(sigv4);
  return azuread ? azureFrom(azuread, (name) => name) : googleFrom(google_iam!, (name) => name);
}

/** What a request to http://write.example is given, and what was asked of others for it. */
async function headersFor(
  text: string,
  environment: Record<string, string> = {},
  reply: typeof answer = () => ({ body: '' }),
  clock: Pick<SimClock, 'now'> & object = new SimClock(NOW),
) {
  seen.length = 0;
  answer = reply;
  const client = createHttpClient(DEFAULT_HTTP_CLIENT, { clock: systemClock, disk: nodeDisk });
  const signer = createSigner(configOf(text), {
    clock: clock as SimClock,
    disk: nodeDisk,
    environment: { HOME: folder, ...environment },
    call: (url, options) => client.call({ ...options, url, timeoutMs: 5000, maxBodyBytes: 1 << 20 }),
  });
  const request = {
    method: 'POST',
    url: new URL('http://write.example/api'),
    headers: { 'content-type': 'x' },
    body: 'b',
  };
  try {
    return { headers: await signer.headers(request), asked: [...seen], again: () => signer.headers(request) };
  } finally {
    client.close();
  }
}

test("Amazon's published examples are signed alike", () => {
  const sign = (method: string, url: string) =>
    signV4({ method, url: new URL(url), headers: {}, body: undefined }, KEYS, ENDPOINT, NOW)['authorization'];
  assert.equal(
    sign('GET', 'https://example.amazonaws.com/'),
    'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  );
  assert.match(
    sign('POST', 'https://example.amazonaws.com/') ?? '',
    /Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b$/,
  );
  assert.match(
    sign('GET', 'https://example.amazonaws.com/?Param2=value2&Param1=value1') ?? '',
    /Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500$/,
  );
});

test('sigv4: keys from the section, the environment and profiles', async () => {
  const given = await headersFor('sigv4: {region: r1, access_key: A, secret_key: B}');
  assert.match(
    given.headers['authorization'] ?? '',
    /Credential=A\/20150830\/r1\/aps\/aws4_request, SignedHeaders=content-type;host;x-amz-date,/,
  );
  const environment = { AWS_ACCESS_KEY_ID: 'E', AWS_SECRET_ACCESS_KEY: 'S', AWS_SESSION_TOKEN: 'T', AWS_REGION: 'r2' };
  const fromEnvironment = await headersFor('sigv4: {}', environment);
  assert.match(fromEnvironment.headers['authorization'] ?? '', /Credential=E\/20150830\/r2\/aps/);
  assert.equal(fromEnvironment.headers['x-amz-security-token'], 'T');
  const files = {
    AWS_SHARED_CREDENTIALS_FILE: file(
      'credentials',
      '[default]\naws_access_key_id=D\naws_secret_access_key = x\n[ p ]\naws_access_key_id=P\naws_secret_access_key=y\n',
    ),
    AWS_CONFIG_FILE: file('config', '# regions\n[default]\nregion=r3\n\n[profile p]\nregion = r4\n'),
  };
  const profiles = async (text: string, more = {}) =>
    (await headersFor(text, { ...files, ...more })).headers['authorization']
      ?.split('/aws4')[0]
      ?.split('Credential=')[1];
  assert.equal(await profiles('sigv4: {}'), 'D/20150830/r3/aps');
  assert.equal(await profiles('sigv4: {profile: p}'), 'P/20150830/r4/aps');
  assert.equal(await profiles('sigv4: {}', { AWS_PROFILE: 'p' }), 'P/20150830/r4/aps');
  await assert.rejects(
    headersFor('sigv4: {region: r, profile: none}', files),
    /failed to get shared config profile, none/,
  );
  await assert.rejects(
    headersFor('sigv4: {region: r}', { AWS_EC2_METADATA_DISABLED: 'true' }),
    /no credentials for sigv4/,
  );
  await assert.rejects(headersFor('sigv4: {access_key: A, secret_key: B}'), /region not configured/);
});

const assumed = (action: string, key: string, ends: string) => ({
  body: `<${action}Response><${action}Result><Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>tok</SessionToken><Expiration>${ends}</Expiration></Credentials></${action}Result></${action}Response>`,
});

test('sigv4: roles are taken on through STS, and again before their keys end', async () => {
  const clock = new SimClock(NOW);
  const config = 'sigv4: {region: r, access_key: A, secret_key: B, role_arn: "arn:aws:iam::1:role/w", external_id: x}';
  const reply = () => assumed('AssumeRole', `K${seen.length}`, '2015-08-30T13:36:00Z');
  const { headers, asked, again } = await headersFor(config, { AWS_ENDPOINT_URL_STS: base }, reply, clock);
  assert.match(headers['authorization'] ?? '', /Credential=K1\//);
  assert.equal(headers['x-amz-security-token'], 'tok');
  const [{ form, headers: sent } = seen[0]!] = asked;
  assert.deepEqual(
    [form.get('Action'), form.get('RoleArn'), form.get('ExternalId')],
    ['AssumeRole', 'arn:aws:iam::1:role/w', 'x'],
  );
  assert.match(sent.authorization ?? '', /Credential=A\/20150830\/r\/sts\/aws4_request/);
  await again();
  assert.equal(seen.length, 1);
  const web = await headersFor(
    'sigv4: {region: r}',
    { AWS_ENDPOINT_URL_STS: base, AWS_ROLE_ARN: 'arn:w', AWS_WEB_IDENTITY_TOKEN_FILE: file('web', 'jwt\n') },
    () => assumed('AssumeRoleWithWebIdentity', 'W', '2015-08-30T13:36:00Z'),
  );
  assert.match(web.headers['authorization'] ?? '', /Credential=W\//);
  assert.equal(web.asked[0]?.form.get('WebIdentityToken'), 'jwt');
  assert.equal(web.asked[0]?.headers.authorization, undefined);
  const denied = () => ({
    status: 403,
    body: '<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>',
  });
  await assert.rejects(
    headersFor(config, { AWS_ENDPOINT_URL_STS: base }, denied),
    /AssumeRole of arn:aws:iam::1:role\/w: 403 AccessDenied: not you/,
  );
  const profile = {
    AWS_ENDPOINT_URL_STS: base,
    AWS_CONFIG_FILE: file(
      'roles',
      '[profile r]\nrole_arn = arn:r\nsource_profile = s\n[profile s]\naws_access_key_id = S\naws_secret_access_key = t\n',
    ),
  };
  const chained = await headersFor('sigv4: {region: r, profile: r}', profile, () => assumed('AssumeRole', 'R', ''));
  assert.match(chained.asked[0]?.headers.authorization ?? '', /Credential=S\//);
});

test("sigv4: the machine's role, by its metadata service", async () => {
  const machine = { AWS_EC2_METADATA_SERVICE_ENDPOINT: `${base}/` };
  const role = (name: string) => (request: Seen) => {
    if (request.url === '/latest/api/token') return { body: request.method === 'PUT' ? 'tok2' : '' };
    if (request.headers['x-aws-ec2-metadata-token'] !== 'tok2') return { status: 401, body: '' };
    if (request.url === '/latest/meta-data/iam/security-credentials/') return { body: name };
    return {
      body: JSON.stringify({ AccessKeyId: 'M', SecretAccessKey: 's', Token: 't', Expiration: '2015-08-30T13:36:00Z' }),
    };
  };
  const { headers, asked, again } = await headersFor('sigv4: {region: r}', machine, role('web\n'));
  assert.match(headers['authorization'] ?? '', /Credential=M\//);
  assert.equal(headers['x-amz-security-token'], 't');
  assert.deepEqual(
    asked.map(({ method, url }) => `${method} ${url}`),
    [
      'PUT /latest/api/token',
      'GET /latest/meta-data/iam/security-credentials/',
      'GET /latest/meta-data/iam/security-credentials/web',
    ],
  );
  await again();
  assert.equal(seen.length, 3, 'keys are kept until they end');
  const refused = (reply: typeof answer, environment = {}) =>
    headersFor('sigv4: {region: r}', { ...machine, ...environment }, reply);
  await assert.rejects(refused(role('')), /no credentials for sigv4: .*; the machine has no role$/);
  await assert.rejects(
    refused(() => ({ status: 404, body: '' })),
    /metadata service answers api\/token with 404$/,
  );
  await assert.rejects(refused(role('web'), { AWS_EC2_METADATA_DISABLED: 'true' }), /AWS_EC2_METADATA_DISABLED/);
});

test('azuread: secrets, federated tokens, the machine, and renewal', async () => {
  const clock = new SimClock(NOW);
  const token = () => ({
    body: JSON.stringify({ access_token: `t${seen.length}`, expires_in: 3600, token_type: 'Bearer' }),
  });
  const id = '00000000-0000-0000-0000-000000000001';
  const oauth = `azuread: {oauth: {client_id: ${id}, client_secret: s, tenant_id: ten}}`;
  const { headers, asked, again } = await headersFor(oauth, { AZURE_AUTHORITY_HOST: base }, token, clock);
  assert.equal(headers['authorization'], 'Bearer t1');
  assert.equal(asked[0]?.url, '/ten/oauth2/v2.0/token');
  assert.deepEqual(Object.fromEntries(asked[0]!.form), {
    grant_type: 'client_credentials',
    client_id: id,
    scope: 'https://monitor.azure.com//.default',
    client_secret: 's',
  });
  assert.equal((await again())['authorization'], 'Bearer t1');
  const workload = `azuread: {cloud: AzureChina, workload_identity: {client_id: ${id}, tenant_id: ten, token_file_path: ${file('federated', 'fed')}}}`;
  const second = await headersFor(workload, { AZURE_AUTHORITY_HOST: base }, token);
  assert.equal(second.asked[0]?.form.get('client_assertion'), 'fed');
  assert.equal(second.asked[0]?.form.get('scope'), 'https://monitor.azure.cn//.default');
  const machine = { IDENTITY_ENDPOINT: `${base}/msi`, IDENTITY_HEADER: 'h' };
  const third = await headersFor(`azuread: {managed_identity: {client_id: ${id}}}`, machine, token);
  assert.equal(
    third.asked[0]?.url,
    `/msi?api-version=2019-08-01&resource=${encodeURIComponent('https://monitor.azure.com/')}&client_id=${id}`,
  );
  assert.equal(third.asked[0]?.headers['x-identity-header'], 'h');
  const sdk = { AZURE_AUTHORITY_HOST: base, AZURE_CLIENT_ID: id, AZURE_TENANT_ID: 'own', AZURE_CLIENT_SECRET: 'e' };
  assert.equal((await headersFor('azuread: {sdk: {}}', sdk, token)).asked[0]?.url, '/own/oauth2/v2.0/token');
  const refused = () => ({ status: 401, body: '{"error":"invalid_client"}' });
  await assert.rejects(
    headersFor(oauth, { AZURE_AUTHORITY_HOST: base }, refused),
    /Microsoft Entra ID gave no access token: 401: .*invalid_client/,
  );
});

const openssl = peer('openssl', 'openssl');

test('azuread: a certificate signs the assertion', { skip: openssl.skip }, async () => {
  const pem = path.join(folder, 'certificate.pem');
  execFileSync(
    openssl.path,
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      '/CN=a',
      '-days',
      '1',
      '-keyout',
      `${pem}.key`,
      '-out',
      `${pem}.crt`,
    ],
    { stdio: 'ignore' },
  );
  fs.writeFileSync(pem, fs.readFileSync(`${pem}.crt`, 'utf8') + fs.readFileSync(`${pem}.key`, 'utf8'));
  const id = '00000000-0000-0000-0000-000000000001';
  const config = `azuread: {certificate: {client_id: ${id}, tenant_id: ten, certificate_path: ${pem}, send_certificate_chain: true}}`;
  const { asked } = await headersFor(config, { AZURE_AUTHORITY_HOST: base }, () => ({ body: '{"access_token":"t"}' }));
  const [header, claims, signature] = asked[0]!.form.get('client_assertion')!.split('.') as [string, string, string];
  const { publicKey } = new X509Certificate(fs.readFileSync(`${pem}.crt`));
  assert(createVerify('RSA-SHA256').update(`${header}.${claims}`).verify(publicKey, signature, 'base64url'));
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, unknown>;
  assert.equal((read(header)['x5c'] as string[]).length, 1);
  assert.equal(read(claims)['aud'], `${base}/ten/oauth2/v2.0/token`);
});

test('google_iam: keys of service accounts, credentials of gcloud, the machine', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = {
    type: 'service_account',
    client_email: 'w@p.iam.gserviceaccount.com',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    private_key_id: 'k1',
    token_uri: `${base}/token`,
  };
  const token = () => ({ body: JSON.stringify({ access_token: 'g', expires_in: 3600 }) });
  const named = await headersFor(`google_iam: {credentials_file: ${file('sa.json', JSON.stringify(key))}}`, {}, token);
  assert.equal(named.headers['authorization'], 'Bearer g');
  assert.equal(named.asked[0]?.form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer');
  const [header, claims, signature] = named.asked[0]!.form.get('assertion')!.split('.') as [string, string, string];
  assert(createVerify('RSA-SHA256').update(`${header}.${claims}`).verify(publicKey, signature, 'base64url'));
  assert.deepEqual(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')), {
    iss: 'w@p.iam.gserviceaccount.com',
    scope: 'https://www.googleapis.com/auth/monitoring.write',
    aud: `${base}/token`,
    iat: NOW / 1000,
    exp: NOW / 1000 + 3600,
  });
  const user = {
    type: 'authorized_user',
    client_id: 'c',
    client_secret: 's',
    refresh_token: 'r',
    token_uri: `${base}/u`,
  };
  const environment = { GOOGLE_APPLICATION_CREDENTIALS: file('user.json', JSON.stringify(user)) };
  assert.equal((await headersFor('google_iam: {}', environment, token)).asked[0]?.form.get('refresh_token'), 'r');
  const machine = await headersFor('google_iam: {}', { GCE_METADATA_HOST: base.slice(7) }, token);
  assert.equal(machine.asked[0]?.headers['metadata-flavor'], 'Google');
  await assert.rejects(
    headersFor(`google_iam: {credentials_file: ${environment.GOOGLE_APPLICATION_CREDENTIALS}}`),
    /no key of a service account/,
  );
});

test('a client signs what it sends', async () => {
  seen.length = 0;
  answer = () => ({ body: 'ok' });
  const cloud = configOf('sigv4: {region: r, access_key: A, secret_key: B}');
  const client = createHttpClient({ ...DEFAULT_HTTP_CLIENT, cloud }, { clock: systemClock, disk: nodeDisk });
  const reply = await client.call({ url: `${base}/w`, method: 'POST', body: 'x', timeoutMs: 5000, maxBodyBytes: 100 });
  client.close();
  assert.equal(reply.status, 200);
  assert.match(seen[0]?.headers.authorization ?? '', /^AWS4-HMAC-SHA256 Credential=A\//);
  assert.match(String(seen[0]?.headers['x-amz-date']), /^\d{8}T\d{6}Z$/);
});

test('a kubeconfig file may name a program that gives tokens', async () => {
  const program = file(
    'login.sh',
    `#!/bin/sh\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"'"$1-$WHO-$(echo "$KUBERNETES_EXEC_INFO" | grep -c '"server":"${base}"')"'"}}'\n`,
  );
  fs.chmodSync(program, 0o755);
  const kube = (exec: string) =>
    file(
      'kubeconfig',
      `current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: "${base}"}}]\nusers: [{name: u, user: {exec: ${exec}}}]\n`,
    );
  const version = 'apiVersion: client.authentication.k8s.io/v1';
  const ask = async (exec: string) => {
    seen.length = 0;
    answer = () => ({ body: '{}' });
    const { server: address, http: config } = kubeConfigConnection(kube(exec), nodeDisk);
    const client = createHttpClient(config, { clock: systemClock, disk: nodeDisk, environment: process.env });
    try {
      await client.call({ url: `${address}/api`, timeoutMs: 5000, maxBodyBytes: 100 });
    } finally {
      client.close();
    }
    return seen[0]?.headers.authorization;
  };
  const good = `{${version}, command: ./login.sh, args: [a], env: [{name: WHO, value: me}], provideClusterInfo: true}`;
  assert.equal(await ask(good), 'Bearer a-me-1');
  await assert.rejects(
    ask(`{${version}, command: /nowhere/login, installHint: install it}`),
    /credentials program \/nowhere\/login: .*ENOENT.*\(install it\)/,
  );
  await assert.rejects(ask(`{${version}, command: /bin/true}`), /what it prints is not JSON/);
  await assert.rejects(ask('{apiVersion: v0, command: x}'), /invalid apiVersion "v0"/);
});

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['sigv4: {access_key: a}', /must provide a AWS SigV4 Access key and Secret Key/],
  ['sigv4: {external_id: a}', /external_id can only be used with role_arn/],
  ['azuread: {}', /must provide an Azure Managed Identity, Azure Workload Identity/],
  ['azuread: {cloud: Mine, sdk: {}}', /must provide a cloud in the Azure AD config/],
  ['azuread: {sdk: {}, managed_identity: {}}', /cannot provide multiple authentication methods/],
  ['azuread: {oauth: {client_id: x, client_secret: s, tenant_id: t}}', /the provided Azure OAuth client_id is invalid/],
  [
    'azuread: {oauth: {client_id: 00000000-0000-0000-0000-000000000001, tenant_id: t}}',
    /must provide an Azure OAuth client_secret/,
  ],
  ['azuread: {sdk: {}, scope: "a;b"}', /scope contains invalid characters/],
];
for (const [text, message] of REFUSED) {
  test(`refused: ${text}`, () => {
    assert.throws(
      () => configOf(text),
      (error: unknown) => error instanceof ConfigError && message.test(error.message),
    );
  });
}
