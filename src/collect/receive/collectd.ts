// collectd's values as metrics: collectd_<plugin>_<type>[_<source>][_total], with the host as instance and the instances of
// plugin and type as labels, as Prometheus' collectd exporter names them.

import { boolean, object, oneOf, optional, type Schema, string, withDefault } from '#base/config/schema.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import { METRIC_NAME } from '#model/labels.ts';
import { decodeCollectdJson } from '#wire/collectd/json.ts';
import { type CollectdSecurity, decodeCollectd } from '#wire/collectd/network.ts';
import { BUILT_IN_TYPES, type CollectdValues, parseTypesDb, type TypesDb } from '#wire/collectd/values.ts';
import { type Answer, answer, type Received, type Receiver } from './exchange.ts';
import { Feed, type FeedParts } from './feed.ts';
import { listenAddress } from './listen.ts';
import { labelNameFrom, metricNameFrom } from './names.ts';

export const collectdSection = object(
  {
    /** For the network plugin; 25826 is its port. */
    listen_udp: optional(listenAddress()),
    /** For the write_http plugin: POST /collectd. */
    http: withDefault(boolean(), true),
    security_level: withDefault(oneOf('none', 'sign', 'encrypt'), 'none'),
    /** Lines `user: password`. */
    auth_file: optional(string()),
    types_db: optional(string()),
  },
  (value, report) => {
    if (value.security_level !== 'none' && !value.auth_file) report('auth_file', 'is needed to check signatures');
  },
);
export type CollectdSection = typeof collectdSection extends Schema<infer T> ? T : never;

/** Mistakes of one request that are told. */
const MAX_TOLD = 10;

export class CollectdReceiver implements Receiver {
  readonly feed: Feed;
  readonly #security: CollectdSecurity;
  readonly #types: TypesDb;

  constructor(parts: FeedParts, section: CollectdSection, disk: Disk) {
    this.feed = new Feed('collectd', parts);
    const read = (file: string) => Buffer.from(disk.readFile(file)).toString('utf8');
    this.#types = section.types_db ? parseTypesDb(read(section.types_db)) : BUILT_IN_TYPES;
    const users = new Map<string, string>();
    if (section.auth_file) {
      for (const line of read(section.auth_file).split('\n')) {
        const match = /^\s*([^#:\s]+)\s*:\s*(.*?)\s*$/.exec(line);
        if (match) users.set(match[1]!, match[2]!);
      }
    }
    this.#security = { level: section.security_level, passwordOf: (user) => users.get(user) };
  }

  packet(bytes: Uint8Array): void {
    try {
      for (const values of decodeCollectd(bytes, this.#security)) this.#take(values);
    } catch (error) {
      this.feed.invalid(errorText(error));
    }
  }

  async receive(request: Received): Promise<Answer> {
    const problems: string[] = [];
    const wrong = (problem: string) => {
      this.feed.invalid(problem);
      if (problems.length < MAX_TOLD) problems.push(problem);
    };
    const overflowed = this.feed.overflows;
    try {
      const lists = decodeCollectdJson(Buffer.from(request.body).toString('utf8'), wrong);
      for (const values of lists) this.#take(values);
    } catch (error) {
      wrong(errorText(error));
    }
    await this.feed.flush();
    if (this.feed.overflows > overflowed) return answer(503, 'too many samples wait for the store; send them again\n');
    return problems.length > 0 ? answer(400, `${problems.join('\n')}\n`) : answer(204);
  }

  #take(list: CollectdValues): void {
    const { plugin, pluginInstance, type, typeInstance, host } = list;
    const stem = plugin === type ? `collectd_${type}` : `collectd_${plugin}_${type}`;
    const labels = ['instance', host];
    if (pluginInstance !== '') labels.push(labelNameFrom(plugin), pluginInstance);
    if (typeInstance !== '') labels.push(pluginInstance === '' ? labelNameFrom(plugin) : 'type', typeInstance);
    const sources = list.names ?? this.#types.get(type) ?? [];
    list.values.forEach((value, i) => {
      if (Number.isNaN(value)) return;
      const source = sources[i] ?? (list.values.length === 1 ? 'value' : String(i));
      const kind = list.kinds[i]!;
      const total = kind === 'counter' || kind === 'derive' ? '_total' : '';
      const name = metricNameFrom(`${stem}${source === 'value' ? '' : `_${source}`}${total}`);
      this.feed.add([METRIC_NAME, name, ...labels], list.time, value);
    });
  }
}
