// `pharos tool check rules`, `check config` and `test rules`: promtool's flags, output and exit codes.

import type { GroupConfig } from '#alert/rules/contract.ts';
import { parseRuleFile, RuleFileError, type RuleFileOptions } from '#alert/rules/file.ts';
import { glob } from '#alert/rules/glob.ts';
import { readTestFile } from '#alert/unittest/file.ts';
import { type FileResult, junitXml } from '#alert/unittest/report.ts';
import { runTestFile } from '#alert/unittest/run.ts';
import { memoryStorage } from '#alert/unittest/storage.ts';
import { systemClock } from '#base/clock.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import { formatDuration } from '#base/units.ts';
import { labelsKey } from '#model/labels.ts';
import type { ParseOptions } from '#query/parse/parser.ts';
import { loadServerConfig, refuseForAgent } from '../config.ts';
import { FAILURE, LINT_FAILURE, type Streams, SUCCESS, toolCommand } from './command.ts';
import { checkNamedFiles } from './config-files.ts';

const LINT_FLAGS = {
  'lint-fatal': { kind: 'boolean', default: false, help: 'Make lint errors exit with code 3.' },
  'ignore-unknown-fields': { kind: 'boolean', default: false, help: 'Ignore unknown fields in rule groups.' },
} as const;

const FEATURE_FLAG = {
  'enable-feature': {
    kind: 'texts',
    default: [],
    help: 'Comma separated feature names to enable.',
  },
} as const;

const featuresOf = (texts: readonly string[]): string[] => texts.flatMap((text) => text.split(',')).filter(Boolean);

const parsingOf = (features: readonly string[]): ParseOptions => ({
  experimentalFunctions: features.includes('promql-experimental-functions'),
  extendedRangeSelectors: features.includes('promql-extended-range-selectors'),
  fillModifiers: features.includes('promql-binop-fill-modifiers'),
});

const RULE_LINTS = ['all', 'duplicate-rules', 'none'] as const;
const CONFIG_LINTS = [...RULE_LINTS, 'too-long-scrape-interval'] as const;

type Outcome = { readonly failed: boolean; readonly hasErrors: boolean };

function exitCode({ failed, hasErrors }: Outcome, lintFatal: boolean): number {
  if (failed && hasErrors) return FAILURE;
  return failed && lintFatal ? LINT_FAILURE : SUCCESS;
}

/** What two rules of the same name and labels are reported as; undefined when there are none. */
function duplicates(groups: readonly GroupConfig[]): string | undefined {
  const seen = new Set<string>();
  const reported = new Map<string, string>();
  for (const rule of groups.flatMap((group) => group.rules)) {
    const key = `${rule.name}\xfe${labelsKey(rule.labels)}`;
    if (seen.has(key)) {
      const labels: string[] = [];
      for (let i = 0; i < rule.labels.length; i += 2) labels.push(`\t${rule.labels[i]}: ${rule.labels[i + 1]}\n`);
      reported.set(key, `Metric: ${rule.name}\nLabel(s):\n${labels.join('')}`);
    }
    seen.add(key);
  }
  if (reported.size === 0) return undefined;
  const list = [...reported.values()].join('');
  return `lint error ${reported.size} duplicate rule(s) found.\n${list}Might cause inconsistency while recording expressions`;
}

function checkText(name: string, text: string, lint: string, options: RuleFileOptions, streams: Streams): Outcome {
  let groups: readonly GroupConfig[];
  try {
    ({ groups } = parseRuleFile(name, text, options));
  } catch (error) {
    const problems = error instanceof RuleFileError ? error.problems : [`${name}: ${errorText(error)}`];
    streams.err(`  FAILED:\n${problems.join('\n')}\n`);
    return { failed: true, hasErrors: true };
  }
  const found = lint === 'none' || lint === 'too-long-scrape-interval' ? undefined : duplicates(groups);
  if (found !== undefined) streams.err(`  FAILED:\n${found}\n`);
  else streams.out(`  SUCCESS: ${groups.reduce((sum, group) => sum + group.rules.length, 0)} rules found\n`);
  streams.out('\n');
  return { failed: found !== undefined, hasErrors: false };
}

function checkFiles(files: readonly string[], lint: string, options: RuleFileOptions, streams: Streams): Outcome {
  let total: Outcome = { failed: false, hasErrors: false };
  for (const file of files) {
    streams.out(`Checking ${file}\n`);
    let outcome: Outcome = { failed: true, hasErrors: true };
    try {
      outcome = checkText(file, new TextDecoder().decode(nodeDisk.readFile(file)), lint, options, streams);
    } catch (error) {
      streams.err(`  FAILED:\n${file}: ${errorText(error)}\n`);
    }
    total = { failed: total.failed || outcome.failed, hasErrors: total.hasErrors || outcome.hasErrors };
  }
  return total;
}

export const checkRules = toolCommand({
  name: 'check rules',
  summary: 'Check if the rule files are valid or not',
  operands: '[<rule-files>...]',
  flags: {
    lint: {
      kind: 'text',
      default: 'duplicate-rules',
      values: RULE_LINTS,
      help: 'Linting checks to apply; none disables them.',
    },
    ...LINT_FLAGS,
    ...FEATURE_FLAG,
  },
  async run(flags, files, streams) {
    const options = {
      ignoreUnknownFields: flags['ignore-unknown-fields'],
      parse: parsingOf(featuresOf(flags['enable-feature'])),
    };
    if (files.length === 0) {
      streams.out('Checking standard input\n');
      return exitCode(
        checkText('standard input', await streams.stdin(), flags.lint, options, streams),
        flags['lint-fatal'],
      );
    }
    for (const file of files) {
      if (!nodeDisk.exists(file)) throw new UserError(`path '${file}' does not exist, try --help`);
    }
    return exitCode(checkFiles(files, flags.lint, options, streams), flags['lint-fatal']);
  },
});

export const checkConfig = toolCommand({
  name: 'check config',
  summary: 'Check if the config files are valid or not',
  operands: '<config-files>...',
  flags: {
    'syntax-only': {
      kind: 'boolean',
      default: false,
      help: 'Only check the syntax, not files that the configuration names.',
    },
    lint: {
      kind: 'text',
      default: 'duplicate-rules',
      values: CONFIG_LINTS,
      help: 'Linting checks to apply to rules and scrape configurations; none disables them.',
    },
    agent: { kind: 'boolean', default: false, help: 'Check the file for agent mode.' },
    'query.lookback-delta': {
      kind: 'duration',
      default: 300_000,
      help: 'Lookback that scrape intervals are compared with by too-long-scrape-interval.',
    },
    ...LINT_FLAGS,
  },
  async run(flags, files, streams) {
    if (files.length === 0) throw new UserError("required argument 'config-files' not provided, try --help");
    let total: Outcome = { failed: false, hasErrors: false };
    const add = (outcome: Outcome) => {
      total = { failed: total.failed || outcome.failed, hasErrors: total.hasErrors || outcome.hasErrors };
    };
    const options = { ignoreUnknownFields: flags['ignore-unknown-fields'] };
    for (const file of files) {
      streams.out(`Checking ${file}\n`);
      let ruleFiles: string[] = [];
      try {
        const config = loadServerConfig(file, nodeDisk, process.env, {});
        if (flags.agent) refuseForAgent(config, file);
        if (!flags['syntax-only']) ruleFiles = config.ruleFiles.flatMap(existing);
        checkNamedFiles(nodeDisk, config, flags['syntax-only'], (message) => streams.out(`${message}\n`));
        if (ruleFiles.length > 0) streams.out(`  SUCCESS: ${ruleFiles.length} rule files found\n`);
        streams.out(` SUCCESS: ${file} is valid prometheus config file syntax\n`);
        if (flags.lint === 'all' || flags.lint === 'too-long-scrape-interval') {
          for (const job of config.jobs) {
            if (job.intervalMs < flags['query.lookback-delta']) continue;
            const what = `too long scrape interval found, data point will be marked as stale`;
            streams.err(`  FAILED: ${what} - job: ${job.spec.name}, interval: ${formatDuration(job.intervalMs)}\n`);
            add({ failed: true, hasErrors: false });
          }
        }
      } catch (error) {
        streams.err(`  FAILED: ${errorText(error)}\n`);
        add({ failed: true, hasErrors: true });
      }
      streams.out('\n');
      add(checkFiles(ruleFiles, flags.lint, options, streams));
    }
    return exitCode(total, flags['lint-fatal']);
  },
});

/** Files of a pattern; a name without `*` must exist. */
function existing(pattern: string): string[] {
  const found = glob(nodeDisk, pattern);
  if (found.length === 0 && !pattern.includes('*')) {
    throw new UserError(`${JSON.stringify(pattern)} does not point to an existing file`);
  }
  return found;
}

export const testRules = toolCommand({
  name: 'test rules',
  summary: 'Unit tests for rules',
  operands: '<test-rule-file>...',
  flags: {
    run: {
      kind: 'texts',
      default: [],
      help: 'Only run tests whose name matches the regular expression. Can be repeated.',
    },
    debug: { kind: 'boolean', default: false, help: 'Print all samples at the end of each test.' },
    diff: { kind: 'boolean', default: false, help: 'Show where alerts differ, line by line.' },
    junit: { kind: 'text', default: '', help: 'File to store JUnit XML test results in.' },
    'ignore-unknown-fields': LINT_FLAGS['ignore-unknown-fields'],
    ...FEATURE_FLAG,
  },
  async run(flags, files, streams) {
    if (files.length === 0) throw new UserError("required argument 'test-rule-file' not provided, try --help");
    const features = featuresOf(flags['enable-feature']);
    const only = flags.run.length > 0 ? new RegExp(flags.run.join('|')) : undefined;
    const results: FileResult[] = [];
    for (const file of files) {
      streams.out(`Unit Testing:  ${file}\n`);
      const result = await testFile(file, {
        disk: nodeDisk,
        clock: systemClock,
        newStorage: (stepMs) => memoryStorage(systemClock, stepMs, features),
        only,
        ignoreUnknownFields: flags['ignore-unknown-fields'],
        parse: parsingOf(features),
        diff: flags.diff,
        warn: (message) => streams.err(`${message}\n`),
        ...(flags.debug ? { debug: (message: string) => streams.err(`${message}\n`) } : {}),
      });
      results.push(result);
      const failures = [
        ...(result.error === undefined ? [] : [result.error]),
        ...result.cases.flatMap((c) => c.failures),
      ];
      if (failures.length === 0) streams.out('  SUCCESS\n');
      else {
        streams.err(`  FAILED:\n${failures.join('\n')}\n`);
        streams.out('\n'.repeat(failures.length));
      }
      streams.out('\n');
    }
    if (flags.junit !== '') {
      const xml = junitXml(results, new Date(systemClock.now()).toISOString().slice(0, 19));
      replaceFile(nodeDisk, flags.junit, new TextEncoder().encode(xml));
    }
    const failed = results.some(({ error, cases }) => error !== undefined || cases.some((c) => c.failures.length > 0));
    return failed ? FAILURE : SUCCESS;
  },
});

type TestOptions = Parameters<typeof runTestFile>[1] & { readonly warn: (message: string) => void };

async function testFile(file: string, { warn, ...options }: TestOptions): Promise<FileResult> {
  try {
    return { file, cases: await runTestFile(readTestFile(nodeDisk, file, warn), options) };
  } catch (error) {
    return { file, cases: [], error: errorText(error) };
  }
}
