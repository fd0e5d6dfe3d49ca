// The dns prober: asks the target server one question over UDP or TCP, and checks the code and the records of the answer.

import dgram from 'node:dgram';
import net from 'node:net';
import { compileSearch } from '../pattern.ts';
import { opened, secure } from './certificates.ts';
import { buildQuery, DNS_CLASSES, DNS_TYPES, type DnsRecord, parseAnswer } from './dns-message.ts';
import type { DnsModule, RrChecks } from './modules.ts';
import { type ProbeContext, resolveHost } from './probe.ts';

export async function probeDns(module: DnsModule, target: string, context: ProbeContext): Promise<boolean> {
  const { clock, page, note } = context;
  const bare = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(target);
  const [host, port] = [bare?.[1] ?? bare?.[2] ?? target, Number(bare?.[3] ?? (module.dns_over_tls ? 853 : 53))];
  const phase = (name: string, ms: number) =>
    page.gauge('probe_dns_duration_seconds', 'Duration of the probe by phase.', ms / 1000, ['phase', name]);
  const started = clock.monotonic();
  const address = await resolveHost(host, module, context);
  const resolved = clock.monotonic();
  phase('resolve', resolved - started);
  const type = DNS_TYPES[module.query_type]!;
  // The request's id only has to differ between requests that are under way to one server.
  const id = Math.floor(clock.monotonic() * 1000) & 0xffff;
  const query = buildQuery(id, module.query_name, type, DNS_CLASSES[module.query_class], module.recursion_desired);
  const bytes =
    module.transport_protocol === 'tcp'
      ? await askTcp(module, host, address, port, query, context)
      : await askUdp(module, address, port, query, id, context);
  phase('connect', 0);
  phase('request', clock.monotonic() - resolved);
  const answer = parseAnswer(bytes);
  page.gauge('probe_dns_query_succeeded', 'Whether the server answered.', 1);
  page.gauge('probe_dns_answer_rrs', 'Records in the answer.', answer.answer.length);
  page.gauge('probe_dns_authority_rrs', 'Records of authority.', answer.authority.length);
  page.gauge('probe_dns_additional_rrs', 'Additional records.', answer.additional.length);
  const serial = answer.answer.find((record) => record.serial !== undefined)?.serial;
  if (serial !== undefined) page.gauge('probe_dns_serial', 'Serial number of the zone.', serial);
  note(`answered ${answer.rcode}`);
  const problems = [
    ...(module.valid_rcodes.includes(answer.rcode)
      ? []
      : [`${answer.rcode} is not one of ${module.valid_rcodes.join(', ')}`]),
    ...check('answer', answer.answer, module.validate_answer_rrs),
    ...check('authority', answer.authority, module.validate_authority_rrs),
    ...check('additional', answer.additional, module.validate_additional_rrs),
  ];
  for (const problem of problems) note(problem);
  return problems.length === 0;
}

function check(section: string, records: readonly DnsRecord[], checks: RrChecks | undefined): string[] {
  if (!checks) return [];
  const problems: string[] = [];
  const matches = (pattern: string) => {
    const search = compileSearch(pattern, `validate_${section}_rrs`);
    return records.map((record) => search(record.text));
  };
  for (const pattern of checks.fail_if_matches_regexp)
    if (matches(pattern).includes(true)) problems.push(`a record of the ${section} matches ${pattern}`);
  for (const pattern of checks.fail_if_not_matches_regexp)
    if (matches(pattern).includes(false)) problems.push(`a record of the ${section} does not match ${pattern}`);
  for (const pattern of checks.fail_if_all_match_regexp)
    if (records.length > 0 && !matches(pattern).includes(false))
      problems.push(`all records of the ${section} match ${pattern}`);
  for (const pattern of checks.fail_if_none_matches_regexp)
    if (!matches(pattern).includes(true)) problems.push(`no record of the ${section} matches ${pattern}`);
  return problems;
}

function askUdp(
  { source_ip_address: source }: DnsModule,
  address: string,
  port: number,
  query: Buffer,
  id: number,
  { signal }: ProbeContext,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket({ type: net.isIP(address) === 6 ? 'udp6' : 'udp4', signal });
    const done = (action: () => void) => {
      if (!signal.aborted) socket.close();
      action();
    };
    socket.on('error', (error) => done(() => reject(error)));
    socket.on('message', (bytes) => {
      if (bytes.length >= 12 && bytes.readUInt16BE(0) === id) done(() => resolve(bytes));
    });
    const ask = () => socket.connect(port, address, () => socket.send(query));
    if (source) socket.bind({ address: source }, ask);
    else ask();
  });
}

async function askTcp(
  module: DnsModule,
  host: string,
  address: string,
  port: number,
  query: Buffer,
  context: ProbeContext,
): Promise<Buffer> {
  const { source_ip_address: source } = module;
  const plain = net.connect({ host: address, port, ...(source ? { localAddress: source } : {}) });
  const destroy = () => plain.destroy();
  context.signal.addEventListener('abort', destroy, { once: true });
  try {
    await opened(plain, 'connect');
    const socket = module.dns_over_tls ? await secure(plain, module.tls_config, host, context) : plain;
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
    return await new Promise((resolve, reject) => {
      let received = Buffer.alloc(0);
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the server closed the connection')));
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0))
          resolve(received.subarray(2, 2 + received.readUInt16BE(0)));
      });
    });
  } finally {
    context.signal.removeEventListener('abort', destroy);
    plain.destroy();
  }
}
