// A small SMTP client: one message over one connection. STARTTLS or TLS from the start, AUTH PLAIN, LOGIN and CRAM-MD5, the
// answers of the server in every error.

import { createHmac } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { errorText, OperatingError } from '#base/errors.ts';

export type SmtpOptions = {
  readonly host: string;
  readonly port: number;
  /** The name given in EHLO. */
  readonly hello: string;
  readonly tls: tls.ConnectionOptions;
  /** TLS from the first byte, as on port 465. */
  readonly implicitTls: boolean;
  /** Switch to TLS before anything else, or refuse to send. Without it nothing is encrypted, even if the server offers it. */
  readonly requireTls: boolean;
  readonly auth?: {
    readonly username: string;
    readonly password: string;
    readonly secret: string;
    readonly identity: string;
  };
  readonly signal: AbortSignal;
};

export type Envelope = { readonly from: string; readonly to: readonly string[]; readonly message: string };

/** Codes of 4xx answers pass by themselves; `temporary` in the error's code says so. */
export class SmtpError extends OperatingError {
  readonly reply: number;
  constructor(reply: number, message: string) {
    super(reply >= 400 && reply < 500 ? 'smtp_temporary' : 'smtp_permanent', message);
    this.reply = reply;
  }
}

export async function sendMail(options: SmtpOptions, { from, to, message }: Envelope): Promise<void> {
  const connection = await Connection.open(options);
  try {
    await connection.expect(220, 'greeting');
    let extensions = await connection.hello(options.hello);
    if (options.requireTls && !options.implicitTls) {
      if (!extensions.has('STARTTLS')) {
        throw new SmtpError(
          500,
          `'require_tls' is true (default) but "${options.host}:${options.port}" does not advertise the STARTTLS extension`,
        );
      }
      await connection.command('STARTTLS', 220);
      await connection.upgrade(options);
      extensions = await connection.hello(options.hello);
    }
    const offered = extensions.get('AUTH');
    if (options.auth && offered !== undefined) await authenticate(connection, offered, options.auth, options);
    await connection.command(`MAIL FROM:<${from}>`, 250);
    for (const address of to) await connection.command(`RCPT TO:<${address}>`, 250);
    await connection.command('DATA', 354);
    await connection.data(message);
    await connection.command('QUIT', 221).catch(() => {});
  } finally {
    connection.close();
  }
}

async function authenticate(
  connection: Connection,
  offered: string,
  auth: NonNullable<SmtpOptions['auth']>,
  { host, implicitTls, requireTls }: SmtpOptions,
): Promise<void> {
  const mechanisms = offered.toUpperCase().split(/\s+/);
  const encode = (text: string) => Buffer.from(text).toString('base64');
  for (const mechanism of mechanisms) {
    if (mechanism === 'CRAM-MD5' && auth.secret !== '') {
      const challenge = Buffer.from((await connection.command('AUTH CRAM-MD5', 334)).at(-1) ?? '', 'base64').toString();
      const digest = createHmac('md5', auth.secret).update(challenge).digest('hex');
      await connection.command(encode(`${auth.username} ${digest}`), 235);
      return;
    }
    if (mechanism === 'PLAIN' && auth.password !== '') {
      // As in Go: the password itself does not go over a network in the clear.
      if (!implicitTls && !requireTls && !LOCAL_HOSTS.includes(host))
        throw new SmtpError(500, 'PLAIN auth: unencrypted connection');
      await connection.command(`AUTH PLAIN ${encode(`${auth.identity}\0${auth.username}\0${auth.password}`)}`, 235);
      return;
    }
    if (mechanism === 'LOGIN' && auth.password !== '') {
      await connection.command('AUTH LOGIN', 334);
      await connection.command(encode(auth.username), 334);
      await connection.command(encode(auth.password), 235);
      return;
    }
  }
  throw new SmtpError(500, `no credentials for the auth mechanisms that the server offers: ${offered}`);
}

const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'];

class Connection {
  #socket: net.Socket;
  #buffer = '';
  #waiting: { resolve: (line: string) => void; reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;

  constructor(socket: net.Socket, signal: AbortSignal) {
    this.#socket = socket;
    this.#listen(socket);
    signal.addEventListener('abort', () => this.#fail(new OperatingError('canceled', errorText(signal.reason))), {
      once: true,
    });
  }

  static async open(options: SmtpOptions): Promise<Connection> {
    const { host, port } = options;
    const target = { host, port };
    const socket = options.implicitTls
      ? tls.connect({ ...options.tls, ...target, servername: serverName(options) })
      : net.connect(target);
    const connection = new Connection(socket, options.signal);
    await connection.#ready(
      options.implicitTls ? 'secureConnect' : 'connect',
      `establish connection to server ${host}:${port}`,
    );
    return connection;
  }

  async upgrade(options: SmtpOptions): Promise<void> {
    this.#socket.removeAllListeners('data');
    this.#socket.removeAllListeners('error');
    this.#socket = tls.connect({ ...options.tls, socket: this.#socket, servername: serverName(options) });
    this.#listen(this.#socket);
    await this.#ready('secureConnect', 'send STARTTLS command');
  }

  /** Extensions by name, with what stands behind it. */
  async hello(name: string): Promise<Map<string, string>> {
    const lines = await this.command(`EHLO ${name}`, 250);
    return new Map(
      lines.slice(1).map((line): [string, string] => {
        const space = line.search(/[ =]/);
        return space < 0 ? [line.toUpperCase(), ''] : [line.slice(0, space).toUpperCase(), line.slice(space + 1)];
      }),
    );
  }

  async command(line: string, wanted: number): Promise<string[]> {
    this.#socket.write(`${line}\r\n`);
    return this.expect(wanted, line.replace(/^(AUTH \S+).*/, '$1'));
  }

  /** Dots at the start of lines are doubled, as a single one would end the message. */
  async data(message: string): Promise<void> {
    this.#socket.write(`${message.replace(/\r?\n/g, '\r\n').replace(/^\./gm, '..')}\r\n.\r\n`);
    await this.expect(250, 'the message');
  }

  async expect(wanted: number, what: string): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.#line();
      const code = Number(line.slice(0, 3));
      lines.push(line.slice(4));
      if (line[3] === '-') continue;
      if (code === wanted) return lines;
      throw new SmtpError(code || 500, `${what}: the server answered ${code} ${lines.join(' ')}`);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #ready(event: string, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve: () => {}, reject: (error) => reject(new SmtpError(450, `${what}: ${error.message}`)) };
      this.#socket.once(event, () => {
        this.#waiting = undefined;
        resolve();
      });
    });
  }

  #listen(socket: net.Socket): void {
    socket.on('data', (bytes: Buffer) => {
      this.#buffer += bytes.toString('utf8');
      this.#deliver();
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  #line(): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiting = { resolve, reject };
      this.#deliver();
    });
  }

  #deliver(): void {
    const end = this.#buffer.indexOf('\n');
    if (end < 0 || !this.#waiting) return;
    const line = this.#buffer.slice(0, end).replace(/\r$/, '');
    this.#buffer = this.#buffer.slice(end + 1);
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve(line);
  }

  #fail(error: Error): void {
    this.#failure ??= new SmtpError(450, error.message);
    this.#socket.destroy();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(this.#failure);
  }
}

const serverName = (options: SmtpOptions): string =>
  options.tls.servername ?? (net.isIP(options.host) ? '' : options.host);
