// Graphite's plaintext protocol: lines over TCP or UDP, mapped to metrics with labels.

import { boolean, list, object, optional, type Schema, withDefault } from '#base/config/schema.ts';
import { METRIC_NAME } from '#model/labels.ts';
import { parseGraphite } from '#wire/graphite.ts';
import { Feed, type FeedParts } from './feed.ts';
import { listenAddress } from './listen.ts';
import { Mapper, mappingRule } from './mapping.ts';
import { labelNameFrom } from './names.ts';

export const graphiteSection = object({
  listen_tcp: optional(listenAddress()),
  listen_udp: optional(listenAddress()),
  mappings: list(mappingRule),
  /** Drop what no mapping fits. */
  strict: withDefault(boolean(), false),
});
export type GraphiteSection = typeof graphiteSection extends Schema<infer T> ? T : never;

export class GraphiteReceiver {
  readonly feed: Feed;
  readonly #parts: FeedParts;
  readonly #mapper: Mapper;

  constructor(parts: FeedParts, section: GraphiteSection) {
    this.#parts = parts;
    this.feed = new Feed('graphite', parts);
    this.#mapper = new Mapper(section.mappings, section.strict);
  }

  line(text: string): void {
    if (text.trim() === '') return;
    const line = parseGraphite(text);
    if (typeof line === 'string') {
      this.feed.invalid(line, { line: text.slice(0, 200) });
      return;
    }
    const mapped = this.#mapper.map(line.path);
    if (!mapped) return;
    const pairs = [METRIC_NAME, mapped.name, ...mapped.labels];
    for (let i = 0; i < line.tags.length; i += 2) pairs.push(labelNameFrom(line.tags[i]!), line.tags[i + 1]!);
    this.feed.add(pairs, line.time ?? this.#parts.clock.now(), line.value);
  }
}
