// Access tokens of Google Cloud: for the key of a service account, for the credentials that gcloud leaves for programs, or from
// the metadata service of the machine.

import { createSign } from 'node:crypto';
import path from 'node:path';
import { errorText, OperatingError } from '#base/errors.ts';
import { type CloudParts, type Token, tokenFrom } from './signer.ts';

const SCOPE = 'https://www.googleapis.com/auth/monitoring.write';
const TOKEN_URI = 'https://oauth2.googleapis.com/token';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

type Credentials = Readonly<Record<string, string | undefined>>;

export async function googleToken(file: string | undefined, parts: CloudParts): Promise<Token> {
  const { environment, disk } = parts;
  if (file) {
    const credentials = read(file, parts);
    if (credentials['type'] !== 'service_account') {
      throw new OperatingError('google', `${file} is no key of a service account: its type is ${credentials['type']}`);
    }
    return accountToken(credentials, file, parts);
  }
  const named = environment['GOOGLE_APPLICATION_CREDENTIALS'];
  const home = path.join(environment['HOME'] ?? '/', '.config/gcloud/application_default_credentials.json');
  const found = named || (disk.exists(home) ? home : '');
  if (found === '') return machineToken(parts);
  const credentials = read(found, parts);
  switch (credentials['type']) {
    case 'service_account':
      return accountToken(credentials, found, parts);
    case 'authorized_user':
      return userToken(credentials, parts);
    default:
      throw new OperatingError('google', `${found}: credentials of type ${credentials['type']} are not supported`);
  }
}

function read(file: string, { disk }: CloudParts): Credentials {
  try {
    return JSON.parse(Buffer.from(disk.readFile(file)).toString('utf8')) as Credentials;
  } catch (error) {
    throw new OperatingError('google', `cannot read credentials ${file}: ${errorText(error)}`, { cause: error });
  }
}

async function accountToken(credentials: Credentials, file: string, { clock, call }: CloudParts): Promise<Token> {
  const { client_email: email, private_key: key, private_key_id: keyId, token_uri: uri = TOKEN_URI } = credentials;
  if (!email || !key) throw new OperatingError('google', `${file} has no client_email or no private_key`);
  const now = Math.floor(clock.now() / 1000);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = encode({ alg: 'RS256', typ: 'JWT', ...(keyId ? { kid: keyId } : {}) });
  const claims = encode({ iss: email, scope: SCOPE, aud: uri, iat: now, exp: now + 3600 });
  const signature = createSign('RSA-SHA256').update(`${header}.${claims}`).sign(key, 'base64url');
  const form = new URLSearchParams({ grant_type: JWT_BEARER, assertion: `${header}.${claims}.${signature}` });
  return tokenFrom(await call(uri, { method: 'POST', headers: FORM, body: form.toString() }), clock.now(), 'Google');
}

async function userToken(credentials: Credentials, { clock, call }: CloudParts): Promise<Token> {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: credentials['client_id'] ?? '',
    client_secret: credentials['client_secret'] ?? '',
    refresh_token: credentials['refresh_token'] ?? '',
  });
  const uri = credentials['token_uri'] ?? TOKEN_URI;
  return tokenFrom(await call(uri, { method: 'POST', headers: FORM, body: form.toString() }), clock.now(), 'Google');
}

async function machineToken({ environment, clock, call }: CloudParts): Promise<Token> {
  const host = environment['GCE_METADATA_HOST'] || 'metadata.google.internal';
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token?scopes=${encodeURIComponent(SCOPE)}`;
  return tokenFrom(await call(url, { headers: { 'metadata-flavor': 'Google' } }), clock.now(), 'the metadata service');
}
