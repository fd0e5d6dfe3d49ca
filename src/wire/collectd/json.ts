// What collectd's write_http plugin posts as JSON: a list of value lists.

import { errorText, OperatingError } from '#base/errors.ts';
import { type CollectdKind, type CollectdValues, KINDS } from './values.ts';

const bad = (cause: string) => new OperatingError('collectd_json', `cannot decode collectd JSON: ${cause}`);

/** An item that makes no sense is told and costs only itself. */
export function decodeCollectdJson(text: string, wrong: (problem: string) => void): CollectdValues[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw bad((error as Error).message);
  }
  if (!Array.isArray(parsed)) throw bad('expected a list');
  // Notifications come on the same way; they have no values.
  return parsed.flatMap((item, index) => {
    if (isObject(item) && 'severity' in item) return [];
    try {
      return [readItem(item, index)];
    } catch (error) {
      wrong(errorText(error));
      return [];
    }
  });
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function readItem(item: unknown, index: number): CollectdValues {
  if (!isObject(item)) throw bad(`[${index}]: expected an object`);
  const text = (name: string): string => {
    const value = item[name] ?? '';
    if (typeof value !== 'string') throw bad(`[${index}].${name}: expected text`);
    return value;
  };
  const list = (name: string): unknown[] => {
    const value = item[name];
    if (!Array.isArray(value)) throw bad(`[${index}].${name}: expected a list`);
    return value;
  };
  const values = list('values').map((value) => {
    // A gauge without a value is null.
    if (value === null) return Number.NaN;
    if (typeof value !== 'number') throw bad(`[${index}].values: expected numbers`);
    return value;
  });
  const kinds = list('dstypes').map((kind): CollectdKind => {
    const known = KINDS.find((name) => name === kind);
    if (!known) throw bad(`[${index}].dstypes: unknown kind ${JSON.stringify(kind)}`);
    return known;
  });
  const names = list('dsnames').map(String);
  if (kinds.length !== values.length || names.length !== values.length) {
    throw bad(`[${index}]: values, dstypes and dsnames have different lengths`);
  }
  const time = item['time'];
  if (typeof time !== 'number') throw bad(`[${index}].time: expected seconds`);
  return {
    host: text('host'),
    plugin: text('plugin'),
    pluginInstance: text('plugin_instance'),
    type: text('type'),
    typeInstance: text('type_instance'),
    time: Math.round(time * 1000),
    values,
    kinds,
    names,
  };
}
