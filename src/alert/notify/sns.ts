// Amazon SNS: the Publish action over its query API, signed with keys that are given, of a profile, of the environment, or of a
// role that is taken on.

import { boolean, record, string, withDefault } from '#base/config/schema.ts';
import { AwsCredentials, signV4 } from '#clients/cloud/aws.ts';
import { sigv4From, sigv4Section } from '#clients/cloud/config.ts';
import { groupHash, judge, receiverKind, template, truncateBytes } from './kind.ts';

const MESSAGE_BYTES = 256 * 1024;
const SMS_BYTES = 1600;
const REPLY_BYTES = 1 << 20;
const CALL_TIMEOUT_MS = 60_000;

/** Everything from the environment. */
const NO_SIGV4 = {
  region: '',
  access_key: '',
  secret_key: '',
  profile: '',
  role_arn: '',
  external_id: '',
  use_fips_sts_endpoint: false,
};

export const sns = receiverKind(
  'sns_configs',
  true,
  {
    api_url: template(),
    sigv4: withDefault(sigv4Section, NO_SIGV4),
    topic_arn: template(),
    phone_number: template(),
    target_arn: template(),
    subject: template('{{ template "sns.default.subject" . }}'),
    message: template('{{ template "sns.default.message" . }}'),
    attributes: record(string()),
    /** There is one client for all: http_config's proxy and certificates hold for STS as well. */
    use_aws_http_client: withDefault(boolean(), false),
  },
  (config) => {
    if (!config.target_arn && !config.topic_arn && !config.phone_number) {
      throw new Error('must provide either a Target ARN, Topic ARN, or Phone Number for SNS config');
    }
    return (context, http) => {
      const credentials = new AwsCredentials(sigv4From(config.sigv4), {
        clock: context.clock,
        disk: context.disk,
        environment: context.environment,
        call: (url, options) => http.call({ url, ...options, timeoutMs: CALL_TIMEOUT_MS, maxBodyBytes: REPLY_BYTES }),
      });
      return async (notification, { text }, signal) => {
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
        const { keys, region } = await credentials.get();
        const endpoint = text(config.api_url) || `https://sns.${region}.amazonaws.com/`;
        const body = form.toString();
        const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
        const request = { method: 'POST', url: new URL(endpoint), headers, body };
        const signed = signV4(request, keys, { region, service: 'sns' }, context.clock.now());
        return judge(
          await http.call({
            url: endpoint,
            method: 'POST',
            headers: { ...headers, ...signed },
            body,
            timeoutMs: CALL_TIMEOUT_MS,
            maxBodyBytes: REPLY_BYTES,
            signal,
          }),
        );
      };
    };
  },
);
