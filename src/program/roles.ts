// The roles of the command and their flags: one table. A role's code is loaded only when it runs.

import type { Worker } from 'node:worker_threads';
import type { FlagTable, ParsedCommand } from '#base/flags.ts';
import { ALERTMANAGER_FLAGS } from './alertmanager-flags.ts';
import { AGENT_FLAGS, SERVER_FLAGS } from './flags.ts';
import { misplacedFlags } from './modes.ts';
import { beginShards } from './shard-threads.ts';
import { UP_FLAGS } from './up-flags.ts';

// biome-ignore lint/suspicious/noExplicitAny: each role knows the type of its own flags
export type RunRole = (command: ParsedCommand<any>) => Promise<number>;

export type Role = {
  readonly summary: string;
  readonly help?: string;
  /** A function where the table itself takes long to load. */
  readonly flags: FlagTable | (() => Promise<FlagTable>);
  /** What follows the flags, for --help. */
  readonly operands?: string;
  /** The role reads its whole command line itself: it has subcommands. */
  readonly ownHelp?: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: each role knows the type of its own flags
  readonly load: (command: ParsedCommand<any>) => Promise<RunRole>;
};

/** Begins the threads of the shards before the rest of the program is loaded: starting them takes longest. */
const withShards =
  // biome-ignore lint/suspicious/noExplicitAny: each role knows the type of its own flags
    (load: () => Promise<(command: ParsedCommand<any>, begun: readonly Worker[]) => Promise<number>>): Role['load'] =>
    async ({ flags }) => {
      const begun = beginShards(Number(flags['storage.shards']));
      const perform = await load();
      return (command) => perform(command, begun);
    };

/** The server's program with all flags of Prometheus: `--agent` makes it an agent. */
const oneOfModes =
  (isAgent: (command: Parameters<Role['load']>[0]) => boolean): Role['load'] =>
  async (command) => {
    const mode = isAgent(command) ? 'agent' : 'server';
    const refusal = misplacedFlags(command.given, mode);
    if (refusal !== undefined) {
      return async () => {
        process.stderr.write(`pharos: ${refusal}\n`);
        return EXIT_WRONG_MODE;
      };
    }
    if (mode === 'agent') return (await import('./agent.ts')).runAgent;
    return withShards(async () => (await import('./server.ts')).runServer)(command);
  };

/** As Prometheus ends when flags of the other mode are given. */
const EXIT_WRONG_MODE = 3;
const MODE_FLAGS = { ...AGENT_FLAGS, ...SERVER_FLAGS };
/** With those of the other mode, which are refused by name. */
const AGENT_MODE_FLAGS: FlagTable = {
  ...Object.fromEntries(Object.entries(SERVER_FLAGS).map(([name, flag]) => [name, { ...flag, hidden: true }])),
  ...AGENT_FLAGS,
};

export const ROLES: Readonly<Record<string, Role>> = {
  up: {
    summary: 'Everything in one process; needs no configuration',
    help: 'Runs everything in one process. It needs no configuration: it stores in ./data, scrapes itself and this host, and serves its pages on http://localhost:9090.',
    flags: UP_FLAGS,
    load: withShards(async () => (await import('./server.ts')).runUp),
  },
  server: {
    summary: "Collects, stores, answers queries; takes Prometheus' configuration and flags",
    flags: MODE_FLAGS,
    load: oneOfModes(({ flags }) => flags['agent'] === true),
  },
  agent: {
    summary: 'Collects and sends on by remote write, and stores nothing else',
    help: "Collects like the server and sends everything on by remote write. It keeps no samples but those that its remotes have not taken yet, on disk; it answers no queries and evaluates no rules. It takes the flags of Prometheus' agent mode.",
    flags: AGENT_MODE_FLAGS,
    load: oneOfModes(() => true),
  },
  alertmanager: {
    summary: "Groups, silences, routes and sends alerts; takes Alertmanager's configuration and flags",
    flags: ALERTMANAGER_FLAGS,
    load: async () => (await import('./alertmanager.ts')).runAlertmanager,
  },
  pushgateway: {
    summary: "Takes pushed metrics; Pushgateway's paths and flags",
    flags: async () => (await import('./pushgateway-flags.ts')).PUSHGATEWAY_FLAGS,
    load: async () => (await import('./pushgateway.ts')).runPushgateway,
  },
  exporter: {
    summary: 'Measures databases, middleware, containers and endpoints',
    help: 'Measures what its configuration file names: servers (sources), business figures by SQL (queries) and endpoints (modules, probed under /probe).',
    flags: async () => (await import('./exporter-flags.ts')).EXPORTER_FLAGS,
    load: async () => (await import('./exporter.ts')).runExporter,
  },
  'node-exporter': {
    summary: "Measures this host; node_exporter's names and flags",
    flags: async () => (await import('./node-exporter-flags.ts')).NODE_EXPORTER_FLAGS,
    load: async () => (await import('./node-exporter.ts')).runNodeExporter,
  },
  am: {
    summary: "Alerts, silences and routes from the command line: amtool's job",
    flags: {},
    ownHelp: true,
    load: async () => (await import('./am/am.ts')).runAm,
  },
  tool: {
    summary: "Checks and tests files, reads and writes data; promtool's commands",
    flags: {},
    operands: '<command> ...',
    ownHelp: true,
    load: async () => (await import('./tool/tool.ts')).runTool,
  },
};
