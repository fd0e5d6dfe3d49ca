// Relabeling: rules that rewrite or drop a label set, as Prometheus applies them to targets before the scrape, to samples
// after it, to alerts, and to what is sent on. Rules are plain data (they cross threads); `compileRules` makes them run.

import { createHash } from 'node:crypto';
import { compileRegex, type Regex } from '#base/regex/regex.ts';
import { isLegacyLabelName, type Labels, labelsOf, labelsToRecord, labelValue, withLabel } from '#model/labels.ts';

export const RELABEL_ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelAction = (typeof RELABEL_ACTIONS)[number];

export type NameValidation = 'utf8' | 'legacy';

/** One rule with its defaults filled in. */
export type RelabelRule = {
  readonly action: RelabelAction;
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  readonly regex: string;
  readonly modulus: number;
  readonly targetLabel: string;
  readonly replacement: string;
  readonly nameValidation: NameValidation;
};

export const DEFAULT_REGEX = '(.*)';
export const DEFAULT_RULE: RelabelRule = {
  action: 'replace',
  sourceLabels: [],
  separator: ';',
  regex: DEFAULT_REGEX,
  modulus: 0,
  targetLabel: '',
  replacement: '$1',
  nameValidation: 'utf8',
};

/** Undefined: the rules drop this label set. */
export type Relabel = (labels: Labels) => Labels | undefined;

export function compileRules(rules: readonly RelabelRule[]): Relabel {
  const steps = rules.map(compileRule);
  return (labels) => {
    let current: Labels | undefined = labels;
    for (const step of steps) {
      current = step(current);
      if (current === undefined) return undefined;
    }
    return current;
  };
}

/** What each rule makes of a label set, for people who ask why; the output of the last step is the result. */
export function relabelSteps(
  rules: readonly RelabelRule[],
  labels: Labels,
): { readonly rule: RelabelRule; readonly output: Labels; readonly keep: boolean }[] {
  const steps: { rule: RelabelRule; output: Labels; keep: boolean }[] = [];
  let current: Labels | undefined = labels;
  for (const rule of rules) {
    current = current && compileRule(rule)(current);
    steps.push({ rule, output: current ?? [], keep: current !== undefined });
  }
  return steps;
}

function compileRule(rule: RelabelRule): Relabel {
  const { sourceLabels, separator, targetLabel, replacement } = rule;
  const source =
    sourceLabels.length === 1
      ? (labels: Labels) => labelValue(labels, sourceLabels[0]!)
      : (labels: Labels) => sourceLabels.map((name) => labelValue(labels, name)).join(separator);
  const regex = compileRegex(rule.regex);
  switch (rule.action) {
    case 'keep':
      return (labels) => (regex.test(source(labels)) ? labels : undefined);
    case 'drop':
      return (labels) => (regex.test(source(labels)) ? undefined : labels);
    case 'keepequal':
      return (labels) => (labelValue(labels, targetLabel) === source(labels) ? labels : undefined);
    case 'dropequal':
      return (labels) => (labelValue(labels, targetLabel) === source(labels) ? undefined : labels);
    case 'replace':
      return compileReplace(rule, regex, source);
    case 'lowercase':
      return (labels) => withLabel(labels, targetLabel, lowercase(source(labels)));
    case 'uppercase':
      return (labels) => withLabel(labels, targetLabel, uppercase(source(labels)));
    case 'hashmod': {
      const modulus = BigInt(rule.modulus);
      return (labels) => {
        const digest = createHash('md5').update(source(labels)).digest();
        return withLabel(labels, targetLabel, String(digest.readBigUInt64BE(8) % modulus));
      };
    }
    case 'labelmap': {
      const template = compileTemplate(replacement);
      return (labels) => {
        let mapped = labels;
        for (let i = 0; i < labels.length; i += 2) {
          const groups = regex.match(labels[i]!);
          if (groups) mapped = withLabel(mapped, template(groups, regex), labels[i + 1]!);
        }
        return mapped;
      };
    }
    case 'labeldrop':
      return (labels) => filterNames(labels, (name) => !regex.test(name));
    case 'labelkeep':
      return (labels) => filterNames(labels, (name) => regex.test(name));
  }
}

function compileReplace(rule: RelabelRule, regex: Regex, source: (labels: Labels) => string): Relabel {
  const { targetLabel, replacement } = rule;
  const isValid = (name: string) => name !== '' && (rule.nameValidation === 'utf8' || isLegacyLabelName(name));
  const targetTemplate = compileTemplate(targetLabel);
  const valueTemplate = compileTemplate(replacement);
  const isConstant = !targetLabel.includes('$') && !replacement.includes('$');
  if (isConstant) {
    const matches = rule.regex === DEFAULT_REGEX ? () => true : (labels: Labels) => regex.test(source(labels));
    return (labels) => (matches(labels) && isValid(targetLabel) ? withLabel(labels, targetLabel, replacement) : labels);
  }
  if (rule.regex === DEFAULT_REGEX && replacement === '$1' && !targetLabel.includes('$')) {
    return (labels) => (isValid(targetLabel) ? withLabel(labels, targetLabel, source(labels)) : labels);
  }
  return (labels) => {
    const groups = regex.match(source(labels));
    if (!groups) return labels;
    const target = targetTemplate(groups, regex);
    return isValid(target) ? withLabel(labels, target, valueTemplate(groups, regex)) : labels;
  };
}

type Template = (groups: readonly (string | undefined)[], regex: Regex) => string;

/** Go's Regexp.Expand: $1, ${1}, $name, ${name}, $$; a name takes as many word characters as it can; unknown ones are ''. */
function compileTemplate(text: string): Template {
  if (!text.includes('$')) return () => text;
  const parts: (string | { readonly group: string })[] = [];
  const pattern = /\$(?:(\$)|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    parts.push(text.slice(from, match.index));
    parts.push(match[1] ? '$' : { group: (match[2] ?? match[3])! });
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return (groups, regex) => {
    let result = '';
    for (const part of parts) {
      if (typeof part === 'string') result += part;
      else result += groups[/^\d+$/.test(part.group) ? Number(part.group) : (regex.groupNames[part.group] ?? -1)] ?? '';
    }
    return result;
  };
}

function filterNames(labels: Labels, keep: (name: string) => boolean): Labels {
  let all = true;
  for (let i = 0; i < labels.length && all; i += 2) all = keep(labels[i]!);
  if (all) return labels;
  const record = labelsToRecord(labels);
  for (const name of Object.keys(record)) if (!keep(name)) delete record[name];
  return labelsOf(record);
}

// Go maps code points one by one; JavaScript also applies the few mappings that change a text's length.
const lowercase = (text: string) => mapChars(text, text.toLowerCase(), (char) => char.toLowerCase());
const uppercase = (text: string) => mapChars(text, text.toUpperCase(), (char) => char.toUpperCase());

function mapChars(text: string, whole: string, one: (char: string) => string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return whole;
  return [...text].map((char) => ([...one(char)].length === 1 ? one(char) : char)).join('');
}
