// Amazon SNS: the Publish action over its query API, signed with version 4 of AWS' signatures.

import { createHash, createHmac } from 'node:crypto';
import { boolean, object, optional, record, secret, string, withDefault } from '#base/config/schema.ts';
import { groupHash, judge, receiverKind, template, truncateBytes } from './kind.ts';

const MESSAGE_BYTES = 256 * 1024;
const SMS_BYTES = 1600;
const REPLY_BYTES = 1 << 20;

export const sns = receiverKind(
  'sns_configs',
  true,
  {
    api_url: template(),
    sigv4: object({
      region: template(),
      access_key: optional(string()),
      secret_key: optional(secret()),
      profile: optional(string()),
      role_arn: optional(string()),
      external_id: optional(string()),
      use_fips_sts_endpoint: withDefault(boolean(), false),
    }),
    topic_arn: template(),
    phone_number: template(),
    target_arn: template(),
    subject: template('{{ template "sns.default.subject" . }}'),
    message: template('{{ template "sns.default.message" . }}'),
    attributes: record(string()),
  },
  (config) => {
    if (!config.target_arn && !config.topic_arn && !config.phone_number) {
      throw new Error('must provide either a Target ARN, Topic ARN, or Phone Number for SNS config');
    }
    if (config.sigv4.profile || config.sigv4.role_arn) {
      throw new Error('sigv4.profile and sigv4.role_arn are not offered: give access_key and secret_key');
    }
    if (!config.sigv4.access_key || !config.sigv4.secret_key) throw new Error('sigv4 needs access_key and secret_key');
    if (!config.sigv4.region) throw new Error('region not configured in sns.sigv4.region');
    const credentials = {
      accessKey: config.sigv4.access_key,
      secretKey: config.sigv4.secret_key,
      region: config.sigv4.region,
    };
    return (context, http) =>
      async (notification, { text }, signal) => {
        const topic = text(config.topic_arn);
        const whole = text(config.message);
        const message = truncateBytes(whole, config.phone_number ? SMS_BYTES : MESSAGE_BYTES);
        const attributes: Record<string, string> = {};
        for (const [name, value] of Object.entries(config.attributes)) attributes[text(name)] = text(value);
        if (message !== whole) attributes['truncated'] = 'true';
        const form = new URLSearchParams({ Action: 'Publish', Version: '2010-03-31', Message: message });
        const set = (name: string, value: string) => value !== '' && form.set(name, value);
        set('TopicArn', topic);
        set('TargetArn', text(config.target_arn));
        set('PhoneNumber', text(config.phone_number));
        set('Subject', text(config.subject));
        if (topic.endsWith('.fifo')) {
          form.set('MessageDeduplicationId', groupHash(notification));
          form.set('MessageGroupId', groupHash(notification));
        }
        Object.entries(attributes).forEach(([name, value], i) => {
          form.set(`MessageAttributes.entry.${i + 1}.Name`, name);
          form.set(`MessageAttributes.entry.${i + 1}.Value.DataType`, 'String');
          form.set(`MessageAttributes.entry.${i + 1}.Value.StringValue`, value);
        });
        const endpoint = text(config.api_url) || `https://sns.${credentials.region}.amazonaws.com/`;
        const body = form.toString();
        const headers = signed(new URL(endpoint), body, credentials, context.clock.now());
        return judge(
          await http.call({
            url: endpoint,
            method: 'POST',
            headers,
            body,
            timeoutMs: 60_000,
            maxBodyBytes: REPLY_BYTES,
            signal,
          }),
        );
      };
  },
);

type Credentials = { readonly accessKey: string; readonly secretKey: string; readonly region: string };

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** The headers of a form POST, with the signature over them, the path and the body. */
export function signed(
  endpoint: URL,
  body: string,
  { accessKey, secretKey, region }: Credentials,
  nowMs: number,
): Record<string, string> {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '');
  const day = time.slice(0, 8);
  const contentType = 'application/x-www-form-urlencoded; charset=utf-8';
  const names = 'content-type;host;x-amz-date';
  const canonical = [
    'POST',
    endpoint.pathname,
    '',
    `content-type:${contentType}`,
    `host:${endpoint.host}`,
    `x-amz-date:${time}`,
    '',
    names,
    sha256(body),
  ].join('\n');
  const scope = `${day}/${region}/sns/aws4_request`;
  const key = hmac(hmac(hmac(hmac(`AWS4${secretKey}`, day), region), 'sns'), 'aws4_request');
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex');
  return {
    'content-type': contentType,
    'x-amz-date': time,
    authorization: `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}
