// Which proxy, if any, a URL is reached through: from the configuration or, when it says so, from the environment.

import type { ProxyConfig } from './config.ts';

export function proxyFor(
  url: URL,
  config: ProxyConfig,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (config.fromEnvironment) {
    const read = (name: string) => environment[name.toUpperCase()] || environment[name.toLowerCase()] || undefined;
    const proxy = read(url.protocol === 'https:' ? 'https_proxy' : 'http_proxy');
    // As in Go: programs talk to their own host directly.
    if (/^(localhost|127\.|\[::1\])/.test(url.hostname)) return undefined;
    return proxy === undefined || isExcluded(url, read('no_proxy') ?? '') ? undefined : withScheme(proxy);
  }
  if (!config.url || isExcluded(url, config.noProxy ?? '')) return undefined;
  return withScheme(config.url);
}

const withScheme = (proxy: string) => (proxy.includes('://') ? proxy : `http://${proxy}`);

/** A list of host names (with their subdomains), ".suffix", addresses, CIDR blocks, each with an optional port, or "*". */
export function isExcluded(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const block = /^([\d.]+)\/(\d+)$/.exec(entry);
      if (block) return inBlock(host, block[1]!, Number(block[2]));
      const [, name = '', onlyPort] = /^(.*?)(?::(\d+))?$/.exec(entry)!;
      if (onlyPort !== undefined && onlyPort !== port) return false;
      const suffix = name.replace(/^\*?\./, '');
      if (name.startsWith('.') || name.startsWith('*.')) return host.endsWith(`.${suffix}`);
      return host === suffix || host.endsWith(`.${suffix}`);
    });
}

function inBlock(host: string, network: string, bits: number): boolean {
  const [a, b] = [addressOf(host), addressOf(network)];
  if (a === undefined || b === undefined || bits > 32) return false;
  const size = 2 ** (32 - bits);
  return Math.floor(a / size) === Math.floor(b / size);
}

function addressOf(text: string): number | undefined {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}
