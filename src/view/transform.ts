// Transformations of frames: a table by the ids that Grafana's dashboards name. Pure functions; an option that is not
// understood is left at its default, an unknown id is refused by `knowsTransformation` at import. Portable.

import { CALCULATIONS, calculationOf } from './calculate.ts';
import { matcherOf } from './display.ts';
import { type Cell, type Field, type Frame, fieldName, frameLength, kindOf, numberFields, timeField } from './frame.ts';
import type { Transformation } from './model.ts';

type Options = Readonly<Record<string, unknown>>;
type Transform = (frames: readonly Frame[], options: Options) => Frame[];

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
const numbersOf = (field: Field): (number | null)[] =>
  field.values.map((value) => (typeof value === 'number' ? value : null));
const mapFields = (frames: readonly Frame[], change: (field: Field, frame: Frame) => Field): Frame[] =>
  frames.map((frame) => ({ ...frame, fields: frame.fields.map((field) => change(field, frame)) }));

function pickRows(frame: Frame, rows: readonly number[]): Frame {
  return {
    ...frame,
    fields: frame.fields.map((field) => ({ ...field, values: rows.map((row) => field.values[row] ?? null) })),
  };
}

const TRANSFORMS: Readonly<Record<string, Transform>> = {
  reduce: (frames, options) => {
    const wanted = list(options.reducers ?? options.calculations ?? ['lastNotNull']).map((name) => ({
      name: String(name),
      calc: calculationOf(String(name)) ?? 'lastNotNull',
    }));
    if (options.mode === 'reduceFields') {
      return frames.map((frame) => ({
        ...frame,
        fields: numberFields(frame).map((field) => ({
          ...field,
          values: [CALCULATIONS[wanted[0]?.calc ?? 'lastNotNull'](numbersOf(field))],
        })),
      }));
    }
    const rows = frames.flatMap((frame) => numberFields(frame).map((field) => ({ field, frame })));
    const labelNames = options.labelsToFields
      ? [...new Set(rows.flatMap(({ field }) => Object.keys(field.labels ?? {})))]
      : [];
    return [
      {
        ref: frames[0]?.ref ?? 'A',
        fields: [
          { name: 'Field', kind: 'string', values: rows.map(({ field, frame }) => fieldName(field, frame)) },
          ...labelNames.map(
            (name): Field => ({ name, kind: 'string', values: rows.map(({ field }) => field.labels?.[name] ?? null) }),
          ),
          ...wanted.map(
            ({ name, calc }): Field => ({
              name: CALC_TITLES[name] ?? name,
              kind: 'number',
              values: rows.map(({ field }) => CALCULATIONS[calc](numbersOf(field))),
              ...(rows[0]?.field.options ? { options: rows[0].field.options } : {}),
            }),
          ),
        ],
      },
    ];
  },
  merge: (frames) => [mergeFrames(frames)],
  joinByField: (frames, options) => [
    joinFrames(frames, typeof options.byField === 'string' ? options.byField : undefined, options.mode === 'inner'),
  ],
  seriesToColumns: (frames, options) => [
    joinFrames(frames, typeof options.byField === 'string' ? options.byField : undefined, false),
  ],
  concatenate: (frames) => [{ ref: frames[0]?.ref ?? 'A', fields: frames.flatMap((frame) => frame.fields) }],
  append: (frames) => [mergeFrames(frames)],
  seriesToRows: (frames) => {
    const rows = frames.flatMap((frame) => {
      const time = timeField(frame);
      return numberFields(frame).flatMap((field) =>
        field.values.map((value, row) => ({ time: time?.values[row] ?? null, metric: fieldName(field, frame), value })),
      );
    });
    rows.sort((a, b) => Number(b.time) - Number(a.time));
    return [
      {
        ref: frames[0]?.ref ?? 'A',
        fields: [
          { name: 'Time', kind: 'time', values: rows.map((row) => row.time) },
          { name: 'Metric', kind: 'string', values: rows.map((row) => row.metric) },
          { name: 'Value', kind: 'number', values: rows.map((row) => row.value) },
        ],
      },
    ];
  },
  organize: (frames, options) => {
    const excluded = record(options.excludeByName);
    const included = record(options.includeByName);
    const renamed = record(options.renameByName);
    const order = record(options.indexByName);
    const hasIncluded = Object.values(included).some(Boolean);
    return frames.map((frame) => {
      const named = frame.fields.map((field) => ({ field, name: fieldName(field, frame) }));
      const isOut = ({ field, name }: { field: Field; name: string }) =>
        excluded[name] === true ||
        excluded[field.name] === true ||
        (hasIncluded && !included[name] && !included[field.name]);
      const place = ({ field, name }: { field: Field; name: string }) =>
        Number(order[name] ?? order[field.name] ?? 1000);
      const kept = named.filter((one) => !isOut(one));
      kept.sort((a, b) => place(a) - place(b));
      return {
        ...frame,
        fields: kept.map(({ field, name }) => {
          const next = renamed[name] ?? renamed[field.name];
          if (typeof next !== 'string' || next === '') return field;
          return { ...field, name: next, legend: next };
        }),
      };
    });
  },
  filterFieldsByName: (frames, options) => {
    const include = record(options.include);
    const exclude = record(options.exclude);
    const test = (filter: Record<string, unknown>, field: Field, frame: Frame) => {
      const name = fieldName(field, frame);
      if (typeof filter.pattern === 'string' && filter.pattern !== '') return matcherOf(filter.pattern).test(name);
      const names = list(filter.names);
      return names.includes(name) || names.includes(field.name);
    };
    const has = (filter: Record<string, unknown>) =>
      (typeof filter.pattern === 'string' && filter.pattern !== '') || list(filter.names).length > 0;
    return frames.map((frame) => ({
      ...frame,
      fields: frame.fields.filter(
        (field) => (!has(include) || test(include, field, frame)) && !(has(exclude) && test(exclude, field, frame)),
      ),
    }));
  },
  filterByRefId: (frames, options) => {
    const pattern = matcherOf(`^(?:${String(options.include ?? options.options ?? '.*')})$`);
    return frames.filter((frame) => pattern.test(frame.ref));
  },
  filterByValue: (frames, options) => {
    const filters = list(options.filters).map(record);
    return frames.map((frame) => {
      const rows = [...Array(frameLength(frame)).keys()].filter((row) => {
        const hits = filters.map((filter) => {
          const field = frame.fields.find(
            (one) => fieldName(one, frame) === filter.fieldName || one.name === filter.fieldName,
          );
          return field ? holds(field.values[row] ?? null, record(filter.config)) : false;
        });
        const hit = options.match === 'all' ? hits.every(Boolean) : hits.some(Boolean);
        return options.type === 'exclude' ? !hit : hit;
      });
      return pickRows(frame, rows);
    });
  },
  groupBy: (frames, options) => frames.map((frame) => groupRows(frame, record(options.fields))),
  sortBy: (frames, options) => {
    const by = record(list(options.sort)[0] ?? {});
    if (typeof by.field !== 'string') return [...frames];
    return frames.map((frame) => {
      const field = frame.fields.find((one) => fieldName(one, frame) === by.field || one.name === by.field);
      if (!field) return frame;
      const sign = by.desc === true ? -1 : 1;
      const rows = [...field.values.keys()].sort(
        (a, b) => sign * compare(field.values[a] ?? null, field.values[b] ?? null),
      );
      return pickRows(frame, rows);
    });
  },
  limit: (frames, options) => {
    const most = Number(options.limitField ?? 10);
    return frames.map((frame) => pickRows(frame, [...Array(Math.min(most, frameLength(frame))).keys()]));
  },
  calculateField: (frames, options) => frames.map((frame) => calculated(frame, options)),
  renameByRegex: (frames, options) => {
    const pattern = matcherOf(String(options.regex ?? ''));
    const replacement = String(options.renamePattern ?? '');
    return mapFields(frames, (field, frame) => {
      if (field.kind === 'time') return field;
      const name = fieldName(field, frame);
      const next = name.replace(pattern, replacement);
      return next === name ? field : { ...field, name: next, legend: next };
    });
  },
  labelsToFields: (frames, options) => {
    if (options.mode === 'rows') {
      const pairs = frames.flatMap((frame) =>
        numberFields(frame).flatMap((field) => Object.entries(field.labels ?? {})),
      );
      return [
        {
          ref: frames[0]?.ref ?? 'A',
          fields: [
            { name: 'label', kind: 'string', values: pairs.map(([name]) => name) },
            { name: 'value', kind: 'string', values: pairs.map(([, value]) => value) },
          ],
        },
      ];
    }
    const valueLabel = typeof options.valueLabel === 'string' ? options.valueLabel : undefined;
    return [
      mergeFrames(
        frames.map((frame) => {
          const length = frameLength(frame);
          const labels = Object.assign({}, ...frame.fields.map((field) => field.labels ?? {})) as Record<
            string,
            string
          >;
          return {
            ...frame,
            fields: [
              ...frame.fields.filter((field) => field.kind === 'time'),
              ...Object.entries(labels)
                .filter(([name]) => name !== valueLabel && name !== '__name__')
                .map(([name, value]): Field => ({ name, kind: 'string', values: new Array(length).fill(value) })),
              ...numberFields(frame).map((field): Field => {
                const { labels: _labels, legend: _legend, ...rest } = field;
                return valueLabel && labels[valueLabel] ? { ...rest, name: labels[valueLabel]! } : rest;
              }),
            ],
          };
        }),
      ),
    ];
  },
  convertFieldType: (frames, options) => {
    const conversions = list(options.conversions).map(record);
    return mapFields(frames, (field, frame) => {
      const wanted = conversions.find(
        (one) => one.targetField === fieldName(field, frame) || one.targetField === field.name,
      );
      return wanted ? converted(field, String(wanted.destinationType)) : field;
    });
  },
  rowsToFields: (frames) =>
    frames.map((frame) => {
      const names = frame.fields.find((field) => field.kind === 'string');
      const values = frame.fields.find((field) => field.kind === 'number');
      if (!names || !values) return frame;
      return {
        ...frame,
        fields: names.values.map(
          (name, row): Field => ({ name: String(name), kind: 'number', values: [values.values[row] ?? null] }),
        ),
      };
    }),
  groupingToMatrix: (frames, options) =>
    frames.map((frame) =>
      matrix(
        frame,
        String(options.columnField ?? 'Time'),
        String(options.rowField ?? 'Time'),
        String(options.valueField ?? 'Value'),
      ),
    ),
  partitionByValues: (frames, options) => {
    const names = list(options.fields).map(String);
    return frames.flatMap((frame) => {
      const keys = frame.fields.filter((field) => names.includes(field.name));
      const groups = new Map<string, number[]>();
      for (let row = 0; row < frameLength(frame); row++) {
        const key = keys.map((field) => String(field.values[row])).join(' ');
        const rows = groups.get(key);
        if (rows) rows.push(row);
        else groups.set(key, [row]);
      }
      return [...groups].map(([name, rows]) => ({ ...pickRows(frame, rows), name }));
    });
  },
  transpose: (frames) =>
    frames.map((frame) => {
      const [head, ...rest] = frame.fields;
      if (!head) return frame;
      return {
        ...frame,
        fields: [
          { name: 'Field', kind: 'string', values: rest.map((field) => fieldName(field, frame)) },
          ...head.values.map((value, row): Field => {
            const values = rest.map((field) => field.values[row] ?? null);
            return { name: String(value), kind: kindOf(values), values };
          }),
        ],
      };
    }),
  prepareTimeSeries: (frames) => [...frames],
  timeSeriesTable: (frames) => TRANSFORMS.reduce!(frames, { reducers: ['lastNotNull'], labelsToFields: true }),
  formatTime: (frames, options) =>
    mapFields(frames, (field, frame) =>
      fieldName(field, frame) === options.timeField || field.name === options.timeField
        ? {
            ...field,
            kind: 'string',
            values: field.values.map((value) => (typeof value === 'number' ? new Date(value).toISOString() : value)),
          }
        : field,
    ),
};

const CALC_TITLES: Readonly<Record<string, string>> = {
  last: 'Last',
  lastNotNull: 'Last *',
  first: 'First',
  firstNotNull: 'First *',
  min: 'Min',
  max: 'Max',
  mean: 'Mean',
  sum: 'Total',
  count: 'Count',
  range: 'Range',
  delta: 'Delta',
  diff: 'Difference',
};

export const knowsTransformation = (id: string): boolean => id in TRANSFORMS;

export function transform(frames: readonly Frame[], transformations: readonly Transformation[] | undefined): Frame[] {
  let current = [...frames];
  for (const { id, options, disabled } of transformations ?? []) {
    const step = TRANSFORMS[id];
    if (step && !disabled) current = step(current, options);
  }
  return current;
}

function compare(a: Cell, b: Cell): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

/** One table of all rows: columns of the same name and kind are one; rows equal in all shared columns are joined. */
function mergeFrames(frames: readonly Frame[]): Frame {
  if (frames.length === 1) return frames[0]!;
  const names = new Map<string, Field>();
  for (const frame of frames)
    for (const field of frame.fields) if (!names.has(field.name)) names.set(field.name, field);
  const inAll = [...names.keys()].filter((name) =>
    frames.every((frame) => frameLength(frame) === 0 || frame.fields.some((field) => field.name === name)),
  );
  const keyed = new Map<string, Map<string, Cell>[]>();
  const rows: Map<string, Cell>[] = [];
  for (const frame of frames) {
    for (let row = 0; row < frameLength(frame); row++) {
      const key = JSON.stringify(
        inAll.map((name) => frame.fields.find((field) => field.name === name)?.values[row] ?? null),
      );
      const own = frame.fields.filter((field) => !inAll.includes(field.name));
      const candidates = keyed.get(key) ?? [];
      let target =
        inAll.length > 0
          ? candidates.find((one) =>
              own.every((field) => !one.has(field.name) || one.get(field.name) === field.values[row]),
            )
          : undefined;
      if (!target) {
        target = new Map();
        rows.push(target);
        keyed.set(key, [...candidates, target]);
      }
      for (const field of frame.fields) target.set(field.name, field.values[row] ?? null);
    }
  }
  return {
    ref: frames[0]?.ref ?? 'A',
    fields: [...names].map(([name, field]) => ({ ...field, values: rows.map((row) => row.get(name) ?? null) })),
  };
}

function joinFrames(frames: readonly Frame[], by: string | undefined, inner: boolean): Frame {
  const keyOf = (frame: Frame) =>
    by ? frame.fields.find((field) => field.name === by || fieldName(field, frame) === by) : timeField(frame);
  const joined = frames.filter((frame) => keyOf(frame) !== undefined);
  const keys = new Map<Cell, number>();
  for (const frame of joined) for (const value of keyOf(frame)!.values) keys.set(value, (keys.get(value) ?? 0) + 1);
  const kept = [...keys]
    .filter(([, count]) => !inner || count >= joined.length)
    .map(([key]) => key)
    .sort(compare);
  const place = new Map(kept.map((key, index) => [key, index]));
  const first = joined[0] && keyOf(joined[0]);
  const columns = joined.flatMap((frame) => {
    const key = keyOf(frame)!;
    return frame.fields
      .filter((field) => field !== key)
      .map((field): Field => {
        const values: Cell[] = new Array(kept.length).fill(null);
        field.values.forEach((value, row) => {
          const at = place.get(key.values[row] ?? null);
          if (at !== undefined) values[at] = value;
        });
        return { ...field, values };
      });
  });
  return { ref: frames[0]?.ref ?? 'A', fields: first ? [{ ...first, values: kept }, ...columns] : columns };
}

function holds(value: Cell, config: Record<string, unknown>): boolean {
  const against = record(config.options).value;
  const number = Number(value);
  switch (config.id) {
    case 'isNull':
      return value === null;
    case 'isNotNull':
      return value !== null;
    case 'greater':
      return number > Number(against);
    case 'greaterOrEqual':
      return number >= Number(against);
    case 'lower':
      return number < Number(against);
    case 'lowerOrEqual':
      return number <= Number(against);
    case 'equal':
      return String(value) === String(against);
    case 'notEqual':
      return String(value) !== String(against);
    case 'regex':
      return value !== null && matcherOf(String(against)).test(String(value));
    case 'substring':
      return String(value ?? '')
        .toLowerCase()
        .includes(String(against).toLowerCase());
    case 'between':
      return number >= Number(record(config.options).from) && number <= Number(record(config.options).to);
    default:
      return true;
  }
}

function groupRows(frame: Frame, wanted: Record<string, unknown>): Frame {
  const setting = (field: Field) => record(wanted[fieldName(field, frame)] ?? wanted[field.name]);
  const keys = frame.fields.filter((field) => setting(field).operation === 'groupby');
  if (keys.length === 0) return frame;
  const groups = new Map<string, number[]>();
  for (let row = 0; row < frameLength(frame); row++) {
    const key = JSON.stringify(keys.map((field) => field.values[row]));
    const rows = groups.get(key);
    if (rows) rows.push(row);
    else groups.set(key, [row]);
  }
  const sets = [...groups.values()];
  const calculatedFields = frame.fields.flatMap((field) =>
    setting(field).operation !== 'aggregate'
      ? []
      : list(setting(field).aggregations).map((name): Field => {
          const calc = calculationOf(String(name)) ?? 'lastNotNull';
          return {
            ...field,
            name: `${fieldName(field, frame)} (${String(name)})`,
            legend: `${fieldName(field, frame)} (${String(name)})`,
            kind: calc === 'count' || field.kind !== 'time' ? 'number' : 'time',
            values: sets.map((rows) =>
              CALCULATIONS[calc](
                rows.map((row) =>
                  typeof field.values[row] === 'number'
                    ? (field.values[row] as number)
                    : calc === 'count' && field.values[row] !== null
                      ? 1
                      : null,
                ),
              ),
            ),
          };
        }),
  );
  return {
    ...frame,
    fields: [
      ...keys.map((field) => ({ ...field, values: sets.map((rows) => field.values[rows[0]!] ?? null) })),
      ...calculatedFields,
    ],
  };
}

function calculated(frame: Frame, options: Options): Frame {
  const length = frameLength(frame);
  const alias = typeof options.alias === 'string' && options.alias !== '' ? options.alias : undefined;
  const find = (name: unknown) => frame.fields.find((field) => fieldName(field, frame) === name || field.name === name);
  let values: Cell[];
  let title: string;
  if (options.mode === 'binary') {
    const {
      left,
      right,
      operator = '+',
    } = record(options.binary) as { left?: unknown; right?: unknown; operator?: string };
    const side = (operand: unknown): ((row: number) => number | null) => {
      const name =
        typeof operand === 'object' && operand !== null
          ? (record(record(operand).matcher).options ?? record(operand).fixed)
          : operand;
      const field = find(name);
      if (field) return (row) => (typeof field.values[row] === 'number' ? (field.values[row] as number) : null);
      const fixed = Number(name);
      return () => (Number.isNaN(fixed) ? null : fixed);
    };
    const [a, b] = [side(left), side(right)];
    const apply: Record<string, (x: number, y: number) => number> = {
      '+': (x, y) => x + y,
      '-': (x, y) => x - y,
      '*': (x, y) => x * y,
      '/': (x, y) => x / y,
      '**': (x, y) => x ** y,
      '%': (x, y) => x % y,
    };
    values = Array.from({ length }, (_, row) => {
      const [x, y] = [a(row), b(row)];
      return x === null || y === null ? null : (apply[operator] ?? apply['+']!)(x, y);
    });
    title = `${String(left)} ${operator} ${String(right)}`;
  } else {
    const settings = record(options.reduce);
    const calc = calculationOf(String(settings.reducer ?? 'sum')) ?? 'sum';
    const include = list(settings.include).map(String);
    const fields = numberFields(frame).filter(
      (field) => include.length === 0 || include.includes(fieldName(field, frame)) || include.includes(field.name),
    );
    values = Array.from({ length }, (_, row) =>
      CALCULATIONS[calc](
        fields.map((field) => (typeof field.values[row] === 'number' ? (field.values[row] as number) : null)),
      ),
    );
    title = CALC_TITLES[calc] ?? calc;
  }
  const added: Field = { name: alias ?? title, legend: alias ?? title, kind: 'number', values };
  return {
    ...frame,
    fields:
      options.replaceFields === true
        ? [...frame.fields.filter((field) => field.kind === 'time'), added]
        : [...frame.fields, added],
  };
}

function converted(field: Field, kind: string): Field {
  const to: Record<string, (value: Cell) => Cell> = {
    number: (value) => (value === null || value === '' || Number.isNaN(Number(value)) ? null : Number(value)),
    string: (value) => (value === null ? null : String(value)),
    boolean: (value) => value === true || value === 'true' || value === 1,
    time: (value) => (typeof value === 'number' ? value : value === null ? null : Date.parse(String(value))),
  };
  const convert = to[kind];
  return convert ? { ...field, kind: kind as Field['kind'], values: field.values.map(convert) } : field;
}

function matrix(frame: Frame, columnName: string, rowName: string, valueName: string): Frame {
  const find = (name: string) => frame.fields.find((field) => field.name === name || fieldName(field, frame) === name);
  const [column, row, value] = [find(columnName), find(rowName), find(valueName)];
  if (!column || !row || !value) return frame;
  const columns = [...new Set(column.values)];
  const rows = [...new Set(row.values)];
  const cells = new Map<string, Cell>();
  for (const [at, cell] of value.values.entries()) cells.set(JSON.stringify([row.values[at], column.values[at]]), cell);
  return {
    ...frame,
    fields: [
      { name: `${rowName}\\${columnName}`, kind: row.kind, values: rows },
      ...columns.map(
        (name): Field => ({
          name: String(name),
          kind: value.kind,
          values: rows.map((one) => cells.get(JSON.stringify([one, name])) ?? null),
        }),
      ),
    ],
  };
}
