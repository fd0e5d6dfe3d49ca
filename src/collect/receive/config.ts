// The section `receive` of the configuration file: what is sent in by protocols other than Prometheus' own. A protocol is on
// when its part is there, if only as `{}`.

import { list, object, optional, type Schema } from '#base/config/schema.ts';
import { type CollectdSection, collectdSection } from './collectd.ts';
import { type GraphiteSection, graphiteSection } from './graphite.ts';
import { type InfluxSection, influxSection } from './influx.ts';
import { type GangliaTarget, gangliaTarget, type NagiosTarget, nagiosTarget } from './poll.ts';
import { type StatsdSection, statsdSection } from './statsd.ts';

export type ReceiveSection = {
  readonly influx: InfluxSection | undefined;
  readonly graphite: GraphiteSection | undefined;
  readonly statsd: StatsdSection | undefined;
  readonly collectd: CollectdSection | undefined;
  readonly ganglia: readonly GangliaTarget[];
  readonly nagios: readonly NagiosTarget[];
};

export const receiveSection: Schema<ReceiveSection> = object({
  influx: optional(influxSection),
  graphite: optional(graphiteSection),
  statsd: optional(statsdSection),
  collectd: optional(collectdSection),
  ganglia: list(gangliaTarget),
  nagios: list(nagiosTarget),
});

export const NO_RECEIVERS: ReceiveSection = {
  influx: undefined,
  graphite: undefined,
  statsd: undefined,
  collectd: undefined,
  ganglia: [],
  nagios: [],
};
