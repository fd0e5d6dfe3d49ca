// Amazon's signatures, version 4, and the keys for them: given, from the environment, from a profile of the shared files, for
// a web identity, from a container's credentials service, or for a role that is taken on through STS.

import { createHash, createHmac } from 'node:crypto';
import path from 'node:path';
import { errorText, OperatingError } from '#base/errors.ts';
import type { SigV4Config } from './config.ts';
import type { CloudParts, SignedRequest } from './signer.ts';

export type AwsKeys = { readonly accessKey: string; readonly secretKey: string; readonly sessionToken: string };
type EndingKeys = { readonly keys: AwsKeys; readonly expires: number };

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** Headers that proxies and connections may change are not signed. */
const SIGNED = ['content-encoding', 'content-type', 'host', 'x-amz-date', 'x-amz-security-token'];

/** The headers that a request needs beside its own. */
export function signV4(
  { method, url, headers, body }: SignedRequest,
  { accessKey, secretKey, sessionToken }: AwsKeys,
  { region, service }: { readonly region: string; readonly service: string },
  now: number,
): Record<string, string> {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const own: Record<string, string> = {
    'x-amz-date': time,
    ...(sessionToken !== '' ? { 'x-amz-security-token': sessionToken } : {}),
  };
  const all: Record<string, string> = { host: url.host, ...own };
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value.trim();
  const names = SIGNED.filter((name) => all[name] !== undefined);
  const canonical = [
    method,
    path.posix.normalize(url.pathname),
    queryOf(url),
    ...names.map((name) => `${name}:${all[name]}`),
    '',
    names.join(';'),
    sha256(body ?? ''),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const key = hmac(hmac(hmac(hmac(`AWS4${secretKey}`, day), region), service), 'aws4_request');
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex');
  return {
    ...own,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  };
}

function queryOf(url: URL): string {
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
}

/** How long before their end temporary keys are fetched anew. */
const MARGIN_MS = 5 * 60_000;
const SESSION = 'pharos';

export class AwsCredentials {
  readonly #config: SigV4Config;
  readonly #parts: CloudParts;
  #known: EndingKeys | undefined;
  #asking: Promise<EndingKeys> | undefined;

  constructor(config: SigV4Config, parts: CloudParts) {
    this.#config = config;
    this.#parts = parts;
  }

  async get(): Promise<{ readonly keys: AwsKeys; readonly region: string }> {
    const region = this.#region();
    if (!this.#known || this.#parts.clock.now() > this.#known.expires - MARGIN_MS) {
      this.#asking ??= this.#resolve(region).finally(() => {
        this.#asking = undefined;
      });
      this.#known = await this.#asking;
    }
    return { keys: this.#known.keys, region };
  }

  #region(): string {
    const { environment } = this.#parts;
    const region =
      this.#config.region ||
      environment['AWS_REGION'] ||
      environment['AWS_DEFAULT_REGION'] ||
      this.#profile(this.#profileName())?.['region'] ||
      '';
    if (region === '')
      throw new OperatingError('aws', 'region not configured in sigv4 or in default credentials chain');
    return region;
  }

  async #resolve(region: string): Promise<EndingKeys> {
    const { keys, profile, roleArn, externalId } = this.#config;
    const base = keys
      ? { keys: { ...keys, sessionToken: '' }, expires: Infinity }
      : profile !== ''
        ? await this.#fromProfile(profile, region, 0)
        : await this.#fromChain(region);
    return roleArn === '' ? base : this.#assume(base.keys, roleArn, externalId, region);
  }

  async #fromChain(region: string): Promise<EndingKeys> {
    const { environment } = this.#parts;
    const { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey } = environment;
    if (accessKey && secretKey) {
      return {
        keys: { accessKey, secretKey, sessionToken: environment['AWS_SESSION_TOKEN'] ?? '' },
        expires: Infinity,
      };
    }
    const { AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile, AWS_ROLE_ARN: roleArn } = environment;
    if (tokenFile && roleArn) {
      return this.#webIdentity(tokenFile, roleArn, environment['AWS_ROLE_SESSION_NAME'] || SESSION, region);
    }
    const name = this.#profileName();
    if (this.#profile(name)) return this.#fromProfile(name, region, 0);
    const relative = environment['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
    const full = relative ? `http://169.254.170.2${relative}` : environment['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
    if (full) return this.#fromContainer(full);
    return this.#fromMachine();
  }

  #profileName(): string {
    return this.#config.profile || this.#parts.environment['AWS_PROFILE'] || 'default';
  }

  async #fromProfile(name: string, region: string, depth: number): Promise<EndingKeys> {
    const found = this.#profile(name);
    if (!found) throw new OperatingError('aws', `failed to get shared config profile, ${name}`);
    const { aws_access_key_id: accessKey, aws_secret_access_key: secretKey } = found;
    const own = accessKey && secretKey;
    const source = found['source_profile'] ?? '';
    if (found['web_identity_token_file'] && found['role_arn']) {
      const session = found['role_session_name'] ?? SESSION;
      return this.#webIdentity(found['web_identity_token_file'], found['role_arn'], session, region);
    }
    if (found['role_arn'] && source !== '') {
      if (depth > 4) throw new OperatingError('aws', `source_profile of ${name} leads back to itself`);
      const base = source === name && own ? keysOf(found) : (await this.#fromProfile(source, region, depth + 1)).keys;
      return this.#assume(base, found['role_arn'], found['external_id'] ?? '', region);
    }
    if (own) return { keys: keysOf(found), expires: Infinity };
    throw new OperatingError(
      'aws',
      `profile ${name} has neither keys nor a role with source_profile or web_identity_token_file`,
    );
  }

  /** What both shared files say of a profile; the credentials file counts where they differ. */
  #profile(name: string): Readonly<Record<string, string>> | undefined {
    const { environment, disk } = this.#parts;
    const home = environment['HOME'] ?? '/';
    const read = (file: string, section: string) =>
      disk.exists(file) ? iniSection(Buffer.from(disk.readFile(file)).toString('utf8'), section) : undefined;
    const config = read(
      environment['AWS_CONFIG_FILE'] || path.join(home, '.aws/config'),
      name === 'default' ? 'default' : `profile ${name}`,
    );
    const credentials = read(environment['AWS_SHARED_CREDENTIALS_FILE'] || path.join(home, '.aws/credentials'), name);
    return config || credentials ? { ...config, ...credentials } : undefined;
  }

  #assume(keys: AwsKeys, roleArn: string, externalId: string, region: string): Promise<EndingKeys> {
    const form = new URLSearchParams({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: roleArn,
      RoleSessionName: SESSION,
    });
    if (externalId !== '') form.set('ExternalId', externalId);
    return this.#sts(form, region, (request) =>
      signV4(request, keys, { region, service: 'sts' }, this.#parts.clock.now()),
    );
  }

  #webIdentity(tokenFile: string, roleArn: string, session: string, region: string): Promise<EndingKeys> {
    const token = Buffer.from(this.#parts.disk.readFile(tokenFile)).toString('utf8').trim();
    const form = new URLSearchParams({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: roleArn,
      RoleSessionName: session,
      WebIdentityToken: token,
    });
    return this.#sts(form, region, () => ({}));
  }

  async #sts(
    form: URLSearchParams,
    region: string,
    sign: (request: SignedRequest) => Record<string, string>,
  ): Promise<EndingKeys> {
    const { call, environment } = this.#parts;
    const host = `${this.#config.useFipsSts ? 'sts-fips' : 'sts'}.${region}.amazonaws.com`;
    const url = new URL(environment['AWS_ENDPOINT_URL_STS'] || environment['AWS_ENDPOINT_URL'] || `https://${host}/`);
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const body = form.toString();
    const signed = sign({ method: 'POST', url, headers, body });
    const reply = await call(url.href, { method: 'POST', headers: { ...headers, ...signed }, body });
    const text = reply.body.toString('utf8');
    const field = (name: string) => new RegExp(`<${name}>\\s*([^<]*?)\\s*</${name}>`).exec(text)?.[1] ?? '';
    if (reply.status !== 200) {
      const said = field('Message') || text.slice(0, 200);
      throw new OperatingError(
        'aws',
        `${form.get('Action')} of ${form.get('RoleArn')}: ${reply.status} ${field('Code')}: ${said}`,
      );
    }
    const keys = {
      accessKey: field('AccessKeyId'),
      secretKey: field('SecretAccessKey'),
      sessionToken: field('SessionToken'),
    };
    if (keys.accessKey === '' || keys.secretKey === '') {
      throw new OperatingError('aws', `${form.get('Action')} of ${form.get('RoleArn')}: the answer has no keys`);
    }
    return { keys, expires: Date.parse(field('Expiration')) || this.#parts.clock.now() + 3_600_000 };
  }

  async #fromContainer(url: string): Promise<EndingKeys> {
    const { call, environment, disk } = this.#parts;
    const file = environment['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
    const token = file
      ? Buffer.from(disk.readFile(file)).toString('utf8').trim()
      : environment['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
    const reply = await call(url, token ? { headers: { authorization: token } } : {});
    if (reply.status !== 200)
      throw new OperatingError('aws', `the container's credentials service answers ${reply.status}`);
    return keysIn(reply.body);
  }

  /** The role of the machine, from its metadata service: version 2, which gives a token first. */
  async #fromMachine(): Promise<EndingKeys> {
    const { call, environment } = this.#parts;
    const none = (why: string) =>
      new OperatingError(
        'aws',
        `no credentials for sigv4: give access_key and secret_key, a profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a web identity; ${why}`,
      );
    if (environment['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') {
      throw none('AWS_EC2_METADATA_DISABLED forbids to ask the machine');
    }
    const isIpv6 = environment['AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE']?.toLowerCase() === 'ipv6';
    const service =
      environment['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ||
      (isIpv6 ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254');
    const ask = async (path: string, method: string, headers: Record<string, string>): Promise<Buffer> => {
      const url = `${service.replace(/\/$/, '')}/latest/${path}`;
      const reply = await call(url, { method, headers }).catch((error: unknown) => {
        throw none(`the machine's metadata service does not answer: ${errorText(error)}`);
      });
      if (reply.status !== 200) throw none(`the machine's metadata service answers ${path} with ${reply.status}`);
      return reply.body;
    };
    const token = await ask('api/token', 'PUT', { 'x-aws-ec2-metadata-token-ttl-seconds': TOKEN_SECONDS });
    const headers = { 'x-aws-ec2-metadata-token': token.toString('utf8') };
    const roles = await ask(MACHINE_ROLES, 'GET', headers);
    const role = roles.toString('utf8').split('\n')[0]!.trim();
    if (role === '') throw none('the machine has no role');
    return keysIn(await ask(`${MACHINE_ROLES}${role}`, 'GET', headers));
  }
}

const MACHINE_ROLES = 'meta-data/iam/security-credentials/';
/** How long the token for the machine's metadata is good for: long enough for what is asked with it. */
const TOKEN_SECONDS = '300';

/** Keys as the services of containers and machines give them. */
function keysIn(body: Buffer): EndingKeys {
  const found = JSON.parse(body.toString('utf8')) as Record<string, string | undefined>;
  const { AccessKeyId: accessKey = '', SecretAccessKey: secretKey = '', Token: sessionToken = '' } = found;
  if (accessKey === '' || secretKey === '') {
    throw new OperatingError(
      'aws',
      `the credentials service gives no keys: ${found['Message'] ?? found['Code'] ?? ''}`,
    );
  }
  return { keys: { accessKey, secretKey, sessionToken }, expires: Date.parse(found['Expiration'] ?? '') || Infinity };
}

const keysOf = (profile: Readonly<Record<string, string>>): AwsKeys => ({
  accessKey: profile['aws_access_key_id'] ?? '',
  secretKey: profile['aws_secret_access_key'] ?? '',
  sessionToken: profile['aws_session_token'] ?? '',
});

/** One section of an INI file; undefined when it is not there. */
function iniSection(text: string, section: string): Record<string, string> | undefined {
  let found: Record<string, string> | undefined;
  let inside = false;
  for (const line of text.split('\n')) {
    const head = /^\s*\[\s*(.*?)\s*\]/.exec(line);
    if (head) {
      inside = head[1]!.replace(/\s+/g, ' ') === section;
      if (inside) found ??= {};
      continue;
    }
    const pair = /^\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line);
    if (inside && pair) found![pair[1]!.toLowerCase()] = pair[2]!;
  }
  return found;
}
