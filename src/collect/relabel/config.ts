// The relabel section of configuration files: the schema and the checks of every action, worded as Prometheus words them.

import { integer, list, map, object, optional, type Schema, string, withDefault } from '#base/config/schema.ts';
import { compileRegex } from '#base/regex/regex.ts';
import { isLegacyLabelName } from '#model/labels.ts';
import { DEFAULT_REGEX, DEFAULT_RULE, RELABEL_ACTIONS, type RelabelAction, type RelabelRule } from './relabel.ts';

const action: Schema<RelabelAction> = map(string(), (text) => {
  const found = RELABEL_ACTIONS.find((known) => known === text.toLowerCase());
  if (!found) throw new Error(`unknown relabel action ${JSON.stringify(text)}`);
  return found;
});

const fields = object(
  {
    source_labels: optional(list(string())),
    separator: withDefault(string(), ';'),
    regex: withDefault(
      map(string(), (pattern) => {
        compileRegex(pattern);
        return pattern;
      }),
      DEFAULT_REGEX,
    ),
    modulus: withDefault(integer(0), 0),
    target_label: withDefault(string(), ''),
    replacement: withDefault(string(), '$1'),
    action: withDefault(action, 'replace'),
  },
  (rule, report) => {
    const problem = problemOf(rule);
    if (problem) report(problem.field, problem.message);
  },
);

export const relabelConfig: Schema<RelabelRule> = map(fields, (rule) => ({
  ...DEFAULT_RULE,
  action: rule.action,
  sourceLabels: rule.source_labels ?? [],
  separator: rule.separator,
  regex: rule.regex,
  modulus: rule.modulus,
  targetLabel: rule.target_label,
  replacement: rule.replacement,
}));

export const relabelConfigs: Schema<readonly RelabelRule[]> = list(relabelConfig);

type Raw = {
  readonly action: RelabelAction;
  readonly source_labels: readonly string[] | undefined;
  readonly separator: string;
  readonly regex: string;
  readonly modulus: number;
  readonly target_label: string;
  readonly replacement: string;
};

const NEED_TARGET: readonly RelabelAction[] = [
  'replace',
  'hashmod',
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
];
const NO_REPLACEMENT: readonly RelabelAction[] = ['lowercase', 'uppercase', 'keepequal', 'dropequal'];

function problemOf(rule: Raw): { field: string; message: string } | undefined {
  const { action } = rule;
  const isDefault =
    rule.modulus === 0 && rule.separator === ';' && rule.replacement === '$1' && rule.regex === DEFAULT_REGEX;
  if (action === 'hashmod' && rule.modulus === 0) {
    return { field: 'modulus', message: 'relabel configuration for hashmod requires non-zero modulus' };
  }
  if (NEED_TARGET.includes(action) && rule.target_label === '') {
    return {
      field: 'target_label',
      message: `relabel configuration for ${action} action requires 'target_label' value`,
    };
  }
  if (NO_REPLACEMENT.includes(action) && rule.replacement !== '$1') {
    return { field: 'replacement', message: `'replacement' can not be set for ${action} action` };
  }
  if (action === 'labelmap' && rule.replacement === '') {
    return { field: 'replacement', message: `"" is invalid 'replacement' for ${action} action` };
  }
  if ((action === 'keepequal' || action === 'dropequal') && !isDefault) {
    return {
      field: 'action',
      message: `${action} action requires only 'source_labels' and \`target_label\`, and no other fields`,
    };
  }
  if (action === 'labeldrop' || action === 'labelkeep') {
    const others =
      rule.source_labels !== undefined ||
      rule.target_label !== '' ||
      rule.modulus !== 0 ||
      rule.separator !== ';' ||
      rule.replacement !== '$1';
    if (others) return { field: 'action', message: `${action} action requires only 'regex', and no other fields` };
  }
  return undefined;
}

/** What only the legacy name scheme forbids; checked when a job asks for it. */
export function legacyProblem(rule: RelabelRule): string | undefined {
  const { action, targetLabel } = rule;
  if (NEED_TARGET.includes(action)) {
    const isTemplate = action === 'replace' && targetLabel.includes('$');
    const isValid = isTemplate
      ? /^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$/.test(targetLabel)
      : isLegacyLabelName(targetLabel);
    if (!isValid) return `${JSON.stringify(targetLabel)} is invalid 'target_label' for ${action} action`;
  }
  if (action === 'labelmap' && !/^(?:(?:[a-zA-Z_]|\$(?:\{\w+\}|\w+))+\w*)+$/.test(rule.replacement)) {
    return `${JSON.stringify(rule.replacement)} is invalid 'replacement' for ${action} action`;
  }
  return undefined;
}
