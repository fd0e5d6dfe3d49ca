// The `global` section of an alertmanager configuration: defaults for the receivers.

import {
  boolean,
  duration,
  type Infer,
  map,
  object,
  optional,
  secret,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { type HttpClientConfig, httpClientFrom, httpClientSection, tlsFields } from '#clients/http/config.ts';
import { secretUrl, url } from './url.ts';

/** "host:port" of a mail server; empty counts as not given. */
export const hostPort = () =>
  map(
    string(),
    (text) => {
      if (text === '') return { host: '', port: '' };
      const match = /^(?:\[([^\]]+)\]|([^:]*)):(.+)$/.exec(text);
      if (!match) throw new Error(`address ${JSON.stringify(text)}: missing port in address`);
      return { host: match[1] ?? match[2] ?? '', port: match[3]! };
    },
    'host:port',
  );

export const globalSchema = object(
  {
    resolve_timeout: withDefault(duration(), 300_000),
    http_config: optional(httpClientSection),
    jira_api_url: optional(url()),
    smtp_from: optional(string()),
    smtp_hello: withDefault(string(), 'localhost'),
    smtp_smarthost: optional(hostPort()),
    smtp_auth_username: optional(string()),
    smtp_auth_password: optional(secret()),
    smtp_auth_password_file: optional(string()),
    smtp_auth_secret: optional(secret()),
    smtp_auth_secret_file: optional(string()),
    smtp_auth_identity: optional(string()),
    smtp_require_tls: withDefault(boolean(), true),
    smtp_tls_config: optional(tlsFields),
    smtp_force_implicit_tls: optional(boolean()),
    slack_api_url: optional(secretUrl()),
    slack_api_url_file: optional(string()),
    slack_app_token: optional(secret()),
    slack_app_token_file: optional(string()),
    slack_app_url: withDefault(url(), 'https://slack.com/api/chat.postMessage'),
    pagerduty_url: withDefault(url(), 'https://events.pagerduty.com/v2/enqueue'),
    opsgenie_api_url: withDefault(url(), 'https://api.opsgenie.com/'),
    opsgenie_api_key: optional(secret()),
    opsgenie_api_key_file: optional(string()),
    wechat_api_url: withDefault(url(), 'https://qyapi.weixin.qq.com/cgi-bin/'),
    wechat_api_secret: optional(secret()),
    wechat_api_secret_file: optional(string()),
    wechat_api_corp_id: optional(string()),
    /** Of the application that pushes alerts of others to users. */
    wechat_agent_id: optional(string()),
    victorops_api_url: withDefault(url(), 'https://alert.victorops.com/integrations/generic/20131114/alert/'),
    victorops_api_key: optional(secret()),
    victorops_api_key_file: optional(string()),
    telegram_api_url: withDefault(url(), 'https://api.telegram.org'),
    telegram_bot_token: optional(secret()),
    telegram_bot_token_file: optional(string()),
    webex_api_url: withDefault(url(), 'https://webexapis.com/v1/messages'),
    rocketchat_api_url: withDefault(url(), 'https://open.rocket.chat/'),
    rocketchat_token: optional(secret()),
    rocketchat_token_file: optional(string()),
    rocketchat_token_id: optional(secret()),
    rocketchat_token_id_file: optional(string()),
    mattermost_webhook_url: optional(secretUrl()),
    mattermost_webhook_url_file: optional(string()),
    wecom_api_url: withDefault(url(), 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send'),
    dingtalk_api_url: withDefault(url(), 'https://oapi.dingtalk.com/robot/send'),
    feishu_api_url: withDefault(url(), 'https://open.feishu.cn/open-apis/bot/v2/hook/'),
  },
  (value, report) => {
    const raw = value as Readonly<Record<string, unknown>>;
    for (const name of EXCLUSIVE) {
      if (raw[name] && raw[`${name}_file`]) report(name, `at most one of ${name} & ${name}_file must be configured`);
    }
    if ((value.slack_app_token || value.slack_app_token_file) && (value.slack_api_url || value.slack_api_url_file)) {
      if (value.slack_api_url !== value.slack_app_url) {
        report(
          'slack_app_token',
          'at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured',
        );
      }
    }
  },
);

const EXCLUSIVE = [
  'smtp_auth_password',
  'smtp_auth_secret',
  'slack_api_url',
  'slack_app_token',
  'opsgenie_api_key',
  'wechat_api_secret',
  'victorops_api_key',
  'telegram_bot_token',
  'rocketchat_token',
  'rocketchat_token_id',
  'mattermost_webhook_url',
];

export type GlobalConfig = Infer<typeof globalSchema> & {
  readonly http: HttpClientConfig | undefined;
  /** Turns a file name in the configuration into one that can be opened. */
  readonly resolve: (file: string) => string;
};

export function globalFrom(raw: Infer<typeof globalSchema>, resolve: (file: string) => string): GlobalConfig {
  return { ...raw, http: raw.http_config && httpClientFrom(raw.http_config, resolve), resolve };
}
