// `pharos tool check metrics` and `push metrics`: pages of metrics, checked for consistency or sent by remote write, as promtool's
// commands of the same names do.

import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, OperatingError, UserError } from '#base/errors.ts';
import { type Labels, labelsFrom } from '#model/labels.ts';
import { TextReader, withLastLinebreak } from '#wire/exposition/text.ts';
import { parseFamilies } from '#wire/families/text.ts';
import type { ParsedFamily } from '#wire/families/types.ts';
import { WriteV1Encoder } from '#wire/remote/write-v1.ts';
import { WriteV2Encoder } from '#wire/remote/write-v2.ts';
import { snappyEncode } from '#wire/snappy.ts';
import { clientFor, HTTP_FLAGS, headersOf, required } from './asking.ts';
import { FAILURE, LINT_FAILURE, type Streams, SUCCESS, type ToolCommand, toolCommand } from './command.ts';
import { lintPage } from './page-lint.ts';

const MAX_REPLY_BYTES = 1 << 20;

const checkMetrics = toolCommand({
  name: 'check metrics',
  summary: 'Checks metrics on standard input for consistency and, if asked, shows their cardinality',
  operands: '',
  flags: {
    extended: { kind: 'boolean', default: false, help: 'Print the cardinality of the metrics.' },
    lint: { kind: 'text', default: 'all', values: ['all', 'none'], help: 'Checks to apply: all or none.' },
  },
  run: async (flags, _, streams) => {
    if (!flags.extended && flags.lint === 'none') {
      streams.err('error: at least one of --extended or linting must be enabled\n');
      streams.err('Use --extended for cardinality analysis, or remove --lint=none to enable linting\n');
      return FAILURE;
    }
    const text = await streams.stdin();
    let families: readonly ParsedFamily[];
    try {
      ({ families } = parseFamilies(text.endsWith('\n') ? text : `${text}\n`, true));
    } catch (error) {
      streams.err(`error while linting: ${errorText(error)}\n`);
      return FAILURE;
    }
    const problems = flags.lint === 'none' ? [] : lintPage(families);
    for (const { metric, text: what } of problems) streams.err(`${metric} ${what}\n`);
    if (flags.extended) streams.out(cardinalityTable(families));
    return problems.length > 0 ? LINT_FAILURE : SUCCESS;
  },
});

function cardinalityOf({ metrics }: ParsedFamily): number {
  const first = metrics[0]?.value;
  if (first?.kind === 'histogram') return metrics.length * (2 + first.buckets.length);
  if (first?.kind === 'summary') return metrics.length * (2 + first.quantiles.length);
  return metrics.length;
}

function cardinalityTable(families: readonly ParsedFamily[]): string {
  const counted = families.map((family) => ({ name: family.name, count: cardinalityOf(family) }));
  counted.sort((a, b) => b.count - a.count);
  const total = counted.reduce((sum, { count }) => sum + count, 0);
  const rows = [
    ['Metric', 'Cardinality', 'Percentage'],
    ...counted.map(({ name, count }) => [name, String(count), `${((count / total) * 100).toFixed(2)}%`]),
    ['Total', String(total), '100%'],
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)) + 4);
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column]!)).join('')}\n`).join('');
}

const PROTOBUF_MESSAGES = ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'] as const;

const pushMetrics = toolCommand({
  name: 'push metrics',
  summary: 'Pushes metrics to a server by remote write, for testing',
  operands: '<remote-write-url> [<metric-files>...]',
  flags: {
    ...HTTP_FLAGS,
    label: { kind: 'texts', default: ['job=promtool'], help: 'Label for all metrics, as name=value. Can be repeated.' },
    timeout: { kind: 'duration', default: 30_000, help: 'How long to wait for the server.' },
    header: { kind: 'texts', default: [], help: 'Header of the requests, as name=value. Can be repeated.' },
    protobuf_message: {
      kind: 'text',
      default: PROTOBUF_MESSAGES[0],
      help: 'Message to write: prometheus.WriteRequest or io.prometheus.write.v2.Request.',
    },
    'remote-write.path': { kind: 'text', default: '/api/v1/write', help: 'Path of remote write on the server.' },
  },
  run: async (flags, operands, streams) => {
    const [server, ...files] = required(operands, 'remote-write-url');
    const message = flags.protobuf_message;
    if (!PROTOBUF_MESSAGES.some((known) => known === message)) {
      streams.err(
        `  FAILED: invalid protobuf message ${JSON.stringify(message)}, must be ${PROTOBUF_MESSAGES.join(' or ')}\n`,
      );
      return FAILURE;
    }
    const target = {
      // A URL with a path is taken as it is.
      url: new URL(server!).pathname === '/' ? new URL(flags['remote-write.path'], server).href : server!,
      configFile: flags['http.config.file'],
      headers: headersOf(flags.header),
      timeoutMs: flags.timeout,
      isV2: message === PROTOBUF_MESSAGES[1],
      labels: flags.label.map((text) => text.split(/=(.*)/s) as [string, string?]),
    };
    const broken = target.labels.find(([, value]) => value === undefined);
    if (broken) throw new UserError(`expected name=value but got ${JSON.stringify(broken[0])}`);
    if (files.length === 0) {
      streams.out('Parsing standard input\n');
      if (!(await push(await streams.stdin(), target, streams))) return FAILURE;
      streams.out('  SUCCESS: metrics pushed to remote write.\n');
      return SUCCESS;
    }
    let hasFailed = false;
    for (const file of files) {
      let text: string;
      try {
        text = new TextDecoder().decode(nodeDisk.readFile(file));
      } catch (error) {
        streams.err(`  FAILED: ${errorText(error)}\n`);
        hasFailed = true;
        continue;
      }
      streams.out(`Parsing metrics file ${file}\n`);
      if (await push(text, target, streams)) streams.out(`  SUCCESS: metrics file ${file} pushed to remote write.\n`);
      else hasFailed = true;
    }
    return hasFailed ? FAILURE : SUCCESS;
  },
});

type Target = {
  readonly url: string;
  readonly configFile: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly isV2: boolean;
  readonly labels: readonly (readonly [name: string, value?: string])[];
};

async function push(text: string, target: Target, streams: Streams): Promise<boolean> {
  const http = clientFor(target.configFile);
  try {
    const body = Buffer.from(snappyEncode(encodePage(text, target)));
    const reply = await http.call({
      url: target.url,
      method: 'POST',
      headers: {
        'content-encoding': 'snappy',
        'content-type': target.isV2 ? `application/x-protobuf;proto=${PROTOBUF_MESSAGES[1]}` : 'application/x-protobuf',
        'x-prometheus-remote-write-version': target.isV2 ? '2.0.0' : '0.1.0',
        ...target.headers,
      },
      body,
      timeoutMs: target.timeoutMs,
      maxBodyBytes: MAX_REPLY_BYTES,
    });
    if (Math.floor(reply.status / 100) !== 2)
      throw new OperatingError('http', `server returned HTTP status ${reply.status}: ${reply.body.toString().trim()}`);
    return true;
  } catch (error) {
    streams.err(`  FAILED: ${errorText(error)}\n`);
    return false;
  } finally {
    http.close();
  }
}

/** The request with every series of the page; what has no time is of now. */
function encodePage(text: string, { isV2, labels }: Target): Uint8Array {
  const page = withLastLinebreak(Buffer.from(text));
  const reader = new TextReader('text');
  const now = systemClock.now();
  const words = new Uint32Array(2);
  const double = new Float64Array(words.buffer);
  const one = new WriteV1Encoder();
  const two = new WriteV2Encoder();
  const described = new Map<string, { type: ParsedMetadata['type']; help: string }>();
  reader.reset(page);
  for (let kind = reader.next(); kind !== 'end'; kind = reader.next()) {
    if (kind === 'type' || kind === 'help') {
      const known = described.get(reader.familyName) ?? { type: 'unknown', help: '' };
      if (kind === 'type') known.type = reader.familyType;
      else known.help = reader.familyText;
      described.set(reader.familyName, known);
    }
    if (kind !== 'series') continue;
    double[0] = reader.value;
    const time = Number.isNaN(reader.timestamp) ? now : reader.timestamp;
    const series = withMore(reader.labels(), labels);
    if (isV2) {
      two.series(series);
      two.sample(time, 0, words[0]!, words[1]!);
    } else {
      one.series(series);
      one.sample(time, words[0]!, words[1]!);
    }
  }
  if (isV2) return two.finish();
  for (const [family, { type, help }] of described) one.metadata(family, { type, help, unit: '' });
  return one.finish();
}

type ParsedMetadata = Parameters<WriteV1Encoder['metadata']>[1];

/** Labels of the page win over those of the command line, and its job becomes `exported_job`. */
function withMore(own: Labels, more: Target['labels']): Labels {
  const all = new Map(more.map(([name, value = '']) => [name, value]));
  for (let i = 0; i < own.length; i += 2) {
    const [name, value] = [own[i]!, own[i + 1]!];
    // Scraping writes whole numbers as 1.0 there; what is pushed stays as short as it was.
    const isBound = name === 'le' || name === 'quantile';
    all.set(name === 'job' ? 'exported_job' : name, isBound ? value.replace(/\.0$/, '') : value);
  }
  return labelsFrom(all);
}

export const PAGE_COMMANDS: readonly ToolCommand[] = [checkMetrics, pushMetrics];
