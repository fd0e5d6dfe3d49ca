// Rule files: YAML to groups of rules, everything checked, every problem with its position. What is wrong is said as
// Prometheus says it.

import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml';
import { errorText, UserError } from '#base/errors.ts';
import { parseDuration } from '#base/units.ts';
import { isLegacyLabelName, isLegacyMetricName, type Labels, labelsFrom, METRIC_NAME } from '#model/labels.ts';
import type { Expr } from '#query/parse/ast.ts';
import { type ParseOptions, parseExpr } from '#query/parse/parser.ts';
import { ALERT_PREAMBLE, checkTemplate } from '../template/prometheus.ts';
import { goQuote } from '../template/quote.ts';
import type { GroupConfig, RuleConfig } from './contract.ts';

export type RuleFileOptions = {
  readonly ignoreUnknownFields?: boolean;
  /** Names of metrics and labels: any UTF-8, or the letters of old. */
  readonly names?: 'utf8' | 'legacy';
  readonly parse?: ParseOptions;
};

export type RuleFile = { readonly groups: readonly GroupConfig[] };

/** Problems of one file; each message begins with the file's name and, where it has one, the position. */
export class RuleFileError extends UserError {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'RuleFileError';
    this.problems = problems;
  }
}

/** Throws a RuleFileError with all problems. */
export function parseRuleFile(file: string, text: string, options: RuleFileOptions = {}): RuleFile {
  const reader = new Reader(file, text, options);
  const groups = reader.read();
  if (reader.problems.length > 0) throw new RuleFileError(reader.problems.map((problem) => `${file}: ${problem}`));
  return { groups };
}

const GROUP_FIELDS = ['name', 'interval', 'query_offset', 'limit', 'rules', 'labels'];
const RULE_FIELDS = ['record', 'alert', 'expr', 'for', 'keep_firing_for', 'labels', 'annotations'];

type Field = { readonly key: Node; readonly value: Node | null };

class Reader {
  readonly problems: string[] = [];
  readonly #file: string;
  readonly #text: string;
  readonly #options: RuleFileOptions;
  readonly #lines = new LineCounter();
  #resolve: (node: Node | null) => Node | null = (node) => node;

  constructor(file: string, text: string, options: RuleFileOptions) {
    this.#file = file;
    this.#text = text;
    this.#options = options;
  }

  read(): GroupConfig[] {
    const document = parseDocument(this.#text, {
      lineCounter: this.#lines,
      merge: true,
      uniqueKeys: true,
      prettyErrors: false,
    });
    for (const error of document.errors) {
      if (error.code === 'MULTIPLE_DOCS') continue;
      this.problems.push(`yaml: line ${this.#lines.linePos(error.pos[0]).line}: ${error.message}`);
    }
    if (this.problems.length > 0) return [];
    this.#resolve = (node) => {
      const target = node as unknown as { resolve?: (doc: unknown) => Node | undefined; source?: unknown };
      return node && typeof target.resolve === 'function' && typeof target.source === 'string' && !isScalar(node)
        ? (target.resolve(document) ?? null)
        : node;
    };
    const root = this.#resolve(document.contents as Node | null);
    if (root === null || (isScalar(root) && root.value === null)) return [];
    const fields = this.#fields(root, ['groups'], 'rulefmt.RuleGroups');
    const groups = this.#items(fields?.get('groups')?.value ?? null, '[]rulefmt.RuleGroup');
    const seen = new Set<string>();
    return groups.flatMap((node) => this.#group(node, seen) ?? []);
  }

  #group(node: Node, seen: Set<string>): GroupConfig | undefined {
    const fields = this.#fields(node, GROUP_FIELDS, 'rulefmt.RuleGroup');
    if (!fields) return undefined;
    const name = this.#string(fields.get('name'));
    const at = this.#position(node);
    if (name === '') this.problems.push(`${at}: Groupname must not be empty`);
    if (seen.has(name)) this.problems.push(`${at}: groupname: "${name}" is repeated in the same file`);
    seen.add(name);
    const limitField = fields.get('limit');
    const limit = Number(this.#string(limitField) || 0);
    if (!Number.isInteger(limit)) this.#cannot(limitField!, 'int');
    const intervalMs = this.#duration(fields.get('interval'));
    const queryOffsetMs = this.#duration(fields.get('query_offset'));
    const shared = this.#record(fields.get('labels'));
    for (const label of Object.keys(shared)) {
      if (!this.#isLabelName(label)) this.problems.push(`invalid label name: ${label}`);
    }
    const rules = this.#items(fields.get('rules')?.value ?? null, '[]rulefmt.Rule');
    const configs = rules.flatMap((rule, index) => this.#rule(rule, index, name, shared) ?? []);
    return {
      name,
      file: this.#file,
      intervalMs: intervalMs || undefined,
      queryOffsetMs: fields.has('query_offset') ? queryOffsetMs : undefined,
      limit,
      rules: configs,
    };
  }

  #rule(node: Node, index: number, group: string, shared: Record<string, string>): RuleConfig | undefined {
    const fields = this.#fields(node, RULE_FIELDS, 'rulefmt.Rule');
    if (!fields) return undefined;
    const record = this.#string(fields.get('record'));
    const alert = this.#string(fields.get('alert'));
    const name = alert || record;
    const before = this.problems.length;
    const where = `group ${goQuote(group)}, rule ${index + 1}, ${goQuote(name)}`;
    const report = (message: string, field?: Field) => {
      const at = field?.value ? `${this.#position(field.value)}: ` : '';
      this.problems.push(`${at}${where}: ${message}`);
    };
    const here: Field = { key: node, value: node };
    const recordField = fields.get('record') ?? here;
    if (record !== '' && alert !== '') report("only one of 'record' and 'alert' must be set", recordField);
    if (name === '') report("one of 'record' or 'alert' must be set", here);
    const expr = this.#expression(fields.get('expr'), here, report);
    const forMs = this.#duration(fields.get('for'));
    const keepFiringForMs = this.#duration(fields.get('keep_firing_for'));
    const labels = this.#record(fields.get('labels'));
    const annotations = this.#record(fields.get('annotations'));
    if (record !== '') {
      for (const field of ['annotations', 'for', 'keep_firing_for']) {
        const set =
          field === 'annotations' ? Object.keys(annotations).length : field === 'for' ? forMs : keepFiringForMs;
        if (set) report(`invalid field '${field}' in recording rule`, recordField);
      }
      const legacy = this.#options.names === 'legacy';
      if (legacy && !isLegacyMetricName(record)) report(`invalid recording rule name: ${record}`, recordField);
      if (/[{}]/.test(record)) {
        report(`braces present in the recording rule name; should it be in expr?: ${record}`, recordField);
      }
    }
    for (const label of Object.keys(labels)) if (!this.#isLabelName(label)) report(`invalid label name: ${label}`);
    for (const annotation of Object.keys(annotations)) {
      if (!this.#isName(annotation)) report(`invalid annotation name: ${annotation}`);
    }
    if (alert !== '') {
      this.#templates(alert, 'label', fields.get('labels'), labels, report);
      this.#templates(alert, 'annotation', fields.get('annotations'), annotations, report);
    }
    if (this.problems.length > before || !expr) return undefined;
    const merged: Labels = labelsFrom(Object.entries({ ...shared, ...labels }));
    if (record !== '') return { kind: 'recording', name: record, expr, labels: merged };
    const notes = labelsFrom(Object.entries(annotations));
    return { kind: 'alerting', name: alert, expr, forMs, keepFiringForMs, labels: merged, annotations: notes };
  }

  #expression(
    field: Field | undefined,
    rule: Field,
    report: (message: string, field?: Field) => void,
  ): Expr | undefined {
    const text = this.#string(field);
    if (text === '') {
      report("field 'expr' must be set in rule", field ?? rule);
      return undefined;
    }
    try {
      return parseExpr(text, this.#options.parse);
    } catch (error) {
      report(`could not parse expression: ${errorText(error)}`, field);
      return undefined;
    }
  }

  #templates(
    alert: string,
    kind: 'label' | 'annotation',
    field: Field | undefined,
    texts: Record<string, string>,
    report: (message: string, field?: Field) => void,
  ): void {
    for (const [name, text] of Object.entries(texts)) {
      try {
        checkTemplate(`__alert_${alert}`, ALERT_PREAMBLE + text);
      } catch (error) {
        const pair = isMap(field?.value) ? (field.value.items as Pair[]).find((p) => keyText(p) === name) : undefined;
        report(
          `${kind} ${goQuote(name)}: ${errorText(error)}`,
          pair ? { key: pair.key as Node, value: pair.value as Node } : undefined,
        );
      }
    }
  }

  // YAML.

  #position(node: Node): string {
    const { line, col } = this.#lines.linePos(node.range?.[0] ?? 0);
    return `${line}:${col}`;
  }

  #cannot(field: Field, type: string): void {
    const node = field.value ?? field.key;
    const { line } = this.#lines.linePos(node.range?.[0] ?? 0);
    const shown = isScalar(node)
      ? `!!${scalarTag(node.value)} \`${clip(String(node.source ?? node.value))}\``
      : describe(node);
    this.problems.push(`yaml: unmarshal errors:\n  line ${line}: cannot unmarshal ${shown} into ${type}`);
  }

  #fields(node: Node, known: readonly string[], type: string): Map<string, Field> | undefined {
    if (!isMap(node)) {
      if (!(isScalar(node) && node.value === null)) this.#cannot({ key: node, value: node }, type);
      return isScalar(node) && node.value === null ? new Map() : undefined;
    }
    const fields = new Map<string, Field>();
    for (const pair of (node as YAMLMap).items as Pair[]) {
      const name = keyText(pair);
      const key = pair.key as Node;
      if (!known.includes(name)) {
        if (this.#options.ignoreUnknownFields) continue;
        const { line } = this.#lines.linePos(key.range?.[0] ?? 0);
        this.problems.push(`yaml: unmarshal errors:\n  line ${line}: field ${name} not found in type ${type}`);
        continue;
      }
      fields.set(name, { key, value: this.#resolve(pair.value as Node | null) });
    }
    return fields;
  }

  #items(node: Node | null, type: string): Node[] {
    if (node === null || (isScalar(node) && node.value === null)) return [];
    if (!isSeq(node)) {
      this.#cannot({ key: node, value: node }, type);
      return [];
    }
    return (node.items as Node[]).flatMap((item) => this.#resolve(item) ?? []);
  }

  #string(field: Field | undefined): string {
    const value = field?.value;
    if (!value) return '';
    if (!isScalar(value)) {
      this.#cannot(field, 'string');
      return '';
    }
    if (value.value === null) return '';
    return typeof value.value === 'string' ? value.value : String(value.source ?? value.value);
  }

  #duration(field: Field | undefined): number {
    const text = this.#string(field);
    if (text === '') return 0;
    const ms = parseDuration(text);
    if (ms === undefined)
      this.problems.push(`${this.#position(field!.value!)}: not a valid duration string: ${goQuote(text)}`);
    return ms ?? 0;
  }

  #record(field: Field | undefined): Record<string, string> {
    const value = field?.value;
    if (!value || (isScalar(value) && value.value === null)) return {};
    if (!isMap(value)) {
      this.#cannot(field, 'map[string]string');
      return {};
    }
    const record: Record<string, string> = {};
    for (const pair of (value as YAMLMap).items as Pair[]) {
      record[keyText(pair)] = this.#string({ key: pair.key as Node, value: this.#resolve(pair.value as Node | null) });
    }
    return record;
  }

  #isName(name: string): boolean {
    return this.#options.names === 'legacy' ? isLegacyLabelName(name) : name !== '' && name.isWellFormed();
  }

  #isLabelName(name: string): boolean {
    return name !== METRIC_NAME && this.#isName(name);
  }
}

const keyText = (pair: Pair): string => {
  const key = pair.key;
  return isScalar(key) ? String(key.value) : String(key);
};

const scalarTag = (value: unknown): string =>
  typeof value === 'string' ? 'str' : typeof value === 'boolean' ? 'bool' : Number.isInteger(value) ? 'int' : 'float';

const describe = (node: Node): string => (isMap(node) ? '!!map' : isSeq(node) ? '!!seq' : '!!null');

const clip = (text: string): string => (text.length > 10 ? `${text.slice(0, 7)}...` : text);
