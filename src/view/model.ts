// The dashboard as Pharos keeps it: panels on a 24-column grid, each with queries, transformations and how its fields are
// shown. Plain data, portable to the browser. Files, the API and Grafana's importer all speak this.

/** A text by language, or the same in all. */
export type Text = string | { readonly en: string; readonly zh?: string };

export const SCHEMA = 'pharos/1';
export const GRID_COLUMNS = 24;

export const PANEL_TYPES = [
  'row',
  'timeseries',
  'stat',
  'gauge',
  'bargauge',
  'table',
  'heatmap',
  'histogram',
  'pie',
  'bar',
  'timeline',
  'text',
  'alerts',
  'logs',
  'clock',
  'scatter',
  'map',
  'windrose',
  'radar',
  'nodes',
  'links',
  'unsupported',
] as const;
export type PanelType = (typeof PANEL_TYPES)[number];

export type Grid = { readonly x: number; readonly y: number; readonly w: number; readonly h: number };

/** Which data source: its uid, or a kind of which the default is taken; a uid may name a variable. */
export type SourceRef = { readonly uid?: string; readonly kind?: string };

export type Query = {
  readonly ref: string;
  readonly source?: SourceRef;
  /** PromQL, SQL, Lucene or a path, by the kind of the source. */
  readonly expr: string;
  readonly legend?: Text;
  /** How the answer becomes fields: one per series, one row per series, or buckets. */
  readonly format?: 'series' | 'table' | 'heatmap';
  readonly instant?: boolean;
  /** Also ask for the range when `instant` is set. */
  readonly both?: boolean;
  /** Least step, as a duration. */
  readonly step?: string;
  readonly hidden?: boolean;
  readonly exemplars?: boolean;
  /** Asks no source: takes the answers of another panel of the dashboard, as it got or as it transformed them. */
  readonly panel?: { readonly id: number; readonly transformed?: boolean };
  /** What only one kind of source needs: index, time field, aggregations, JSON paths. */
  readonly extra?: Readonly<Record<string, unknown>>;
};

export type ThresholdStep = { readonly value: number | null; readonly color: string };
export type Thresholds = { readonly mode: 'absolute' | 'percent'; readonly steps: readonly ThresholdStep[] };
export type MappingResult = { readonly text?: Text; readonly color?: string };
export type Mapping =
  | { readonly kind: 'value'; readonly values: Readonly<Record<string, MappingResult>> }
  | { readonly kind: 'range'; readonly from: number | null; readonly to: number | null; readonly result: MappingResult }
  | { readonly kind: 'regex'; readonly pattern: string; readonly result: MappingResult }
  | { readonly kind: 'special'; readonly match: string; readonly result: MappingResult };

export type Draw = {
  readonly style?: 'line' | 'bars' | 'points';
  readonly shape?: 'linear' | 'step' | 'smooth';
  readonly width?: number;
  /** 0 to 1. */
  readonly fill?: number;
  readonly dash?: readonly number[];
  readonly points?: 'never' | 'auto' | 'always';
  readonly connect?: boolean;
  readonly stack?: 'none' | 'normal' | 'percent';
  readonly stackGroup?: string;
  readonly negative?: boolean;
  readonly axis?: 'left' | 'right' | 'hidden';
  readonly axisLabel?: Text;
  readonly logBase?: number;
  readonly thresholds?: 'off' | 'line' | 'area';
  readonly hideFrom?: readonly ('legend' | 'tooltip' | 'viz')[];
};

export type FieldOptions = {
  readonly displayName?: Text;
  readonly unit?: string;
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly noValue?: Text;
  readonly thresholds?: Thresholds;
  readonly mappings?: readonly Mapping[];
  readonly color?: { readonly mode: 'palette' | 'fixed' | 'thresholds' | 'scale'; readonly fixed?: string };
  readonly draw?: Draw;
  /** Table cells: plain text, coloured text or ground, a bar, a link. */
  readonly cell?: 'auto' | 'text' | 'ground' | 'bar' | 'json';
  readonly width?: number;
  readonly align?: 'left' | 'center' | 'right';
  readonly hidden?: boolean;
  readonly links?: readonly Link[];
};

/** Which fields; 'value' compares what is calculated of one: `max > 10`. */
export type FieldMatch = { readonly by: 'name' | 'regex' | 'type' | 'query' | 'value'; readonly value: string };
export type Override = { readonly match: FieldMatch; readonly set: FieldOptions };
export type Transformation = {
  readonly id: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly disabled?: boolean;
};
export type Link = {
  readonly title: Text;
  readonly url?: string;
  readonly dashboard?: string;
  readonly tags?: readonly string[];
  readonly newTab?: boolean;
  readonly keepTime?: boolean;
  readonly keepVariables?: boolean;
};

export type LegendOptions = {
  readonly show: boolean;
  readonly placement?: 'bottom' | 'right';
  readonly table?: boolean;
  readonly calcs?: readonly string[];
};

/** What panels can be told; each type reads the fields that concern it. */
export type PanelOptions = {
  readonly legend?: LegendOptions;
  readonly tooltip?: 'all' | 'single' | 'none';
  readonly calc?: string;
  readonly orientation?: 'auto' | 'horizontal' | 'vertical';
  readonly color?: 'value' | 'ground' | 'none';
  readonly spark?: boolean;
  readonly text?: 'auto' | 'value' | 'name' | 'both' | 'none';
  /** One value per row instead of per field. */
  readonly allRows?: boolean;
  readonly limit?: number;
  readonly content?: Text;
  readonly mode?: string;
  readonly donut?: boolean;
  readonly labels?: readonly string[];
  readonly stack?: 'none' | 'normal' | 'percent';
  readonly xField?: string;
  readonly yField?: string;
  readonly sizeField?: string;
  readonly latitude?: string;
  readonly longitude?: string;
  readonly locationField?: string;
  readonly buckets?: number;
  readonly bucketSize?: number;
  /** Of a heat map's rows, where they are numbers. */
  readonly rowUnit?: string;
  readonly showValue?: boolean;
  readonly filter?: string;
  readonly states?: readonly string[];
  readonly zone?: string;
  readonly format?: string;
  /** Of tables: a last line that sums the columns up, all of them or those named. */
  readonly footer?: { readonly calc: string; readonly fields?: readonly string[] };
  readonly sortBy?: readonly { readonly name: string; readonly desc?: boolean }[];
  readonly tags?: readonly string[];
  /** Of an 'unsupported' panel: what it was. */
  readonly original?: string;
};

export type Panel = {
  readonly id: number;
  readonly type: PanelType;
  readonly title: Text;
  readonly description?: Text;
  readonly grid: Grid;
  readonly source?: SourceRef;
  readonly queries: readonly Query[];
  readonly transformations?: readonly Transformation[];
  readonly field?: FieldOptions;
  readonly overrides?: readonly Override[];
  readonly options?: PanelOptions;
  readonly links?: readonly Link[];
  /** Least step, as a duration. */
  readonly interval?: string;
  readonly maxPoints?: number;
  readonly timeFrom?: string;
  readonly timeShift?: string;
  readonly repeat?: { readonly variable: string; readonly direction: 'h' | 'v'; readonly perRow?: number };
  readonly transparent?: boolean;
  /** Rows: folded, with the panels that are hidden. A row with `repeat` is shown with all of it once per value. */
  readonly folded?: boolean;
  /** A row that is a tab: what follows it, up to the next one, is shown while it is chosen. */
  readonly tab?: boolean;
  readonly panels?: readonly Panel[];
};

export type VariableKind = 'query' | 'custom' | 'constant' | 'interval' | 'textbox' | 'source' | 'adhoc';
export type Variable = {
  readonly name: string;
  readonly kind: VariableKind;
  readonly label?: Text;
  /** The query, the comma list, the constant, the intervals, or the kind of the sources. */
  readonly query: string;
  readonly source?: SourceRef;
  readonly regex?: string;
  readonly multi?: boolean;
  readonly all?: boolean;
  readonly allValue?: string;
  readonly current?: readonly string[];
  readonly hide?: 'no' | 'label' | 'variable';
  readonly refresh?: 'load' | 'range' | 'never';
  readonly sort?: 'none' | 'asc' | 'desc' | 'numeric-asc' | 'numeric-desc';
  /** For 'adhoc': label filters. */
  readonly filters?: readonly { readonly key: string; readonly operator: string; readonly value: string }[];
};

export type Annotation = {
  readonly name: string;
  readonly enabled: boolean;
  readonly color: string;
  readonly expr: string;
  readonly source?: SourceRef;
  readonly title?: string;
  readonly text?: string;
  readonly tags?: string;
  readonly step?: string;
  /** Not asked of a source: those that people and jobs left, of this dashboard or with these tags. */
  readonly notes?: { readonly tags?: readonly string[]; readonly anyTag?: boolean };
};

export type Dashboard = {
  readonly schema: typeof SCHEMA;
  readonly uid: string;
  readonly title: Text;
  readonly description?: Text;
  readonly tags?: readonly string[];
  readonly time?: { readonly from: string; readonly to: string };
  readonly refresh?: string;
  readonly zone?: string;
  readonly variables?: readonly Variable[];
  readonly annotations?: readonly Annotation[];
  readonly links?: readonly Link[];
  readonly panels: readonly Panel[];
  /** Of an import: what could not be taken over. */
  readonly problems?: readonly string[];
};

/** All panels, those in folded rows included. */
export function allPanels(dashboard: Dashboard): Panel[] {
  return dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
}

/** Reads a stored dashboard; the message says what is wrong. */
export function readDashboard(value: unknown): Dashboard {
  const wrong = (what: string): never => {
    throw new Error(`cannot read the dashboard: ${what}`);
  };
  if (typeof value !== 'object' || value === null) return wrong('it is not an object');
  const found = value as Dashboard;
  if (found.schema !== SCHEMA) return wrong(`"schema" is ${JSON.stringify(found.schema)}, expected "${SCHEMA}"`);
  if (typeof found.uid !== 'string' || !/^[\w-]{1,80}$/.test(found.uid))
    return wrong('"uid" must be 1 to 80 letters, digits, - or _');
  if (!isText(found.title)) return wrong('"title" is missing');
  if (!Array.isArray(found.panels)) return wrong('"panels" is not a list');
  const ids = new Set<number>();
  for (const panel of allPanels(found)) {
    const name = `panel ${JSON.stringify(panel.id)}`;
    if (!Number.isInteger(panel.id)) wrong(`${name}: "id" is not a whole number`);
    if (ids.has(panel.id)) wrong(`${name}: its id is used twice`);
    ids.add(panel.id);
    if (!PANEL_TYPES.includes(panel.type)) wrong(`${name}: unknown type ${JSON.stringify(panel.type)}`);
    const { grid } = panel;
    if (!grid || ![grid.x, grid.y, grid.w, grid.h].every(Number.isFinite)) wrong(`${name}: "grid" needs x, y, w and h`);
    if (panel.type !== 'row' && (grid.w < 1 || grid.h < 1 || grid.x < 0 || grid.x + grid.w > GRID_COLUMNS))
      wrong(`${name}: its grid does not fit ${GRID_COLUMNS} columns`);
    if (!Array.isArray(panel.queries)) wrong(`${name}: "queries" is not a list`);
  }
  for (const variable of found.variables ?? [])
    if (!/^\w+$/.test(variable.name)) wrong(`variable ${JSON.stringify(variable.name)}: its name must be a word`);
  return found;
}

function isText(value: unknown): value is Text {
  return (
    typeof value === 'string' ||
    (typeof value === 'object' && value !== null && typeof (value as { en?: unknown }).en === 'string')
  );
}
