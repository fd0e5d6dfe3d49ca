// TLS of probes: options of a connection from a module, and what a connection tells of its certificates and cipher, under
// blackbox_exporter's names.

import net from 'node:net';
import tls, { type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { tlsFrom } from '#clients/http/config.ts';
import { tlsOptions } from '#clients/http/tls.ts';
import type { Page } from '../page.ts';
import type { TlsModule } from './modules.ts';
import type { ProbeContext } from './probe.ts';

/** A connection secured; resolves after the handshake, with its metrics on the page. */
export async function secure(
  socket: net.Socket,
  module: TlsModule | undefined,
  serverName: string,
  { page, disk, note }: ProbeContext,
  protocols?: readonly string[],
): Promise<TLSSocket> {
  const options = tlsOptions(tlsFrom(module), disk);
  const wrapped = tls.connect({
    ...(net.isIP(serverName) > 0 || serverName === '' ? {} : { servername: serverName }),
    ...options,
    socket,
    ...(protocols ? { ALPNProtocols: [...protocols] } : {}),
  });
  await opened(wrapped, 'secureConnect');
  addTls(page, wrapped);
  note(`the TLS handshake succeeded: ${wrapped.getProtocol()}`);
  return wrapped;
}

export function opened(socket: net.Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
}

/** From the server's certificate up; a root refers to itself. */
function chainOf(socket: TLSSocket): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.raw && !chain.some((one) => one.raw.equals(certificate!.raw))) {
    chain.push(certificate);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

function addTls(page: Page, socket: TLSSocket): void {
  const chain = chainOf(socket);
  const expiries = chain.map((certificate) => Date.parse(certificate.valid_to) / 1000);
  const [own] = chain;
  if (own) {
    // The trust anchor does not come from the server.
    const sent = chain.length > 1 && isRoot(chain.at(-1)!) ? expiries.slice(0, -1) : expiries;
    page.single('probe_ssl_earliest_cert_expiry', 'When the first certificate expires.', Math.min(...sent));
    page.single(
      'probe_ssl_last_chain_expiry_timestamp_seconds',
      'When the verified chain expires.',
      socket.authorized ? Math.min(...expiries) : GO_ZERO_TIME,
    );
    page.single('probe_ssl_last_chain_info', 'The certificate of the server.', 1, [
      'fingerprint_sha256',
      own.fingerprint256.replaceAll(':', '').toLowerCase(),
      'issuer',
      distinguishedName(own.issuer),
      'serialnumber',
      own.serialNumber.toLowerCase(),
      'subject',
      distinguishedName(own.subject),
      'subjectalternative',
      [...(own.subjectaltname ?? '').matchAll(/DNS:([^,\s]+)/g)].map((match) => match[1]).join(','),
    ]);
  }
  page.single('probe_tls_version_info', 'The version of TLS.', 1, [
    'version',
    (socket.getProtocol() ?? 'unknown').replace(/^TLSv1$/, 'TLS 1.0').replace('TLSv', 'TLS '),
  ]);
  const cipher = socket.getCipher();
  page.single('probe_tls_cipher_info', 'The cipher of TLS.', 1, ['cipher', cipher.standardName ?? cipher.name]);
}

/** What blackbox_exporter shows where no chain was verified. */
const GO_ZERO_TIME = -62_135_596_800;

const isRoot = (certificate: DetailedPeerCertificate): boolean =>
  certificate.issuerCertificate?.raw.equals(certificate.raw) === true;

/** The most specific part first, as in RFC 2253. */
function distinguishedName(name: tls.Certificate | undefined): string {
  return Object.entries(name ?? {})
    .flatMap(([part, values]) =>
      [values].flat().map((value) => `${part}=${String(value).replace(/[,+"\\<>;]/g, '\\$&')}`),
    )
    .reverse()
    .join(',');
}
