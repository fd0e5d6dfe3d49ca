// What the sections remote_write and remote_read have in common: the address, the headers that users may not set, and the
// names that tell several apart.

import { map, type Schema, string } from '#base/config/schema.ts';

/** An absolute address. A scheme other than http and https is taken as Prometheus takes it: nothing ever gets there. */
export const remoteUrl = (section: string): Schema<string> => ({
  ...map(string(), (text) => {
    if (text === '') throw new Error(`url for ${section} is empty`);
    if (!URL.canParse(text)) {
      throw new Error(`expected a URL that begins with http:// or https://, got ${JSON.stringify(text)}`);
    }
    return text;
  }),
});

export const hasWebScheme = (address: string): boolean => /^https?:\/\//i.test(address);

/** Addresses may hold passwords. */
export function redacted(address: string): string {
  const url = new URL(address);
  if (url.password !== '') url.password = 'xxxxx';
  return url.href;
}

/** One without name is called by a number from its address, so that its queue is found again after a restart. */
export function nameOfAddress(address: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < address.length; i++) hash = Math.imul(hash ^ address.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** Names that users gave must differ; tells the index of each that was there before. */
export function repeatedNames(names: readonly string[], report: (index: number, name: string) => void): void {
  const seen = new Set<string>();
  names.forEach((name, index) => {
    if (name === '') return;
    if (seen.has(name)) report(index, name);
    seen.add(name);
  });
}
