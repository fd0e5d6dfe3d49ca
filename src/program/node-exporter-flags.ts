// The flags of the node exporter: node_exporter's own, and those of its collectors from their table.

import type { Flag, FlagTable } from '#base/flags.ts';
import { type FlagKind, FOREIGN_FLAGS, NODE_FLAGS, RENAMED_FLAGS } from '#exporters/node/flags.ts';
import { NODE_COLLECTORS, UNAVAILABLE } from '#exporters/node/names.ts';
import { LOG_FLAGS, SYSTEMD_FLAGS, webFlags } from './flags.ts';

const OWN_FLAGS = {
  ...webFlags(':9100'),
  'web.telemetry-path': { kind: 'text', default: '/metrics', help: 'Path under which to expose metrics.' },
  'web.disable-exporter-metrics': {
    kind: 'boolean',
    default: false,
    help: 'Leave out the metrics of the exporter itself.',
  },
  'web.max-requests': {
    kind: 'integer',
    default: 40,
    min: 0,
    help: 'Maximum number of parallel scrape requests. Use 0 to disable.',
  },
  'runtime.gomaxprocs': {
    kind: 'integer',
    default: 1,
    min: 0,
    help: 'Accepted as node_exporter has it; collectors run in one thread.',
  },
  ...SYSTEMD_FLAGS,
  'collector.disable-defaults': {
    kind: 'boolean',
    default: false,
    help: 'Set all collectors to disabled by default.',
  },
  ...LOG_FLAGS,
} as const satisfies FlagTable;

function flagOf(kind: FlagKind, byDefault: string, help: string, hidden = false): Flag {
  switch (kind) {
    case 'switch':
      return { kind: 'boolean', default: byDefault === 'true', help, hidden };
    case 'list':
      return { kind: 'texts', help, hidden };
    case 'text':
      return { kind: 'text', default: byDefault, help, hidden };
  }
}

/** The flags of the collectors, and one switch for each collector. */
export const COLLECTOR_FLAGS: FlagTable = {
  ...Object.fromEntries(
    Object.entries(NODE_FLAGS).map(([name, spec]): [string, Flag] => [
      name,
      flagOf(spec.kind, spec.default, spec.help),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(RENAMED_FLAGS).map(([name, now]): [string, Flag] => [
      name,
      flagOf(NODE_FLAGS[now].kind, '', `Deprecated: use --${now}.`, true),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(FOREIGN_FLAGS).map(([name, kind]): [string, Flag] => [
      name,
      flagOf(kind, '', `Accepted as node_exporter has it: there is no collector ${name.split('.')[1]}.`, true),
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(NODE_COLLECTORS).map(([name, byDefault]): [string, Flag] => [
      `collector.${name}`,
      { kind: 'boolean', default: byDefault, help: `Collect ${name}.` },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(UNAVAILABLE).map(([name, why]): [string, Flag] => [
      `collector.${name}`,
      { kind: 'boolean', default: false, help: `Not available: ${why}.` },
    ]),
  ),
};

export const NODE_EXPORTER_FLAGS = { ...OWN_FLAGS, ...COLLECTOR_FLAGS } as typeof OWN_FLAGS & FlagTable;
