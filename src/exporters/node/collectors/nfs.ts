// What NFS clients and servers count in /proc/net/rpc. The kernel numbers the calls of each protocol version; the tables name them.

import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, type Host, lines } from '../host.ts';

const V2 =
  'Null GetAttr SetAttr Root Lookup ReadLink Read WrCache Write Create Remove Rename Link SymLink MkDir RmDir ReadDir FsStat';
const V3 =
  'Null GetAttr SetAttr Lookup Access ReadLink Read Write Create MkDir SymLink MkNod Remove RmDir Rename Link ReadDir ReadDirPlus FsStat FsInfo PathConf Commit';
const V4_CLIENT =
  'Null Read Write Commit Open OpenConfirm OpenNoattr OpenDowngrade Close Setattr FsInfo Renew SetClientID SetClientIDConfirm Lock Lockt Locku Access Getattr Lookup LookupRoot Remove Rename Link Symlink Create Pathconf StatFs ReadLink ReadDir ServerCaps DelegReturn GetACL SetACL FsLocations ReleaseLockowner Secinfo FsidPresent ExchangeID CreateSession DestroySession Sequence GetLeaseTime ReclaimComplete GetDeviceInfo LayoutGet LayoutCommit LayoutReturn SecinfoNoName TestStateID FreeStateID GetDeviceList BindConnToSession DestroyClientID Seek Allocate DeAllocate LayoutStats Clone';
/** The first three operations do not exist. */
const V4_SERVER =
  '- - - Access Close Commit Create DelegPurge DelegReturn GetAttr GetFH Link Lock Lockt Locku Lookup LookupRoot Nverify Open OpenAttr OpenConfirm OpenDgrd PutFH - - Read ReadDir ReadLink Remove Rename Renew RestoreFH SaveFH SecInfo SetAttr SetClientID SetClientIDConfirm Verify Write RelLockOwner';

/** Lines by their first word. */
function readRpc(host: Host, file: string): Map<string, number[]> {
  try {
    return new Map(
      lines(host.files.text(host.proc('net/rpc', file))).map((line) => {
        const [key, ...numbers] = line.split(' ') as [string, ...string[]];
        return [key, numbers.map(Number)] as const;
      }),
    );
  } catch (error) {
    if (isMissing(error)) throw noData(`there are no ${file} statistics`, error);
    throw error;
  }
}

/** Counts per call; a line begins with how many there are, except in its first form. */
function addCalls(page: Page, name: string, proto: string, names: string, counts: readonly number[] | undefined): void {
  if (!counts) return;
  names.split(' ').forEach((method, i) => {
    if (method !== '-')
      page.counter(`${name}_requests_total`, 'NFS calls by procedure.', counts[i + 1] ?? 0, [
        'method',
        method,
        'proto',
        proto,
      ]);
  });
}

export const nfs: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const rpc = readRpc(host, 'nfs');
    const at = (key: string, i: number) => rpc.get(key)?.[i] ?? 0;
    page.counter('node_nfs_packets_total', 'Packets by protocol.', at('net', 1), ['protocol', 'udp']);
    page.counter('node_nfs_packets_total', 'Packets by protocol.', at('net', 2), ['protocol', 'tcp']);
    page.counter('node_nfs_connections_total', 'TCP connections.', at('net', 3));
    page.counter('node_nfs_rpcs_total', 'Remote calls.', at('rpc', 0));
    page.counter('node_nfs_rpc_retransmissions_total', 'Calls sent again.', at('rpc', 1));
    page.counter('node_nfs_rpc_authentication_refreshes_total', 'Authentications refreshed.', at('rpc', 2));
    addCalls(page, 'node_nfs', '2', V2, rpc.get('proc2'));
    addCalls(page, 'node_nfs', '3', V3, rpc.get('proc3'));
    addCalls(page, 'node_nfs', '4', V4_CLIENT, rpc.get('proc4'));
    return page.families();
  },
});

const NFSD: readonly (readonly [key: string, index: number, metric: string, type: 'counter' | 'gauge'])[] = [
  ['rc', 0, 'reply_cache_hits_total', 'counter'],
  ['rc', 1, 'reply_cache_misses_total', 'counter'],
  ['rc', 2, 'reply_cache_nocache_total', 'counter'],
  ['fh', 0, 'file_handles_stale_total', 'counter'],
  ['io', 0, 'disk_bytes_read_total', 'counter'],
  ['io', 1, 'disk_bytes_written_total', 'counter'],
  ['th', 0, 'server_threads', 'gauge'],
  ['ra', 0, 'read_ahead_cache_size_blocks', 'gauge'],
  ['ra', 11, 'read_ahead_cache_not_found_total', 'counter'],
  ['net', 3, 'connections_total', 'counter'],
  ['rpc', 0, 'server_rpcs_total', 'counter'],
];

export const nfsd: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const rpc = readRpc(host, 'nfsd');
    const at = (key: string, i: number) => rpc.get(key)?.[i] ?? 0;
    for (const [key, index, metric, type] of NFSD)
      page.add(type, `node_nfsd_${metric}`, `NFS server: ${metric}.`, at(key, index));
    page.counter('node_nfsd_packets_total', 'Packets by protocol.', at('net', 1), ['proto', 'udp']);
    page.counter('node_nfsd_packets_total', 'Packets by protocol.', at('net', 2), ['proto', 'tcp']);
    ['fmt', 'auth', 'cInt'].forEach((error, i) => {
      page.counter('node_nfsd_rpc_errors_total', 'Bad calls by kind.', at('rpc', i + 2), ['error', error]);
    });
    // A server does not count the null procedure of versions 2 and 3 here.
    addCalls(page, 'node_nfsd', '2', V2.replace('Null', '-'), rpc.get('proc2'));
    addCalls(page, 'node_nfsd', '3', V3.replace('Null', '-'), rpc.get('proc3'));
    addCalls(page, 'node_nfsd', '4', V4_SERVER, rpc.get('proc4ops'));
    page.counter('node_nfsd_requests_total', 'NFS calls by procedure.', at('wdeleg_getattr', 0), [
      'method',
      'WdelegGetattr',
      'proto',
      '4',
    ]);
    return page.families();
  },
});
