// A dashboard per module of the container platform's metric catalog. Names are matched with and without the platform's
// prefix, so that programs that report the original wording and those that report the corrected one both show.

import type { Text } from '../../src/view/model.ts';
import { type Definition, type Draft, graph, heat, stat, states, text, UP_DOWN } from './build.ts';

type Kind = 'counter' | 'gauge' | 'state' | 'histogram';
type Metric = readonly [name: string, kind: Kind, title: Text, unit?: string];

const select = (name: string, suffix = '') => `{__name__=~"(bkbcs_[a-z_]+_)?${name}${suffix}"}`;
const plain = 'without (instance, job, pod, endpoint, service, namespace, container)';

function panelOf([name, kind, title, unit = 'short']: Metric): Draft[] {
  switch (kind) {
    case 'counter':
      return [graph(title, [`sum ${plain} (rate(${select(name)}[$__rate_interval]))`], 'ops')];
    case 'gauge':
      return [graph(title, [`sum ${plain} (${select(name)})`], unit)];
    case 'state':
      return [states(title, [[select(name), '{{instance}}']], UP_DOWN, { h: 8 })];
    case 'histogram':
      return [
        graph(
          title,
          [0.5, 0.95, 0.99].map((q): [string, string] => [
            `histogram_quantile(${q}, sum by (le) (rate(${select(name, '_bucket')}[$__rate_interval])))`,
            `p${q * 100}`,
          ]),
          unit,
        ),
        heat(title, `sum by (le) (rate(${select(name, '_bucket')}[$__rate_interval]))`, unit),
      ];
  }
}

function module(uid: string, title: Text, metrics: readonly Metric[]): Definition {
  const [first] = metrics;
  return {
    uid: `bcs-${uid}`,
    title,
    tags: ['bcs', 'catalog'],
    links: [{ title: text('Modules', '模块'), tags: ['bcs'] }],
    panels: [
      stat(text('Instances up', '在线实例'), `count(up{job=~".*${uid}.*"} == 1) or vector(0)`, 'none', { w: 6 }),
      stat(
        text('Alerts firing', '触发中的告警'),
        `count(ALERTS{alertstate="firing",module=~".*${uid}.*"}) or vector(0)`,
        'none',
        {
          w: 6,
          steps: [
            { value: null, color: 'green' },
            { value: 1, color: 'red' },
          ],
        },
      ),
      stat(
        first![2],
        first![1] === 'counter' ? `sum(rate(${select(first![0])}[$__rate_interval]))` : `sum(${select(first![0])})`,
        first![1] === 'counter' ? 'ops' : 'short',
        { w: 12 },
      ),
      ...metrics.flatMap(panelOf),
    ],
  };
}

export const catalog: readonly Definition[] = [
  module('api', text('Container platform: API', '容器平台：bcs-api'), [
    ['api_requests_total', 'counter', text('API requests', 'API 请求总数')],
    ['api_requests_(err_total|errors_total)', 'counter', text('API errors', 'API 请求错误数')],
    ['api_requests?_latency_(milliseconds|seconds)', 'histogram', text('API latency', 'API 请求延迟'), 'ms'],
  ]),
  module('storage', text('Container platform: storage', '容器平台：bcs-storage'), [
    ['storage_requests_total', 'counter', text('Storage requests', '存储请求总数')],
    ['storage_requests_(err_total|errors_total)', 'counter', text('Storage errors', '存储请求错误数')],
    ['storage_requests?_latency_(milliseconds|seconds)', 'histogram', text('Storage latency', '存储请求延迟'), 'ms'],
  ]),
  module('dns', text('Container platform: DNS', '容器平台：bcs-dns'), [
    ['dns_request(s)?_total', 'counter', text('DNS requests', 'DNS 请求次数')],
    ['dns_(total|domains)', 'gauge', text('Domains cached', '域名缓存数量')],
    ['dns_request_proxy_total', 'counter', text('Forwarded to the service DNS', '转发给服务 DNS 次数')],
    ['dns_request_out_proxy_total', 'counter', text('Forwarded to outside DNS', '转发给外部 DNS 次数')],
    ['dns_request_latency_(milliseconds|seconds)', 'histogram', text('DNS latency', 'DNS 查找延时'), 'ms'],
    ['dns_storage_notify_total', 'counter', text('Storage notifications', 'storage 通知次数')],
    ['dns_storage_(operator|operations)_total', 'counter', text('Storage operations', 'storage 操作次数')],
    [
      'dns_storage_(operator|operation)_latency_(milliseconds|seconds)',
      'histogram',
      text('Storage operation latency', 'storage 操作延时'),
      'ms',
    ],
  ]),
  module('loadbalance', text('Container platform: load balancer', '容器平台：bcs-loadbalance'), [
    ['loadbalance_zookeeper_notify_total', 'counter', text('ZooKeeper notifications', 'zookeeper 事件通知次数')],
    ['loadbalance_tunnel_state', 'state', text('Tunnel', 'IP 隧道状态')],
    ['loadbalance_zookeeper_state', 'state', text('ZooKeeper connection', '与 zookeeper 连接状态')],
    ['loadbalance_render_(cfg|config)_total', 'counter', text('Configurations rendered', '渲染配置次数')],
    ['loadbalance_refresh_(cfg|config)_total', 'counter', text('Configurations refreshed', '刷新配置次数')],
    ['loadbalance_restart_proxy_total', 'counter', text('Proxy restarts', '重启代理次数')],
  ]),
  module('scheduler', text('Container platform: scheduler', '容器平台：bcs-scheduler'), [
    ['scheduler_(scheule|schedule|schedules)_total', 'counter', text('Containers scheduled', '容器调度次数')],
    ['scheduler_resource(s)?(_total)?', 'gauge', text('Resources by kind', '各类资源总数')],
    ['scheduler_pod(s)?(_total)?', 'gauge', text('Pods by state', 'Pod 状态统计')],
    [
      'scheduler_reschedule_latency_(milliseconds|seconds)',
      'histogram',
      text('Time to reschedule', '重新调度耗时'),
      'ms',
    ],
    ['scheduler_cpu_resource(s|_total|_cores)?', 'gauge', text('Processor of the cluster', '集群 CPU 资源')],
    ['scheduler_mem(ory)?_resource(s|_total|_bytes)?', 'gauge', text('Memory of the cluster', '集群内存资源')],
    ['scheduler_storage_(operator|operations)_total', 'counter', text('Storage operations', '操作存储次数')],
    [
      'scheduler_storage_(operator|operation)_latency_(milliseconds|seconds)',
      'histogram',
      text('Storage operation latency', '操作存储耗时'),
      'ms',
    ],
    ['scheduler_taskgroup_report(s)?_total', 'counter', text('Task group reports', '接收 taskgroup 上报次数')],
  ]),
  module('datawatch', text('Container platform: Mesos data watch', '容器平台：bcs-mesos-datawatch'), [
    [
      '(datawatch_mesos|mesos_datawatch|bkbcs_datawatch_mesos)_sync_total',
      'counter',
      text('Synchronisations', '事件触发次数'),
    ],
    [
      '(datawatch_mesos|mesos_datawatch|bkbcs_datawatch_mesos)_storage(_requests)?_total',
      'counter',
      text('Storage requests', 'storage API 请求总数'),
    ],
    [
      '(datawatch_mesos|mesos_datawatch|bkbcs_datawatch_mesos)_storage_latency_(total|seconds|milliseconds)',
      'histogram',
      text('Storage latency', 'storage API 请求延迟'),
      's',
    ],
    [
      '(datawatch_mesos|mesos_datawatch|bkbcs_datawatch_mesos)_storage_state',
      'state',
      text('Storage found', 'storage 服务发现状态'),
    ],
    [
      '(datawatch_mesos|mesos_datawatch|bkbcs_datawatch_mesos)_cluster_state',
      'state',
      text('Cluster', 'datawatch 集群状态'),
    ],
    [
      '(datawatch_mesos|mesos_datawatch|bkbcs_datawatch_mesos)_role_state',
      'state',
      text('Role (1: master)', 'datawatch 角色（1 为 master）'),
    ],
  ]),
  module('executor', text('Container platform: container executor', '容器平台：bcs-container-executor'), [
    ['executor_taskgroup_report(s)?_total', 'counter', text('Task group reports', 'taskgroup 上报次数')],
    ['executor_health', 'state', text('Container health', '容器健康状态')],
    ['executor_slave_connection(s)?', 'state', text('Connection to the slave', '与 slave 连接')],
    ['executor_taskgroup_ack(s)?_total', 'counter', text('Task groups acknowledged', 'mesos-slave 确认次数')],
  ]),
  module('netservice', text('Container platform: net service', '容器平台：bcs-netservice'), [
    ['(netservice_)?ip_request(s)?_total', 'counter', text('Leases and releases', 'IP 申请和释放次数')],
    ['(netservice_)?ip_pools(_total)?', 'gauge', text('Address pools', '地址池数量')],
    ['(netservice_)?ip_available(_total)?', 'gauge', text('Addresses available', '可用 IP 数量')],
    ['(netservice_)?ip_active(_total)?', 'gauge', text('Addresses in use', '已用 IP 数量')],
    ['(netservice_)?ip_reserved(_total)?', 'gauge', text('Addresses reserved', '保留 IP 数量')],
    ['(netservice_)?ip_request(s)?_(err_total|errors_total)', 'counter', text('Errors', 'IP 申请和释放错误')],
    ['(netservice_)?ip_request_latency_seconds', 'histogram', text('Latency', 'IP 申请和释放延时'), 's'],
    ['(netservice_)?storage_(operator|operations)_total', 'counter', text('Storage operations', '与存储交互次数')],
    [
      '(netservice_)?storage_(operator|operation)_latency_seconds',
      'histogram',
      text('Storage latency', '与存储交互延时'),
      's',
    ],
  ]),
];
