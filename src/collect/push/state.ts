// What the push gateway keeps, as plain data: groups of pushed families, and tables pushed as JSON. Everything that changes it is
// a pure function (apply.ts, table.ts); gateway.ts owns the current value, persist.ts and replicas.ts write it down.

import type { FamilyType, ParsedFamily, ParsedMetric, ParsedValue } from '#wire/families/types.ts';

export type PushType = FamilyType;
export type PushedValue = ParsedValue;
/** Labels have the grouping labels and always `instance`, which may be empty here (it is exposed as instance=""). */
export type PushedMetric = ParsedMetric;
export type PushedFamily = ParsedFamily;

/** A family as a group keeps it. `changed[i]` is the version of the group in which metric i was pushed last. */
export type StoredFamily = PushedFamily & { readonly pushedAt: number; readonly changed: readonly number[] };

export const MERGE_MODES = ['replace', 'merge', 'add'] as const;
export type MergeMode = (typeof MERGE_MODES)[number];
export const ABSENT_MODES = ['clear', 'zero', 'keep'] as const;
export type AbsentMode = (typeof ABSENT_MODES)[number];
export const PULL_MODES = ['keep', 'clear', 'reset'] as const;
/** What a reader that has got a series gets from then on: the series again, nothing, or 0. */
export type PullMode = (typeof PULL_MODES)[number];

/** How a group treats pushes and pulls; given with a push, remembered by the group. */
export type GroupOptions = {
  readonly merge: MergeMode;
  /** Undefined: clear when replacing, keep otherwise. */
  readonly absent: AbsentMode | undefined;
  readonly pull: PullMode;
  /** 0: for ever. */
  readonly ttlMs: number;
  /** How often the pusher promises to push; 0: no promise, no liveness. */
  readonly intervalMs: number;
};

export const DEFAULT_GROUP_OPTIONS: GroupOptions = {
  merge: 'replace',
  absent: undefined,
  pull: 'keep',
  ttlMs: 0,
  intervalMs: 0,
};

/** The newest push ids a group remembers, to know a repeated push. */
export const MAX_PUSH_IDS = 256;

export type Group = {
  readonly labels: Readonly<Record<string, string>>;
  /** Grows with every change; what readers have got is remembered by it. */
  readonly version: number;
  /** Milliseconds; 0: never. */
  readonly pushedAt: number;
  readonly failedAt: number;
  readonly options: GroupOptions;
  readonly pushIds: readonly string[];
  readonly families: Readonly<Record<string, StoredFamily>>;
};

export const TABLE_POLICIES = ['update', 'clear', 'keep', 'add', 'reset'] as const;
export type TablePolicy = (typeof TABLE_POLICIES)[number];

/** A metric pushed as JSON: its rows by label values. */
export type Table = {
  readonly name: string;
  readonly labelNames: readonly string[];
  readonly describe: string;
  readonly existNotUpdate: TablePolicy;
  readonly existUpdate: TablePolicy;
  readonly notExistUpdate: TablePolicy;
  readonly pullFinish: TablePolicy;
  readonly version: number;
  readonly pushedAt: number;
  readonly rows: readonly { readonly values: readonly string[]; readonly value: number; readonly changed: number }[];
};

/** What one reader has got: versions of groups (by key) and tables (by name). */
export type Reader = { readonly seenAt: number; readonly got: Readonly<Record<string, number>> };

export type PushState = {
  readonly groups: ReadonlyMap<string, Group>;
  readonly tables: ReadonlyMap<string, Table>;
  readonly readers: ReadonlyMap<string, Reader>;
};

/** The identity of a group: its labels in order. */
export function groupKey(labels: Readonly<Record<string, string>>): string {
  return Object.keys(labels)
    .sort()
    .map((name) => `${name}\xff${labels[name]}`)
    .join('\xff');
}
