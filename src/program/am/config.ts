// `pharos am`: configuration files, routes, the cluster, templates.

import path from 'node:path';
import { notificationTemplates, renderer } from '#alert/notify/render.ts';
import { type AlertmanagerConfig, parseAlertmanagerConfig } from '#alert/route/config.ts';
import { buildTree, matchRoutes, type Route } from '#alert/route/tree.ts';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import { labelsOf } from '#model/labels.ts';
import { formatMatcher } from '#model/matcher.ts';
import { globFiles } from '../config.ts';
import type { ToolCommand } from '../tool/command.ts';
import { labelOperands } from './alerts.ts';
import { API_FLAGS, amCommand, callApi } from './api.ts';

type Status = {
  readonly config: { readonly original: string };
  readonly cluster: {
    readonly status: string;
    readonly name?: string;
    readonly peers?: readonly { name: string; address: string }[];
  };
};

const read = (file: string): string => new TextDecoder().decode(nodeDisk.readFile(file));
const parse = (text: string, file: string): AlertmanagerConfig =>
  parseAlertmanagerConfig(text, file, (name) => path.resolve(path.dirname(file), name));

/** From the file that is given, or from the alertmanager. */
async function configOf(
  flags: Parameters<typeof callApi>[0] & { readonly 'config.file': string },
): Promise<AlertmanagerConfig> {
  const file = flags['config.file'];
  if (file !== '') return parse(read(file), file);
  return parse((await callApi<Status>(flags, 'GET', 'status')).config.original, 'configuration');
}

const check = amCommand(
  'check-config',
  '<file>...',
  'Checks alertmanager configuration files and their templates',
  {},
  async (_, operands, { out, err, stdin }) => {
    const files = operands.length > 0 ? operands : ['-'];
    let failed = 0;
    for (const file of files) {
      out(`Checking '${file}'`);
      try {
        const config = parse(file === '-' ? await stdin() : read(file), file);
        const templates = config.templates.flatMap((pattern) => globFiles(pattern, nodeDisk));
        out('  SUCCESS\nFound:\n - global config\n - route\n');
        out(
          ` - ${config.inhibitRules.length} inhibit rules\n - ${config.receivers.length} receivers\n - ${config.templates.length} templates\n`,
        );
        for (const template of templates) {
          out(`  - ${template}`);
          notificationTemplates([{ name: path.basename(template), text: read(template) }], systemClock);
          out('  SUCCESS\n');
        }
        out('\n');
      } catch (error) {
        failed++;
        out('  FAILED: ');
        err(`${errorText(error)}\n`);
      }
    }
    if (failed > 0) err(`failed to validate ${failed} file(s)\n`);
    return failed > 0 ? 1 : 0;
  },
);

const show = amCommand('config show', '', 'Shows the configuration in force', API_FLAGS, async (flags, _, { out }) => {
  out(`${(await callApi<Status>(flags, 'GET', 'status')).config.original}\n`);
  return 0;
});

const fileFlags = {
  ...API_FLAGS,
  'config.file': { kind: 'text', default: '', help: 'Look at this file instead of asking the alertmanager.' },
} as const;

function drawRoute(route: Route, indent: string, isLast: boolean, isRoot: boolean, marked: ReadonlySet<Route>): string {
  const matchers = route.matchers.map(formatMatcher).join(', ');
  const name = isRoot ? 'default-route' : `{${matchers}}`;
  const details = `${route.continue ? '  continue: true' : ''}  receiver: ${route.settings.receiver}${marked.has(route) ? '  <--' : ''}`;
  const line = `${indent}${isLast ? '└── ' : '├── '}${name}${details}\n`;
  const below = indent + (isLast ? '    ' : '│   ');
  return (
    line +
    route.routes.map((child, i) => drawRoute(child, below, i === route.routes.length - 1, false, marked)).join('')
  );
}

const routesShow = amCommand(
  'config routes show',
  '',
  'Draws the routing tree',
  fileFlags,
  async (flags, _, { out }) => {
    out(`Routing tree:\n.\n${drawRoute(buildTree((await configOf(flags)).route), '', true, true, new Set())}`);
    return 0;
  },
);

const routesTest = amCommand(
  'config routes test',
  '<label>...',
  'Prints the receivers that an alert with these labels goes to',
  {
    ...fileFlags,
    'verify.receivers': {
      kind: 'text',
      default: '',
      help: 'Fail unless these receivers, separated by commas, are the result.',
    },
    tree: { kind: 'boolean', help: 'Draw the routing tree with the way of the alert.' },
  },
  async (flags, operands, { out, err }) => {
    const tree = buildTree((await configOf(flags)).route);
    const found = matchRoutes(tree, labelsOf(labelOperands(operands)));
    const receivers = [...new Set(found.map((route) => route.settings.receiver))].join(',');
    if (flags.tree) out(`Matching routes:\n.\n${drawRoute(tree, '', true, true, new Set(found))}\n\n`);
    out(`${receivers}\n`);
    const expected = flags['verify.receivers'];
    if (expected === '' || expected === receivers) return 0;
    err(`WARNING: Expected receivers did not match resolved receivers.\n`);
    return 1;
  },
);

const cluster = amCommand('cluster show', '', 'Shows the cluster', API_FLAGS, async (flags, _, { out }) => {
  const { status, name = '', peers = [] } = (await callApi<Status>(flags, 'GET', 'status')).cluster;
  out(
    `Cluster Status:  ${status}\nNode Name:       ${name}\n${peers.map((peer) => `Peer:            ${peer.name}\n`).join('')}`,
  );
  return 0;
});

const EXAMPLE_LABELS = ['alertname', 'example', 'severity', 'critical'];

const render = amCommand(
  'template render',
  '',
  'Renders a template over example alerts, or over those of a file',
  {
    'template.glob': { kind: 'texts', default: [], help: 'Template files. Can be repeated.' },
    'template.text': {
      kind: 'text',
      default: '',
      help: 'The text to render, such as {{ template "slack.default.title" . }}.',
    },
    'template.type': { kind: 'text', default: 'text', values: ['text', 'html'], help: 'How to escape.' },
    'template.data': { kind: 'text', default: '', help: 'JSON file with a notification as webhooks get it.' },
  },
  async (flags, _, { out }) => {
    if (flags['template.text'] === '') throw new UserError('required flag --template.text not provided');
    const files = flags['template.glob'].flatMap((pattern) =>
      globFiles(path.resolve(pattern), nodeDisk).filter((file) => nodeDisk.exists(file)),
    );
    const texts = files.map((file) => ({ name: path.basename(file), text: read(file) }));
    const templates = notificationTemplates(texts, systemClock);
    const now = systemClock.now();
    type Posted = {
      labels: Record<string, string>;
      annotations?: Record<string, string>;
      startsAt?: string;
      endsAt?: string;
      generatorURL?: string;
      fingerprint?: string;
    };
    type Data = { receiver?: string; alerts?: Posted[]; groupLabels?: Record<string, string>; externalURL?: string };
    const data: Data = flags['template.data'] === '' ? {} : (JSON.parse(read(flags['template.data'])) as Data);
    const posted: Posted[] = data.alerts ?? [
      {
        labels: Object.fromEntries([EXAMPLE_LABELS.slice(0, 2), EXAMPLE_LABELS.slice(2)]),
        annotations: { summary: 'an example' },
      },
    ];
    const time = (text: string | undefined, otherwise: number) =>
      !text || text.startsWith('0001') ? otherwise : Date.parse(text);
    const rendered = renderer(
      templates,
      data.externalURL ?? 'http://localhost:9093',
    )({
      receiver: data.receiver ?? 'example',
      groupKey: '{}',
      groupLabels: labelsOf(data.groupLabels ?? {}),
      routeLabels: {},
      alerts: posted.map((alert) => ({
        labels: labelsOf(alert.labels),
        annotations: labelsOf(alert.annotations ?? {}),
        startsAt: time(alert.startsAt, now),
        endsAt: time(alert.endsAt, 0),
        generatorUrl: alert.generatorURL ?? '',
        fingerprint: alert.fingerprint ?? '',
        updatedAt: now,
        timedOut: false,
      })),
      reason: 'first notification',
      now,
      truncated: 0,
      previous: {},
      changed: new Set(posted.map(({ fingerprint = '' }) => fingerprint)),
    });
    out(
      `${flags['template.type'] === 'html' ? rendered.html(flags['template.text']) : rendered.text(flags['template.text'])}\n`,
    );
    return 0;
  },
);

export const CONFIG_COMMANDS: readonly ToolCommand[] = [check, show, routesShow, routesTest, cluster, render];
