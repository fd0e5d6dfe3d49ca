// Values as encoding/json writes them: maps by key, structs by their JSON names, and `<`, `>`, `&` and the two line
// separators escaped.

import { GoMap, GoObject, GoSlice, GoStruct, isFunction, isNil, sortedKeys, type Value } from './value.ts';

export function goJson(value: Value): string {
  return escapeJson(JSON.stringify(plain(value)));
}

/** What Go's encoder escapes beyond what JSON asks for. */
export const escapeJson = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

function plain(value: Value): unknown {
  if (isNil(value)) return null;
  switch (typeof value) {
    case 'bigint':
      return Number(value);
    case 'number':
      if (!Number.isFinite(value)) {
        const text = Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
        throw new Error(`json: unsupported value: ${text}`);
      }
      return Object.is(value, -0) ? 0 : value;
    case 'string':
    case 'boolean':
      return value;
  }
  if (isFunction(value)) throw new Error('json: unsupported type: func()');
  if (value instanceof GoMap || value instanceof GoStruct || value instanceof GoSlice) return deep(value.toJSON());
  if (value instanceof GoObject) return value.toJSON();
  if (value instanceof Map) {
    return Object.fromEntries(sortedKeys(value).map((key) => [String(key), plain(value.get(key))]));
  }
  return deep(value);
}

function deep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value as object).map(([name, field]) => [name, plain(field)]));
}
