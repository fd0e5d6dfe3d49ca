// Targets that an HTTP service lists as JSON: how anything that Pharos has no provider for is discovered.

import { duration, map, object, string, withDefault } from '#base/config/schema.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { checkHttpClient, type HttpClientConfig, httpClientFields, httpClientFrom } from '#clients/http/config.ts';
import { formatValue } from '#model/value.ts';
import { parseJsonGroups } from '../groups.ts';
import { provider } from '../provider.ts';
import { refreshing } from '../refresh.ts';

export type HttpConfig = {
  readonly url: string;
  readonly refreshIntervalMs: number;
  readonly http: HttpClientConfig;
};

/** An answer larger than this is refused. */
export const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
/** The longest wait for an answer. */
export const ANSWER_TIMEOUT_MS = 60_000;

export const httpProvider = provider<HttpConfig>({
  key: 'http_sd_configs',
  schema: (resolve) =>
    map(
      object(
        { ...httpClientFields, url: withDefault(string(), ''), refresh_interval: withDefault(duration(), 60_000) },
        (value, report) => {
          checkHttpClient(value, report);
          if (value.url === '') report('url', 'URL is missing');
          else if (!/^https?:/i.test(value.url)) report('url', "URL scheme must be 'http' or 'https'");
          else if (!URL.canParse(value.url)) report('url', 'host is missing in URL');
        },
      ),
      (value) => ({
        url: value.url,
        refreshIntervalMs: value.refresh_interval,
        http: httpClientFrom(value, resolve),
      }),
    ),
  create(config, context) {
    const client = createHttpClient(config.http, context);
    return refreshing(
      {
        mechanism: 'http',
        intervalMs: config.refreshIntervalMs,
        close: () => client.close(),
        async refresh() {
          try {
            const reply = await client.call({
              url: config.url,
              headers: {
                accept: 'application/json',
                'x-prometheus-refresh-interval-seconds': formatValue(config.refreshIntervalMs / 1000),
              },
              timeoutMs: ANSWER_TIMEOUT_MS,
              maxBodyBytes: MAX_ANSWER_BYTES,
            });
            if (reply.status !== 200) {
              throw new Error(`server returned HTTP status ${reply.status} ${reply.statusText}`.trim());
            }
            const type = reply.headers.get('content-type') ?? '';
            if (!/^application\/json(;\s*charset=("utf-8"|utf-8))?$/i.test(type.trim())) {
              throw new Error(`unsupported content type ${JSON.stringify(type)}`);
            }
            return parseJsonGroups(reply.body.toString('utf8'), config.url, { __meta_url: config.url });
          } catch (error) {
            context.metrics.httpFailures.add();
            throw error;
          }
        },
      },
      context,
    );
  },
});
