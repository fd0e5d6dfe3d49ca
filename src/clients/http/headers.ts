// Headers of requests to remotes and trace collectors that users may not set, because the protocols set them.

/** Headers that the protocol itself sets. */
const RESERVED = new Set([
  'host',
  'content-encoding',
  'content-length',
  'content-type',
  'user-agent',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'www-authenticate',
  'accept-encoding',
  'x-prometheus-remote-write-version',
  'x-prometheus-remote-read-version',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-content-sha256',
]);

const AUTHORIZATION =
  'authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter';

/** Reports what users may not set; how `authorization` is refused depends on the section. */
export function checkHeaders(
  headers: Readonly<Record<string, string>>,
  report: (message: string) => void,
  authorization = AUTHORIZATION,
): void {
  for (const name of Object.keys(headers)) {
    if (name.toLowerCase() === 'authorization') report(authorization);
    else if (RESERVED.has(name.toLowerCase())) report(`${name} is a reserved header. It must not be changed`);
  }
}
