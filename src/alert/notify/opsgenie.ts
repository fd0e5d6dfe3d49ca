// Opsgenie: an alert with the group's hash as alias, so that it can be updated and closed.

import { boolean, list, map, object, optional, record, secret, string, withDefault } from '#base/config/schema.ts';
import { labelsToRecord } from '#model/labels.ts';
import { url } from '../route/url.ts';
import { atMostOne, groupHash, judge, receiverKind, secretOf, template, truncateRunes } from './kind.ts';
import type { Delivery } from './receiver.ts';

const MESSAGE_RUNES = 130;
const REPLY_BYTES = 1 << 20;
const TYPES = /^(team|teams|user|escalation|schedule)$/i;

const responder = map(object({ id: template(), name: template(), username: template(), type: template() }), (r) => {
  if (!r.id && !r.name && !r.username) {
    throw new Error('opsGenieConfig responder has to have at least one of id, username or name specified');
  }
  if (!r.type.includes('{{') && !TYPES.test(r.type)) {
    throw new Error(
      `opsGenieConfig responder type ${JSON.stringify(r.type)} does not match valid options team, teams, user, escalation, schedule`,
    );
  }
  return { ...r, type: r.type.includes('{{') ? r.type : r.type.toLowerCase() };
});

export const opsgenie = receiverKind(
  'opsgenie_configs',
  true,
  {
    api_key: optional(secret()),
    api_key_file: optional(string()),
    api_url: optional(url()),
    message: template('{{ template "opsgenie.default.message" . }}'),
    description: template('{{ template "opsgenie.default.description" . }}'),
    source: template('{{ template "opsgenie.default.source" . }}'),
    details: record(string()),
    entity: template(),
    responders: list(responder),
    actions: template(),
    tags: template(),
    note: template(),
    priority: template(),
    update_alerts: withDefault(boolean(), false),
  },
  (config, global) => {
    atMostOne(config, 'api_key', 'api_key_file');
    const own = config.api_key || config.api_key_file;
    const key = own ? [config.api_key, config.api_key_file] : [global.opsgenie_api_key, global.opsgenie_api_key_file];
    if (!key[0] && !key[1]) throw new Error('no global OpsGenie API Key set either inline or in a file');
    const base = `${(config.api_url ?? global.opsgenie_api_url).replace(/\/$/, '')}/v2/alerts`;
    return (context, http) =>
      async (notification, { text, view }, signal) => {
        const alias = groupHash(notification);
        const authorization = `GenieKey ${text(secretOf(context, global, key[0], key[1])).trim()}`;
        const send = async (method: string, target: string, body: unknown): Promise<Delivery> =>
          judge(
            await http.call({
              url: target,
              method,
              headers: { 'content-type': 'application/json', authorization },
              body: JSON.stringify(body),
              timeoutMs: 60_000,
              maxBodyBytes: REPLY_BYTES,
              signal,
            }),
            [429],
          );
        const at = (what: string) => `${base}/${alias}/${what}?identifierType=alias`;
        if (view.status === 'resolved') return send('POST', at('close'), { source: text(config.source) });
        const message = truncateRunes(text(config.message), MESSAGE_RUNES);
        const description = text(config.description);
        const details = { ...labelsToRecord(view.commonLabels), ...mapValues(config.details, text) };
        const created = await send('POST', base, {
          alias,
          message,
          ...withoutEmpty({
            description,
            note: text(config.note),
            priority: text(config.priority),
            entity: text(config.entity),
          }),
          details,
          source: text(config.source),
          ...withoutEmpty({
            responders: config.responders.flatMap((r) => respondersOf(mapValues(r, text))),
            tags: split(text(config.tags)),
            actions: split(text(config.actions)),
          }),
        });
        if (!created.ok || !config.update_alerts) return created;
        const renamed = await send('PUT', at('message'), withoutEmpty({ message }));
        return renamed.ok ? send('PUT', at('description'), withoutEmpty({ description })) : renamed;
      };
  },
);

const split = (text: string): string[] =>
  text
    .trim()
    .split(',')
    .filter((part) => part !== '');
const mapValues = <K extends string>(
  values: Readonly<Record<K, string>>,
  convert: (value: string) => string,
): Record<K, string> =>
  Object.fromEntries(Object.entries<string>(values).map(([name, value]) => [name, convert(value)])) as Record<
    K,
    string
  >;
const withoutEmpty = (values: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== '' && !(Array.isArray(value) && value.length === 0)),
  );

function respondersOf(responder: Readonly<Record<string, string>>): Record<string, unknown>[] {
  if (responder['type'] === 'teams') return split(responder['name'] ?? '').map((name) => ({ name, type: 'team' }));
  const shown = withoutEmpty(responder);
  return Object.keys(shown).length > 0 ? [{ type: '', ...shown }] : [];
}
