// Jira: an issue per group, found again by a label made of the group's hash; reopened and resolved by named transitions.

import {
  anything,
  boolean,
  duration,
  list,
  map,
  object,
  oneOf,
  optional,
  record,
  type Schema,
  string,
  withDefault,
} from '#base/config/schema.ts';
import type { HttpClient } from '#clients/http/client.ts';
import { url } from '../route/url.ts';
import { groupHash, judge, receiverKind, template, truncateRunes } from './kind.ts';
import type { Delivery } from './receiver.ts';

const SUMMARY_RUNES = 255;
const DESCRIPTION_RUNES = 32_767;
const REPLY_BYTES = 4 << 20;

type TextField = { readonly template: string; readonly enable_update: boolean };

/** Written as a template alone, or with a switch that keeps later notifications from changing it. */
function textField(fallback: string): Schema<TextField> {
  const whole = object({ template: template(fallback), enable_update: withDefault(boolean(), true) });
  const short = map(string(), (text): TextField => ({ template: text, enable_update: true }));
  return {
    expected: 'a template',
    fallback: () => ({ template: fallback, enable_update: true }),
    read: (node, path, reading) =>
      'items' in node ? whole.read(node, path, reading) : short.read(node, path, reading),
  };
}

type Issue = {
  readonly key: string;
  readonly fields?: { readonly status?: { readonly statusCategory: { readonly key: string } } };
};

export const jira = receiverKind(
  'jira_configs',
  true,
  {
    api_url: optional(url()),
    api_type: withDefault(oneOf('auto', 'cloud', 'datacenter'), 'auto'),
    project: template(),
    summary: textField('{{ template "jira.default.summary" . }}'),
    description: textField('{{ template "jira.default.description" . }}'),
    labels: list(string()),
    priority: template('{{ template "jira.default.priority" . }}'),
    issue_type: template(),
    reopen_transition: template(),
    resolve_transition: template(),
    wont_fix_resolution: template(),
    reopen_duration: withDefault(duration(), 0),
    fields: record(anything()),
  },
  (config, global) => {
    if (config.project === '') throw new Error('missing project in jira_config');
    if (config.issue_type === '') throw new Error('missing issue_type in jira_config');
    const base = (config.api_url ?? global.jira_api_url ?? '').replace(/\/$/, '');
    if (base === '') throw new Error('no global Jira Cloud URL set');
    const isCloud =
      config.api_type === 'cloud' || (config.api_type === 'auto' && new URL(base).host.endsWith('atlassian.net'));
    const searchUrl = isCloud ? `${base}/search/jql`.replace('/rest/api/2/', '/rest/api/3/') : `${base}/search`;
    return (_context, http) =>
      async (notification, { text, view }, signal) => {
        const isFiring = view.status === 'firing';
        const hash = groupHash(notification);
        const api = new Api(http, signal);
        try {
          const jql = searchQuery(config, isFiring, text(config.project), hash);
          const found = await api.call<{ issues?: readonly Issue[] }>('POST', searchUrl, {
            jql,
            maxResults: 2,
            fields: ['status'],
          });
          const issue = found.issues?.[0];
          if (!issue && !isFiring) return { ok: true };
          const fields = issueFields(config, text, hash, base.endsWith('/3'));
          if (issue && !config.description.enable_update) delete fields['description'];
          if (issue && !config.summary.enable_update) delete fields['summary'];
          await api.call(issue ? 'PUT' : 'POST', issue ? `${base}/issue/${issue.key}` : `${base}/issue`, { fields });
          const isDone = issue?.fields?.status?.statusCategory.key === 'done';
          const transition = isFiring
            ? isDone
              ? config.reopen_transition
              : ''
            : isDone
              ? ''
              : config.resolve_transition;
          if (!issue?.fields?.status || transition === '') return { ok: true };
          const target = `${base}/issue/${issue.key}/transitions`;
          const known = await api.call<{ transitions: readonly { id: string; name: string }[] }>('GET', target);
          const id = known.transitions.find(({ name }) => name === transition)?.id;
          if (!id)
            return {
              ok: false,
              retry: false,
              reason: 'clientError',
              message: `can't find transition ${transition} for issue ${issue.key}`,
            };
          await api.call('POST', target, { transition: { id } });
          return { ok: true };
        } catch (error) {
          if (error instanceof ApiFailure) return error.delivery;
          throw error;
        }
      };
  },
);

class ApiFailure extends Error {
  readonly delivery: Delivery;
  constructor(delivery: Delivery & { ok: false }) {
    super(delivery.message);
    this.delivery = delivery;
  }
}

class Api {
  readonly #http: HttpClient;
  readonly #signal: AbortSignal;
  constructor(http: HttpClient, signal: AbortSignal) {
    this.#http = http;
    this.#signal = signal;
  }

  async call<T>(method: string, target: string, body?: unknown): Promise<T> {
    const reply = await this.#http.call({
      url: target,
      method,
      headers: { 'content-type': 'application/json', 'accept-language': 'en' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      timeoutMs: 60_000,
      maxBodyBytes: REPLY_BYTES,
      signal: this.#signal,
    });
    const delivery = judge(reply, [429]);
    if (!delivery.ok)
      throw new ApiFailure({ ...delivery, message: `${method} ${new URL(target).pathname}: ${delivery.message}` });
    const answer = reply.body.toString('utf8');
    return (answer === '' ? {} : JSON.parse(answer)) as T;
  }
}

type SearchConfig = {
  readonly wont_fix_resolution: string;
  readonly reopen_transition: string;
  readonly reopen_duration: number;
};

function searchQuery(config: SearchConfig, isFiring: boolean, project: string, hash: string): string {
  const minutes = Math.floor(config.reopen_duration / 60_000);
  const wontFix = config.wont_fix_resolution
    ? `(resolution is EMPTY or resolution != ${JSON.stringify(config.wont_fix_resolution)}) and `
    : '';
  const open =
    isFiring && config.reopen_transition !== '' && minutes > 0
      ? `(resolutiondate is EMPTY OR resolutiondate >= -${minutes}m) and `
      : 'statusCategory != Done and ';
  return `${wontFix}${open}project=${JSON.stringify(project)} and labels="ALERT{${hash}}" order by status ASC,resolutiondate DESC`;
}

type FieldsConfig = {
  readonly project: string;
  readonly issue_type: string;
  readonly summary: TextField;
  readonly description: TextField;
  readonly labels: readonly string[];
  readonly priority: string;
  readonly fields: Readonly<Record<string, unknown>>;
};

function issueFields(
  config: FieldsConfig,
  text: (template: string) => string,
  hash: string,
  isVersion3: boolean,
): Record<string, unknown> {
  const description = truncateRunes(text(config.description.template), DESCRIPTION_RUNES).trim();
  const priority = text(config.priority);
  return {
    ...(expandAll(config.fields, text) as Record<string, unknown>),
    project: { key: text(config.project) },
    issuetype: { name: text(config.issue_type) },
    summary: truncateRunes(text(config.summary.template), SUMMARY_RUNES),
    ...(description === '' ? {} : { description: isVersion3 ? JSON.parse(description) : description }),
    labels: [...config.labels.map(text), `ALERT{${hash}}`].sort(),
    ...(priority === '' ? {} : { priority: { name: priority } }),
  };
}

function expandAll(value: unknown, text: (template: string) => string): unknown {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return value.map((item) => expandAll(item, text));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, expandAll(item, text)]));
}
