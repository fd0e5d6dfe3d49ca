// The icmp prober. Node offers no raw sockets, so the system's ping sends the echo; its line with the answer gives time and hop limit.

import { execFile } from 'node:child_process';
import net from 'node:net';
import type { IcmpModule } from './modules.ts';
import { type ProbeContext, resolveHost } from './probe.ts';

export async function probeIcmp(module: IcmpModule, target: string, context: ProbeContext): Promise<boolean> {
  const { clock, page, signal, timeoutMs, note } = context;
  const started = clock.monotonic();
  const address = await resolveHost(target, module, context);
  const resolved = clock.monotonic();
  const args = [
    '-n',
    '-c',
    '1',
    '-W',
    String(Math.max(1, Math.ceil(timeoutMs / 1000))),
    '-s',
    String(module.payload_size),
  ];
  if (module.ttl > 0) args.push('-t', String(module.ttl));
  if (module.dont_fragment) args.push('-M', 'do');
  if (module.source_ip_address) args.push('-I', module.source_ip_address);
  args.push(net.isIP(address) === 6 ? '-6' : '-4', address);
  const output = await new Promise<string>((resolve, reject) => {
    execFile('ping', args, { signal, env: { ...process.env, LC_ALL: 'C' } }, (error, out, err) => {
      if (error && 'code' in error && error.code === 'ENOENT') reject(new Error('the program ping is not installed'));
      else resolve(out + err);
    });
  });
  const match = /(?:ttl|hlim)=(\d+).*time[=<]([\d.]+) ms/.exec(output);
  const phase = (name: string, seconds: number) =>
    page.gauge('probe_icmp_duration_seconds', 'Duration of the probe by phase.', seconds, ['phase', name]);
  const rtt = match ? Number(match[2]) / 1000 : 0;
  phase('resolve', (resolved - started) / 1000);
  phase('setup', Math.max(0, (clock.monotonic() - resolved) / 1000 - rtt));
  phase('rtt', rtt);
  if (!match) {
    note(output.trim().split('\n').at(-1) ?? 'no answer');
    return false;
  }
  page.gauge('probe_icmp_reply_hop_limit', 'Hop limit of the answer.', Number(match[1]));
  return true;
}
