// The tcp and unix probers: connect, and walk through a conversation of expected and sent lines or bytes, with TLS from the start or
// from STARTTLS on.

import net from 'node:net';
import { re2 } from '#base/regex/engine.ts';
import { opened, secure } from './certificates.ts';
import type { QueryResponse, TcpModule, TlsModule, UnixModule } from './modules.ts';
import { type ProbeContext, resolveHost } from './probe.ts';

const MAX_BUFFERED_BYTES = 65_536;

export async function probeTcp(module: TcpModule, target: string, context: ProbeContext): Promise<boolean> {
  const at = target.lastIndexOf(':');
  const [host, port] = [target.slice(0, at).replace(/^\[|\]$/g, ''), Number(target.slice(at + 1))];
  if (at < 0 || !Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`"${target}" is no host:port`);
  const address = await resolveHost(host, module, context);
  const socket = net.connect({
    host: address,
    port,
    ...(module.source_ip_address ? { localAddress: module.source_ip_address } : {}),
  });
  return talk(module, socket, context.hostname ?? host, context);
}

export const probeUnix = (module: UnixModule, target: string, context: ProbeContext): Promise<boolean> =>
  talk(module, net.connect({ path: target }), '', context);

async function talk(
  module: UnixModule,
  socket: net.Socket,
  serverName: string,
  context: ProbeContext,
): Promise<boolean> {
  const { page, signal, note } = context;
  const destroy = () => socket.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  page.single(...REGEX, 0);
  page.single(...BYTES, 0);
  try {
    await opened(socket, 'connect');
    note('connected');
    const first = module.tls ? await secure(socket, module.tls_config, serverName, context) : socket;
    return await converse(module.query_response, first, module.tls_config, serverName, context);
  } finally {
    signal.removeEventListener('abort', destroy);
    socket.destroy();
  }
}

const REGEX = ['probe_failed_due_to_regex', 'Whether a regular expression made the probe fail.'] as const;
const BYTES = ['probe_failed_due_to_bytes', 'Whether expected bytes made the probe fail.'] as const;

async function converse(
  steps: QueryResponse,
  first: net.Socket,
  tls: TlsModule | undefined,
  serverName: string,
  context: ProbeContext,
): Promise<boolean> {
  const { page, note } = context;
  let socket = first;
  let input = new Input(socket);
  for (const step of steps) {
    let { send } = step;
    if (step.expect !== '') {
      const matched = await expectLine(input, step.expect);
      if (matched === undefined) {
        note(`the connection ended before a line matched ${step.expect}`);
        page.single(...REGEX, 1);
        return false;
      }
      note(`a line matched ${step.expect}`);
      send = expand(send, matched, (text) => Buffer.from(text).toString('latin1'));
      if (step.labels.length > 0)
        page.gauge(
          'probe_expect_info',
          'What was matched.',
          1,
          step.labels
            .map(({ name, value }) => [name, expand(value, matched, (text) => text)] as const)
            .sort((a, b) => (a[0] < b[0] ? -1 : 1))
            .flat(),
        );
    }
    if (step.expect_bytes !== '') {
      const got = await input.bytes(step.expect_bytes.length);
      if (got !== step.expect_bytes) {
        note(`the bytes are not those expected`);
        page.single(...BYTES, 1);
        return false;
      }
    }
    if (send !== '') socket.write(`${send}\n`, 'latin1');
    if (step.starttls) {
      input.stop();
      socket = await secure(socket, tls, serverName, context);
      input = new Input(socket);
    }
  }
  return true;
}

/** The groups of the first line that matches; undefined when the connection ends before. */
export async function expectLine(
  input: { line(): Promise<string | undefined> },
  expect: string,
): Promise<string[] | undefined> {
  const pattern = re2().compile(expect);
  for (;;) {
    const line = await input.line();
    if (line === undefined) return undefined;
    const matcher = pattern.matcher(line);
    if (matcher.find())
      return Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? '');
  }
}

/** "$1" and "${1}" are groups; those that there are not are empty. */
export const expand = (template: string, groups: readonly string[], encode: (text: string) => string): string =>
  template.replace(/\$(?:\{(\d+)\}|(\d+))/g, (_, braced?: string, bare?: string) =>
    encode(groups[Number(braced ?? bare)] ?? ''),
  );

/** What has been received, by lines or by bytes. */
class Input {
  readonly #socket: net.Socket;
  #rest = '';
  #ended = false;
  #wake: (() => void) | undefined;
  readonly #take = (chunk: Buffer) => {
    this.#rest += chunk.toString('latin1');
    if (this.#rest.length > MAX_BUFFERED_BYTES) this.#socket.destroy();
    this.#wake?.();
  };

  constructor(socket: net.Socket) {
    this.#socket = socket;
    const end = () => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('data', this.#take);
    for (const event of ['error', 'close', 'end']) socket.on(event, end);
  }

  /** Undefined when the connection has ended. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) {
        const line = this.#rest.slice(0, end).replace(/\r$/, '');
        this.#rest = this.#rest.slice(end + 1);
        return Buffer.from(line, 'latin1').toString('utf8');
      }
      if (this.#ended) return undefined;
      await this.#more();
    }
  }

  /** So many bytes, or fewer when the connection ends. */
  async bytes(count: number): Promise<string> {
    while (this.#rest.length < count && !this.#ended) await this.#more();
    const got = this.#rest.slice(0, count);
    this.#rest = this.#rest.slice(count);
    return got;
  }

  stop(): void {
    this.#socket.off('data', this.#take);
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
