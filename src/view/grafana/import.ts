// From any dashboard JSON that Grafana writes (classic, wrapped for its API, V1 and V2 resources) to ours, with the list
// of all that could not be taken over. Nothing is dropped without a line in that list.

import { type Dashboard, readDashboard, SCHEMA } from '../model.ts';
import { toUid } from '../uid.ts';
import { importClassic } from './classic.ts';
import { isObject, type Json, object, Problems, string } from './json.ts';
import { importV2 } from './v2.ts';

export type Imported = { readonly dashboard: Dashboard; readonly problems: readonly string[] };

export function importDashboard(value: unknown): Imported {
  if (!isObject(value)) throw new Error('cannot import the dashboard: it is not a JSON object');
  if (value.schema === SCHEMA) return { dashboard: readDashboard(value), problems: [] };
  const problems = new Problems();
  const dashboard = read(value, problems);
  const list = problems.list();
  return { dashboard: list.length > 0 ? { ...dashboard, problems: list } : dashboard, problems: list };
}

function read(value: Json, problems: Problems): Dashboard {
  const isResource = typeof value.apiVersion === 'string' && isObject(value.spec);
  const spec = isResource ? object(value.spec) : isObject(value.dashboard) ? object(value.dashboard) : value;
  const name = string(object(value.metadata).name) ?? string(spec.uid);
  const title = string(spec.title);
  if (title === undefined && !Array.isArray(spec.panels) && !Array.isArray(spec.rows) && !isObject(spec.elements)) {
    throw new Error('cannot import the dashboard: it has neither a title nor panels');
  }
  const uid = name !== undefined && /^[\w-]{1,80}$/.test(name) ? name : toUid(title ?? 'dashboard');
  return isObject(spec.elements) ? importV2(spec, uid, problems) : importClassic(spec, uid, problems);
}
