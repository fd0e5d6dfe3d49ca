// The flags of `up`: those of the server, and those of the parts in the box, under a name of their own.

import type { FlagTable } from '#base/flags.ts';
import { ALERTMANAGER_CLUSTER_FLAGS, ALERTMANAGER_DATA_FLAGS } from './alertmanager-flags.ts';
import { COMMON_FLAGS, RULE_FLAGS } from './flags.ts';

const IN_BOX = { ...ALERTMANAGER_DATA_FLAGS, ...ALERTMANAGER_CLUSTER_FLAGS } as const;
type InBox = typeof IN_BOX;

/** With `alertmanager.` before each name. */
const PREFIXED = Object.fromEntries(
  Object.entries(IN_BOX).map(([name, flag]) => [`alertmanager.${name}`, flag]),
) as unknown as { readonly [K in keyof InBox as `alertmanager.${K}`]: InBox[K] };

/** What only `up` has: the parts in the box. */
export const BOX_FLAGS = {
  'alertmanager.config.file': {
    kind: 'text',
    default: '',
    help: 'Configuration of the alertmanager in the box; without one, alerts are shown and nobody is told.',
  },
  ...PREFIXED,
} as const satisfies FlagTable;

export const UP_FLAGS = {
  'config.file': {
    kind: 'text',
    default: '',
    help: 'Configuration file; without one, this process and this host are scraped.',
  },
  ...COMMON_FLAGS,
  'rules.shipped': { ...RULE_FLAGS['rules.shipped'], default: true },
  ...BOX_FLAGS,
} as const satisfies FlagTable;
