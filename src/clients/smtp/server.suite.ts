// A mail server for tests: greets, offers what it is told to, encrypts, checks credentials, keeps what it was sent. It refuses commands that
// come out of order, so that a client which skips a step is noticed.

import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';

export type MailServerOptions = {
  readonly startTls?: boolean;
  /** TLS from the first byte. */
  readonly implicitTls?: boolean;
  readonly auth?: readonly ('PLAIN' | 'LOGIN' | 'CRAM-MD5')[];
  /** An answer instead of the usual one. */
  readonly refuse?: (line: string) => string | undefined;
};

export const MAIL_USER = { name: 'alert', password: 'pass word', secret: 'shared' } as const;

export type Mail = {
  readonly from: string;
  readonly to: readonly string[];
  /** As sent, dots undone. */
  readonly text: string;
  readonly encrypted: boolean;
  /** The mechanism that was used. */
  readonly auth: string | undefined;
};

/** A certificate for 127.0.0.1 and localhost, signed by itself; made by openssl. */
export function selfSigned(): { readonly key: string; readonly cert: string; readonly certFile: string } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-smtp-'));
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...names], { stdio: 'pipe' });
  return { key: fs.readFileSync(key, 'utf8'), cert: fs.readFileSync(cert, 'utf8'), certFile: cert };
}

export type MailServer = {
  readonly port: number;
  readonly mails: Mail[];
  /** Commands as they came. */
  readonly lines: string[];
  close(): void;
};

export async function mailServer(
  options: MailServerOptions = {},
  identity?: { readonly key: string; readonly cert: string },
): Promise<MailServer> {
  const mails: Mail[] = [];
  const lines: string[] = [];
  const serve = (socket: net.Socket, encrypted: boolean, greets: boolean): void =>
    session(socket, { options, encrypted, greets, lines, mails }, (plain) => {
      const secured = new tls.TLSSocket(plain, { isServer: true, ...identity });
      secured.on('error', () => {});
      serve(secured, true, false);
    });
  const server = options.implicitTls
    ? tls.createServer({ ...identity }, (socket) => serve(socket, true, true))
    : net.createServer((socket) => serve(socket, false, true));
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as net.AddressInfo).port, mails, lines, close: () => server.close() };
}

type Session = {
  readonly options: MailServerOptions;
  readonly encrypted: boolean;
  readonly greets: boolean;
  readonly lines: string[];
  readonly mails: Mail[];
};

const CHALLENGE = '<1896.697170952@test>';
const decode = (text: string) => Buffer.from(text, 'base64').toString();
const encode = (text: string) => Buffer.from(text).toString('base64');

function session(
  socket: net.Socket,
  { options, encrypted, greets, lines, mails }: Session,
  secure: (socket: net.Socket) => void,
): void {
  let buffer = '';
  let from: string | undefined;
  let to: string[] = [];
  let data: string[] | undefined;
  let auth: string | undefined;
  /** Reads the next line of an authentication that is going on. */
  let next: ((line: string) => void) | undefined;
  const say = (text: string) => socket.write(`${text}\r\n`);
  const judge = (mechanism: string, isRight: boolean) => {
    next = undefined;
    if (isRight) auth = mechanism;
    say(isRight ? '235 welcome' : '535 authentication failed');
  };
  const authenticate = (mechanism: string, initial: string | undefined) => {
    if (!options.auth?.some((offered) => offered === mechanism)) return say('504 no such mechanism');
    if (mechanism === 'PLAIN') {
      const check = (line: string) => judge(mechanism, decode(line) === `\0${MAIL_USER.name}\0${MAIL_USER.password}`);
      if (initial !== undefined) return check(initial);
      next = check;
      return say('334 ');
    }
    if (mechanism === 'LOGIN') {
      next = (name) => {
        next = (password) =>
          judge(mechanism, decode(name) === MAIL_USER.name && decode(password) === MAIL_USER.password);
        say(`334 ${encode('Password:')}`);
      };
      return say(`334 ${encode('Username:')}`);
    }
    const digest = createHmac('md5', MAIL_USER.secret).update(CHALLENGE).digest('hex');
    next = (line) => judge(mechanism, decode(line) === `${MAIL_USER.name} ${digest}`);
    return say(`334 ${encode(CHALLENGE)}`);
  };
  const command = (line: string) => {
    const refusal = options.refuse?.(line);
    if (refusal) return say(refusal);
    const [verb = '', ...rest] = line.split(' ');
    switch (verb.toUpperCase()) {
      case 'EHLO': {
        const offers = ['test', '8BITMIME'];
        if (options.startTls && !encrypted) offers.push('STARTTLS');
        if (options.auth) offers.push(`AUTH ${options.auth.join(' ')}`);
        return offers.forEach((offer, i) => {
          say(`250${i < offers.length - 1 ? '-' : ' '}${offer}`);
        });
      }
      case 'STARTTLS':
        if (!options.startTls || encrypted) return say('503 not now');
        socket.removeAllListeners('data');
        say('220 go ahead');
        return secure(socket);
      case 'AUTH':
        return authenticate(rest[0] ?? '', rest[1]);
      case 'MAIL':
        if (options.auth && auth === undefined) return say('530 authentication required');
        from = /<([^>]*)>/.exec(line)?.[1];
        return say('250 fine');
      case 'RCPT':
        if (from === undefined) return say('503 MAIL first');
        to.push(/<([^>]*)>/.exec(line)?.[1] ?? '');
        return say('250 fine');
      case 'DATA':
        if (to.length === 0) return say('503 RCPT first');
        data = [];
        return say('354 go on');
      case 'QUIT':
        return socket.end('221 bye\r\n');
      default:
        return say('500 unknown command');
    }
  };
  const take = (line: string) => {
    if (data) {
      if (line !== '.') return data.push(line.replace(/^\./, ''));
      mails.push({ from: from ?? '', to, text: data.join('\r\n'), encrypted, auth });
      [from, to, data] = [undefined, [], undefined];
      return say('250 queued');
    }
    lines.push(line);
    return next ? next(line) : command(line);
  };
  if (greets) say('220 test ESMTP');
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    buffer += bytes.toString();
    for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
      const line = buffer.slice(0, end);
      buffer = buffer.slice(end + 2);
      take(line);
    }
  });
}
