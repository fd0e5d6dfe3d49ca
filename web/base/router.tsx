// The address bar as state. Paths are those below the prefix; the prefix itself is derived from where this script was
// loaded, so the application works below any path without being told.

import { type AnchorHTMLAttributes, type MouseEvent, useMemo, useSyncExternalStore } from 'react';

/** '' or '/some/prefix'. The entry script lies in <prefix>/assets/. */
const script: string = import.meta.url;
export const PREFIX: string = import.meta.env.DEV ? '' : new URL('..', script).pathname.replace(/\/$/, '');

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener('popstate', listener);
  };
}

const address = () => window.location.pathname + window.location.search;

export type Location = { readonly path: string; readonly query: URLSearchParams };

export function parseLocation(full: string): Location {
  const [pathname = '/', search = ''] = full.split('?', 2);
  const below = pathname.startsWith(PREFIX) ? pathname.slice(PREFIX.length) : pathname;
  return { path: below === '' ? '/' : below, query: new URLSearchParams(search) };
}

export function useLocation(): Location {
  const full = useSyncExternalStore(subscribe, address);
  return useMemo(() => parseLocation(full), [full]);
}

/** Goes to a path below the prefix, with its query string. */
export function navigate(to: string, options?: { replace?: boolean }): void {
  const target = PREFIX + to;
  if (target === address()) return;
  if (options?.replace) window.history.replaceState(null, '', target);
  else {
    window.history.pushState(null, '', target);
    if (!to.startsWith(`${parseLocation(address()).path}?`)) window.scrollTo(0, 0);
  }
  for (const listener of listeners) listener();
}

/** Changes some query parameters of the current address; undefined and '' remove, a list stands several times. */
export function changeQuery(
  change: Readonly<Record<string, string | undefined | readonly string[]>>,
  options?: { replace?: boolean },
) {
  const { path, query } = parseLocation(address());
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(change)) {
    next.delete(name);
    if (typeof value === 'object') for (const one of value) next.append(name, one);
    else if (value !== undefined && value !== '') next.set(name, value);
  }
  const text = next.toString();
  navigate(text ? `${path}?${text}` : path, options);
}

/** An address that came with data: paths are those below the prefix, anything else is left as it is. */
export const hrefOf = (url: string): string => (/^\/(?!\/)/.test(url) ? PREFIX + url : url);

/** An anchor that stays inside the application; modified clicks open new tabs as usual. */
export function Link({ to, onClick, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { to: string }) {
  const click = (event: MouseEvent<HTMLAnchorElement>) => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    navigate(to);
  };
  return <a {...rest} href={PREFIX + to} onClick={click} />;
}

/** What a button that is a link needs: an address that opens in a new tab, and a click that stays inside. */
export function linkTo(to: string): { href: string; onClick: (event: MouseEvent<HTMLElement>) => void } {
  return {
    href: PREFIX + to,
    onClick: (event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      navigate(to);
    },
  };
}
