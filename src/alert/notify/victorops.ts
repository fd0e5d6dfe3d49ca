// VictorOps (Splunk On-Call): its generic REST endpoint, keyed by the URL.

import { optional, record, secret, string } from '#base/config/schema.ts';
import { url } from '../route/url.ts';
import { atMostOne, groupHash, judge, postJson, receiverKind, secretOf, template, truncateRunes } from './kind.ts';

const MESSAGE_RUNES = 20_480;
const FIRING_TYPES = ['INFO', 'WARNING', 'CRITICAL'];
const RESERVED = [
  'routing_key',
  'message_type',
  'state_message',
  'entity_display_name',
  'monitoring_tool',
  'entity_id',
  'entity_state',
];

export const victorops = receiverKind(
  'victorops_configs',
  true,
  {
    api_key: optional(secret()),
    api_key_file: optional(string()),
    api_url: optional(url()),
    routing_key: template(),
    message_type: template('CRITICAL'),
    state_message: template('{{ template "victorops.default.state_message" . }}'),
    entity_display_name: template('{{ template "victorops.default.entity_display_name" . }}'),
    monitoring_tool: template('{{ template "victorops.default.monitoring_tool" . }}'),
    custom_fields: record(string()),
  },
  (config, global) => {
    atMostOne(config, 'api_key', 'api_key_file');
    if (config.routing_key === '') throw new Error('missing Routing key in VictorOps config');
    const reserved = RESERVED.find((name) => Object.hasOwn(config.custom_fields, name));
    if (reserved) {
      throw new Error(
        `victorOps config contains custom field ${reserved} which cannot be used as it conflicts with the fixed/static fields`,
      );
    }
    const own = config.api_key || config.api_key_file;
    const key = own ? [config.api_key, config.api_key_file] : [global.victorops_api_key, global.victorops_api_key_file];
    if (!key[0] && !key[1]) throw new Error('no global VictorOps API Key set');
    const base = (config.api_url ?? global.victorops_api_url).replace(/\/$/, '');
    return (context, http) =>
      async (notification, { text, view }, signal) => {
        const wanted = text(config.message_type);
        const custom = Object.entries(config.custom_fields).map(([name, value]) => [name, text(value)]);
        const body = {
          message_type: view.status === 'resolved' ? 'RECOVERY' : FIRING_TYPES.includes(wanted) ? wanted : 'CRITICAL',
          entity_id: groupHash(notification),
          entity_display_name: text(config.entity_display_name),
          state_message: truncateRunes(text(config.state_message), MESSAGE_RUNES),
          monitoring_tool: text(config.monitoring_tool),
          ...Object.fromEntries(custom),
        };
        const target = `${base}/${secretOf(context, global, key[0], key[1])}/${text(config.routing_key)}`;
        return judge(await postJson(http, target, body, signal));
      };
  },
);
