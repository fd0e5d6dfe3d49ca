// URLs in an alertmanager's configuration: plain, secret, or templates.

import { systemClock } from '#base/clock.ts';
import { map, secret, string } from '#base/config/schema.ts';
import { errorText } from '#base/errors.ts';
import { alertmanagerFunctions } from '../template/alertmanager.ts';
import { parseTemplates } from '../template/template.ts';

/** A URL with scheme and host; kept as it is written. */
export const url = () =>
  map(
    string(),
    (text) => {
      checkUrl(text);
      return text;
    },
    'a URL',
  );

/** Shown with its host only: credentials, path and parameters stay hidden. */
const shownUrl = (text: string): string => (URL.canParse(text) ? `${new URL(text).origin}/<secret>` : '<secret>');

export const secretUrl = () =>
  map(
    secret(shownUrl),
    (text) => {
      // As it is shown: whoever reads a displayed configuration sees where something is hidden.
      if (text !== '<secret>') checkUrl(text);
      return text;
    },
    'a URL',
  );

/** A secret URL that may be a template; checked as a URL only when it is none. */
export const templateUrl = () =>
  map(
    secret(shownUrl),
    (text) => {
      if (text.includes('{{')) checkTemplate(text);
      else if (text !== '' && text !== '<secret>') checkUrl(text);
      return text;
    },
    'a URL',
  );

function checkTemplate(text: string): void {
  try {
    parseTemplates([{ name: 'url', text }], { functions: alertmanagerFunctions(systemClock) });
  } catch (error) {
    throw new Error(`invalid template syntax: ${errorText(error)}`);
  }
}

function checkUrl(text: string): void {
  let parsed: URL;
  try {
    parsed = new URL(text);
  } catch {
    throw new Error('expected a URL with scheme and host');
  }
  if (!/^https?:$/.test(parsed.protocol))
    throw new Error(`unsupported scheme "${parsed.protocol.slice(0, -1)}" for URL`);
  if (parsed.host === '') throw new Error('missing host for URL');
}
