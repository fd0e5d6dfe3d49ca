// What a file of a receiver kind declares, and what it builds on: the global section, rendering, and judging replies.

import { createHash } from 'node:crypto';
import type { Clock } from '#base/clock.ts';
import {
  boolean,
  map,
  type ObjectOf,
  object,
  optional,
  type Schema,
  string,
  withDefault,
} from '#base/config/schema.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { HttpClient, HttpReply } from '#clients/http/client.ts';
import { type HttpClientConfig, httpClientFrom, httpClientSection, type RawHttpClient } from '#clients/http/config.ts';
import type { GlobalConfig } from '../route/global.ts';
import { escapeJson } from '../template/json.ts';
import type { FailureReason } from './metrics.ts';
import type { Delivery, Integration, Notification } from './receiver.ts';
import type { Rendered } from './render.ts';

/** What an integration is given to work with. */
export type NotifyContext = {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly http: (config: HttpClientConfig | undefined) => HttpClient;
  readonly render: (notification: Notification) => Rendered;
  /** Of this alertmanager, without a slash at the end. */
  readonly externalUrl: string;
};

export type Notify = (notification: Notification, rendered: Rendered, signal: AbortSignal) => Promise<Delivery>;
export type BuildIntegration = (context: NotifyContext, index: number) => Integration;

export type ReceiverKind = {
  /** The field of a receiver: 'webhook_configs'. */
  readonly key: string;
  /** In metrics and the notification log: 'webhook'. */
  readonly kind: string;
  /** One entry; reports at its position what is wrong with it or missing in `global`. */
  readonly entry: (global: GlobalConfig) => Schema<BuildIntegration>;
};

type Fields = Readonly<Record<string, Schema<unknown>>>;

const common = (sendResolved: boolean) =>
  ({ send_resolved: withDefault(boolean(), sendResolved), http_config: optional(httpClientSection) }) as const;

/** `build` gets the entry and may throw what is wrong; it returns how to make the sending function. */
export function receiverKind<F extends Fields>(
  key: string,
  sendResolved: boolean,
  fields: F,
  build: (config: ObjectOf<F>, global: GlobalConfig) => (context: NotifyContext, http: HttpClient) => Notify,
): ReceiverKind {
  const kind = key.replace(/_configs$/, '');
  return {
    key,
    kind,
    entry: (global) =>
      map(object({ ...fields, ...common(sendResolved) }), (raw) => {
        const config = raw as unknown as ObjectOf<F> & {
          send_resolved: boolean;
          http_config: RawHttpClient | undefined;
        };
        const make = build(config, global);
        const http = config.http_config
          ? httpClientFrom(
              kind === 'msteamsv2' ? withProxyOf(global, config.http_config) : config.http_config,
              global.resolve,
            )
          : global.http;
        return (context, index) => {
          const notify = make(context, context.http(http));
          return {
            kind,
            index,
            sendResolved: config.send_resolved,
            async notify(notification, signal) {
              let rendered: Rendered;
              try {
                rendered = context.render(notification);
                return await notify(notification, rendered, signal);
              } catch (error) {
                if (error instanceof RenderError)
                  return { ok: false, retry: false, reason: 'other', message: error.message };
                return {
                  ok: false,
                  retry: !signal.aborted,
                  reason: signal.aborted ? 'contextDeadlineExceeded' : 'other',
                  message: errorText(error),
                };
              }
            },
          };
        };
      }),
  };
}

/** Upstream lets this kind alone take over the proxy of the global section when its own section names none. */
const withProxyOf = ({ http_config }: GlobalConfig, own: RawHttpClient): RawHttpClient =>
  own.proxy_url || own.proxy_from_environment || !http_config?.proxy_url
    ? own
    : { ...own, proxy_url: http_config.proxy_url };

/** A template that failed: trying again cannot help. */
export class RenderError extends Error {
  override readonly name = 'RenderError';
}

const REPLY_BYTES = 1 << 20;
const CALL_TIMEOUT_MS = 60_000;

export function postJson(
  http: HttpClient,
  url: string,
  body: unknown,
  signal: AbortSignal,
  headers: Readonly<Record<string, string>> = {},
  timeoutMs = CALL_TIMEOUT_MS,
): Promise<HttpReply> {
  return http.call({
    url,
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    // As Go's encoder writes it, its line end included.
    body: `${escapeJson(JSON.stringify(body))}\n`,
    timeoutMs,
    maxBodyBytes: REPLY_BYTES,
    signal,
  });
}

export function getUrl(http: HttpClient, url: string, signal: AbortSignal): Promise<HttpReply> {
  return http.call({ url, timeoutMs: CALL_TIMEOUT_MS, maxBodyBytes: REPLY_BYTES, signal });
}

/** 2xx is delivered; 5xx and the codes of the service's own are tried again. */
export function judge(
  reply: HttpReply,
  retryCodes: readonly number[] = [],
  details = reply.body.toString('utf8').slice(0, 500),
): Delivery {
  const { status } = reply;
  if (status >= 200 && status < 300) return { ok: true };
  const retry = status >= 500 || retryCodes.includes(status);
  const text = details.trim();
  return {
    ok: false,
    retry,
    reason: reasonOf(status),
    message: `unexpected status code ${status}${text ? `: ${text}` : ''}`,
  };
}

function reasonOf(status: number): FailureReason {
  if (status === 401 || status === 403) return 'authError';
  if (status === 429) return 'rateLimited';
  return status >= 500 ? 'serverError' : status >= 400 ? 'clientError' : 'other';
}

/** A secret that stands in the configuration or, read anew each time, in a file. */
export function secretOf(
  context: NotifyContext,
  global: GlobalConfig,
  text: string | undefined,
  file: string | undefined,
): string {
  if (text !== undefined && text !== '') return text;
  if (file === undefined) return '';
  return new TextDecoder().decode(context.disk.readFile(global.resolve(file))).trim();
}

/** At most `limit` code points, the last one an ellipsis if something was cut. */
export function truncateRunes(text: string, limit: number): string {
  const points = [...text];
  if (points.length <= limit) return text;
  return limit <= 3 ? points.slice(0, limit).join('') : `${points.slice(0, limit - 1).join('')}…`;
}

/** At most `limit` bytes of UTF-8, never half a character. */
export function truncateBytes(text: string, limit: number): string {
  if (Buffer.byteLength(text) <= limit) return text;
  let kept = '';
  let size = 3;
  for (const point of text) {
    size += Buffer.byteLength(point);
    if (size > limit) break;
    kept += point;
  }
  return `${kept}…`;
}

/** A stable short name of a group, for services that want to recognise it again. */
export const groupHash = (notification: Notification): string =>
  createHash('sha256').update(notification.groupKey).digest('hex');

/** Text that is a template, with upstream's default. */
export const template = (fallback = '') => withDefault(string(), fallback);

/** Exactly one of two fields must be given. */
export function atMostOne(config: Readonly<Record<string, unknown>>, first: string, second: string): void {
  if (config[first] && config[second]) throw new Error(`at most one of ${first} & ${second} must be configured`);
}

export function oneOfTwo(config: Readonly<Record<string, unknown>>, first: string, second: string): void {
  if (config[first] && config[second]) throw new Error(`at most one of ${first} & ${second} must be configured`);
  if (!config[first] && !config[second]) throw new Error(`one of ${first} or ${second} must be configured`);
}
