// `pharos tool check service-discovery`: the targets that a job of a configuration file finds, before and after relabeling.

import { sleep, systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText } from '#base/errors.ts';
import type { ScrapeJob } from '#collect/config.ts';
import { discoveryMetrics } from '#collect/discovery/metrics.ts';
import { providerOf } from '#collect/discovery/providers.ts';
import { discoveredLabels, populateLabels } from '#collect/labels.ts';
import { compileRules } from '#collect/relabel/relabel.ts';
import { labelsToRecord } from '#model/labels.ts';
import { Registry } from '#model/registry.ts';
import type { TargetGroup } from '#model/target.ts';
import { loadServerConfig } from '../config.ts';
import { processLogger } from '../logger.ts';
import { required } from './asking.ts';
import { FAILURE, SUCCESS, toolCommand } from './command.ts';

export const checkServiceDiscovery = toolCommand({
  name: 'check service-discovery',
  summary: 'Discovers the targets of a job and shows them, relabeling included',
  operands: '<config-file> <job>',
  flags: { timeout: { kind: 'duration', default: 30_000, help: 'How long to wait for what is discovered.' } },
  run: async ({ timeout }, operands, streams) => {
    const [file, name] = required(operands, 'config-file', 'job');
    let jobs: readonly ScrapeJob[];
    try {
      ({ jobs } = loadServerConfig(file!, nodeDisk, process.env, {}));
    } catch (error) {
      streams.err(`Cannot load config ${errorText(error)}\n`);
      return FAILURE;
    }
    const job = jobs.find(({ spec }) => spec.name === name);
    if (!job) {
      streams.err(`Job ${name} not found. Select one of:\n`);
      for (const { spec } of jobs) streams.err(`\t${spec.name}\n`);
      return FAILURE;
    }
    streams.out(JSON.stringify(shown(job, await discover(job, timeout)), null, 2));
    return SUCCESS;
  },
});

/** Everything told until the time is up. What is written in the file needs no waiting. */
async function discover(job: ScrapeJob, timeoutMs: number): Promise<Iterable<TargetGroup>> {
  const found = new Map<string, TargetGroup>();
  const abort = new AbortController();
  const metrics = discoveryMetrics(new Registry());
  const log = processLogger({ 'log.level': 'warn', 'log.format': 'logfmt' });
  const running = job.discoveries.map(({ key, config }, index) => {
    const environment = { clock: systemClock, disk: nodeDisk, log, metrics, environment: process.env };
    const discoverer = providerOf(key)!.create(config, { ...environment, name: job.spec.name });
    return discoverer.run((groups) => {
      for (const group of groups) found.set(`${index} ${group.source}`, group);
    }, abort.signal);
  });
  const waits = job.discoveries.some(({ key }) => key !== 'static_configs');
  await sleep(systemClock, waits ? timeoutMs : 0);
  abort.abort(new Error('the time is up'));
  await Promise.allSettled(running);
  return found.values();
}

type Result = {
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly error?: string;
};

function shown(job: ScrapeJob, groups: Iterable<TargetGroup>): Result[] {
  const relabel = compileRules(job.relabelRules);
  const results = new Map<string, Result>();
  for (const { targets, labels } of groups)
    for (const target of targets) {
      const discovered = discoveredLabels(job, target, labels);
      const populated = populateLabels(discovered, relabel);
      const result: Result = {
        discoveredLabels: labelsToRecord(discovered),
        labels: populated.kind === 'target' ? labelsToRecord(populated.labels) : {},
        ...(populated.kind === 'invalid' ? { error: populated.reason } : {}),
      };
      results.set(JSON.stringify(result), result);
    }
  return [...results.values()];
}
