// `pharos tool lint metrics` checks a catalog or a live page; `pharos tool generate metrics` makes code, a document, a dashboard and
// alert rules from a catalog.

import path from 'node:path';
import { systemClock } from '#base/clock.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, OperatingError, UserError } from '#base/errors.ts';
import { nearest } from '#base/nearest.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { type Catalog, readCatalog } from '#exporters/catalog/catalog.ts';
import { generateCode, generateDashboard, generateDocument, generateRules } from '#exporters/catalog/generate.ts';
import { type Finding, lintCatalog, RULE_NAMES, type RuleName } from '#exporters/catalog/lint.ts';
import { catalogOfPage, comparePage, type Difference } from '#exporters/catalog/page.ts';
import { LINT_FAILURE, SUCCESS, toolCommand } from './command.ts';

const MAX_PAGE_BYTES = 64 * 1024 * 1024;
const PAGE_TIMEOUT_MS = 30_000;

const loadCatalog = (file: string): Catalog => readCatalog(Buffer.from(nodeDisk.readFile(file)).toString('utf8'), file);

async function readPage(where: string, stdin: () => Promise<string>): Promise<string> {
  if (where === '-') return stdin();
  if (!/^https?:\/\//.test(where)) return Buffer.from(nodeDisk.readFile(where)).toString('utf8');
  const client = createHttpClient(undefined, { clock: systemClock, disk: nodeDisk });
  try {
    const reply = await client.call({
      url: where,
      headers: { accept: 'text/plain' },
      timeoutMs: PAGE_TIMEOUT_MS,
      maxBodyBytes: MAX_PAGE_BYTES,
    });
    if (reply.status !== 200) throw new OperatingError('http', `answered ${reply.status}`);
    return reply.body.toString('utf8');
  } catch (error) {
    throw new OperatingError('http', `cannot read ${where}: ${errorText(error)}`, { cause: error });
  } finally {
    client.close();
  }
}

function chosenRules(skip: readonly string[]): RuleName[] {
  const skipped = skip.flatMap((text) => text.split(',')).filter(Boolean);
  for (const name of skipped)
    if (!(RULE_NAMES as string[]).includes(name)) {
      const hint = nearest(name, RULE_NAMES);
      throw new UserError(
        `unknown rule ${name}${hint ? `, did you mean ${hint}?` : ''}; there are: ${RULE_NAMES.join(', ')}`,
      );
    }
  return RULE_NAMES.filter((name) => !skipped.includes(name));
}

export const lintMetrics = toolCommand({
  name: 'lint metrics',
  summary:
    'Checks a metric catalog (YAML) or a page of metrics (URL, file, or - for standard input) against a naming scheme',
  operands: '<catalog.yml | url | page.txt | ->',
  flags: {
    catalog: {
      kind: 'text',
      default: '',
      help: 'Catalog with the scheme for a page; the page is compared with it too.',
    },
    prefix: { kind: 'text', default: '', help: 'Prefix that names of a page must have.' },
    tier: { kind: 'texts', help: 'Tier that may follow the prefix. Can be repeated.' },
    skip: { kind: 'texts', help: 'Rules to leave out, separated by commas.', placeholder: 'RULE' },
    json: { kind: 'boolean', default: false, help: 'Print findings as JSON.' },
  },
  async run(flags, operands, streams) {
    const [where] = operands;
    if (where === undefined) throw new UserError('expected a catalog, a URL, a file or -');
    const rules = chosenRules(flags.skip);
    let findings: readonly (Finding | Difference)[];
    let count: number;
    if (/\.ya?ml$/.test(where)) {
      const catalog = loadCatalog(where);
      findings = lintCatalog(catalog, rules);
      count = catalog.modules.reduce((sum, module) => sum + module.metrics.length, 0);
    } else {
      const catalog = flags.catalog === '' ? undefined : loadCatalog(flags.catalog);
      const scheme = catalog?.scheme ?? { prefix: flags.prefix, tiers: flags.tier, outcomes: ['success', 'failure'] };
      const page = catalogOfPage(await readPage(where, streams.stdin), scheme);
      findings = [...lintCatalog(page, rules), ...(catalog ? comparePage(page, catalog) : [])];
      count = page.modules[0]!.metrics.length;
    }
    if (flags.json) streams.out(`${JSON.stringify(findings, null, 2)}\n`);
    else {
      for (const finding of findings)
        streams.out(`${finding.metric}: ${finding.message}${'rule' in finding ? ` (${finding.rule})` : ''}\n`);
      const wrong = new Set(findings.map((finding) => finding.metric)).size;
      streams.out(`${count} metrics, ${wrong} with findings, ${findings.length} findings\n`);
    }
    return findings.length > 0 ? LINT_FAILURE : SUCCESS;
  },
});

export const generateMetrics = toolCommand({
  name: 'generate metrics',
  summary: 'Makes instrumentation code, a document, a dashboard and alert rules from a metric catalog',
  operands: '<catalog.yml>',
  flags: { output: { kind: 'text', default: '.', help: 'Folder for the files.', placeholder: 'FOLDER' } },
  async run(flags, operands, streams) {
    const [file] = operands;
    if (file === undefined) throw new UserError('expected a catalog');
    const catalog = loadCatalog(file);
    nodeDisk.makeFolder(flags.output);
    const files = {
      [`${catalog.name}-metrics.ts`]: generateCode(catalog),
      [`${catalog.name}-metrics.md`]: generateDocument(catalog),
      [`${catalog.name}-dashboard.json`]: generateDashboard(catalog),
      [`${catalog.name}-rules.yml`]: generateRules(catalog),
    };
    for (const [name, text] of Object.entries(files)) {
      replaceFile(nodeDisk, path.join(flags.output, name), Buffer.from(text));
      streams.out(`${path.join(flags.output, name)}\n`);
    }
    return SUCCESS;
  },
});
