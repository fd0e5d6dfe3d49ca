// What every long-running role shares: its web server with the configuration file followed, and its signals.

import v8 from 'node:v8';
import type { Clock } from '#base/clock.ts';
import { every } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Tracer } from '#clients/otlp/tracer.ts';
import type { Route } from '#serve/http.ts';
import type { HttpMetrics } from '#serve/http-metrics.ts';
import { HttpServer } from '#serve/server.ts';
import type { WebFlags } from './flags.ts';

/**
 * Leaves out the compilers that buy speed with memory: for a role that works for some milliseconds and then waits, they cost more than
 * they give back. Takes effect for threads that are started afterwards, too.
 */
export function compileLess(): void {
  for (const flag of ['--no-turbofan', '--no-maglev']) v8.setFlagsFromString(flag);
}

export type ExternalUrl = { readonly url: URL; readonly prefix: string };

/** Where the server is reached from outside and where its routes begin. */
export function externalUrl(flags: WebFlags, hostname: string): ExternalUrl {
  const given = flags['web.external-url'];
  const port = /:(\d+)$/.exec(flags['web.listen-address'][0] ?? '')?.[1] ?? '';
  let url: URL;
  try {
    url = new URL(given === '' ? `http://${hostname}:${port}/` : given);
  } catch (error) {
    throw new UserError(`invalid value ${JSON.stringify(given)} of flag --web.external-url: ${errorText(error)}`);
  }
  const trim = (path: string) => (path.replace(/\/+$/, '') === '' ? '' : `/${path.replace(/^\/+|\/+$/g, '')}`);
  url.pathname = trim(url.pathname);
  return { url, prefix: trim(flags['web.route-prefix'] || url.pathname) };
}

const WEB_CONFIG_POLL_MS = 1000;

/** A server that listens, with its web configuration followed as the file changes. */
export async function startWeb(
  flags: WebFlags,
  prefix: string,
  routes: readonly Route[],
  clock: Clock,
  logger: Logger,
  metrics: HttpMetrics,
  tracer?: Tracer,
): Promise<{ server: HttpServer; stop: () => Promise<void> }> {
  const server = new HttpServer(
    {
      addresses: flags['web.listen-address'],
      prefix,
      corsOrigin: new RegExp(`^(?:${flags['web.cors.origin']})$`),
      readTimeoutMs: flags['web.read-timeout'],
      maxConnections: flags['web.max-connections'],
      maxBodyBytes: flags['web.max-body-size'],
    },
    routes,
    clock,
    logger,
    metrics,
    tracer,
  );
  const file = flags['web.config.file'];
  const stamp = () => (nodeDisk.exists(file) ? nodeDisk.modified(file) : 0);
  let seen = 0;
  const load = async () => {
    seen = stamp();
    const { loadWebConfig } = await import('#serve/web-config.ts');
    server.configure(loadWebConfig(file, nodeDisk));
  };
  if (file !== '') await load();
  for (const { address, family, port } of await server.listen()) {
    logger.info('Listening on', { address: family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}` });
  }
  const follow = every(clock, WEB_CONFIG_POLL_MS, async () => {
    if (file === '' || stamp() === seen) return;
    try {
      await load();
      logger.info('web configuration loaded', { file });
    } catch (error) {
      logger.error('cannot load the web configuration; the one before stays in force', { file, err: error });
    }
  });
  return {
    server,
    async stop() {
      follow.cancel();
      await server.stop();
    },
  };
}

export type Signals = {
  /** Resolves with what ended the process: a signal's name or 'request'. */
  readonly ended: Promise<string>;
  /** For /-/quit. */
  quit(): void;
};

/** SIGTERM and SIGINT end the process gracefully; a second SIGINT ends it at once. SIGHUP reloads. */
export function handleSignals(logger: Logger, reload: () => void): Signals {
  let end: (why: string) => void = () => {};
  const ended = new Promise<string>((resolve) => {
    end = resolve;
  });
  let interrupted = false;
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => {
    if (interrupted) {
      logger.warn('interrupted twice: exiting at once');
      process.exit(130);
    }
    interrupted = true;
    end('SIGINT');
  });
  process.on('SIGHUP', reload);
  return { ended, quit: () => end('request') };
}
