// Dashboards of machines, containers, Kubernetes and Pharos itself.

import {
  alerts,
  badAbove,
  badBelow,
  choose,
  chooseMany,
  type Definition,
  gauge,
  graph,
  heat,
  levels,
  pie,
  row,
  stacked,
  stat,
  states,
  table,
  text,
  top,
  UP_DOWN,
} from './build.ts';

const INSTANCE = choose('instance', text('Host', '主机'), 'label_values(node_uname_info, instance)');
const AT = '{instance="$instance"}';
const at = (more: string) => `{instance="$instance",${more}}`;
const FS = 'fstype!~"tmpfs|overlay|squashfs|ramfs|devtmpfs|proc|sysfs",mountpoint!~"/(run|sys|proc|dev).*|/etc/.*"';
const NET = 'device!~"lo|veth.*|docker.*|br-.*|cni.*|flannel.*"';

export const host: Definition = {
  uid: 'host',
  title: text('This host', '本机'),
  description: text(
    'One machine in depth: processor, memory, disks, network, system.',
    '单台机器详情：处理器、内存、磁盘、网络、系统。',
  ),
  tags: ['hosts'],
  time: 'now-15m',
  refresh: '10s',
  variables: [INSTANCE],
  links: [{ title: text('All hosts', '全部主机'), dashboard: 'hosts' }],
  panels: [
    gauge(text('Processor', '处理器'), `1 - avg(rate(node_cpu_seconds_total${at('mode="idle"')}[$__rate_interval]))`),
    gauge(text('Memory', '内存'), `1 - node_memory_MemAvailable_bytes${AT} / node_memory_MemTotal_bytes${AT}`),
    gauge(
      text('Fullest disk', '最满的磁盘'),
      `max(1 - node_filesystem_avail_bytes${at(FS)} / node_filesystem_size_bytes${at(FS)})`,
    ),
    stat(text('Load, 1 minute', '1 分钟负载'), `node_load1${AT}`, 'none', { h: 5 }),
    stat(text('Running for', '运行时间'), `time() - node_boot_time_seconds${AT}`, 's', {
      h: 5,
      options: { spark: false },
    }),
    stat(text('Cores', '核数'), `count(node_cpu_seconds_total${at('mode="idle"')})`, 'none', {
      h: 5,
      options: { spark: false },
    }),
    stacked(
      text('Processor by mode', '处理器各模式'),
      [
        [
          `sum by (mode) (rate(node_cpu_seconds_total${at('mode!="idle"')}[$__rate_interval])) / scalar(count(node_cpu_seconds_total${at('mode="idle"')}))`,
          '{{mode}}',
        ],
      ],
      'percentunit',
    ),
    stacked(
      text('Memory', '内存'),
      [
        [
          `node_memory_MemTotal_bytes${AT} - node_memory_MemFree_bytes${AT} - node_memory_Buffers_bytes${AT} - node_memory_Cached_bytes${AT}`,
          'used',
        ],
        [`node_memory_Buffers_bytes${AT}`, 'buffers'],
        [`node_memory_Cached_bytes${AT}`, 'cached'],
        [`node_memory_MemFree_bytes${AT}`, 'free'],
      ],
      'bytes',
    ),
    graph(
      text('Load', '负载'),
      [
        [`node_load1${AT}`, '1 min'],
        [`node_load5${AT}`, '5 min'],
        [`node_load15${AT}`, '15 min'],
      ],
      'none',
    ),
    graph(
      text('Network', '网络'),
      [
        [`rate(node_network_receive_bytes_total${at(NET)}[$__rate_interval])`, '{{device}} in'],
        [`-rate(node_network_transmit_bytes_total${at(NET)}[$__rate_interval])`, '{{device}} out'],
      ],
      'binBps',
    ),
    graph(
      text('Disk traffic', '磁盘吞吐'),
      [
        [`rate(node_disk_read_bytes_total${AT}[$__rate_interval])`, '{{device}} read'],
        [`-rate(node_disk_written_bytes_total${AT}[$__rate_interval])`, '{{device}} write'],
      ],
      'binBps',
    ),
    graph(
      text('Time disks were busy', '磁盘繁忙时间'),
      [[`rate(node_disk_io_time_seconds_total${AT}[$__rate_interval])`, '{{device}}']],
      'percentunit',
      { field: { max: 1, draw: { fill: 0.08 } } },
    ),
    table(
      text('File systems', '文件系统'),
      [`sort_desc(1 - node_filesystem_avail_bytes${at(FS)} / node_filesystem_size_bytes${at(FS)})`],
      'percentunit',
      {
        field: { cell: 'bar', min: 0, max: 1, thresholds: { mode: 'absolute', steps: levels(0.75, 0.9) } },
      },
    ),
    alerts('', { w: 12 }),
    row(text('Under pressure', '压力')),
    graph(
      text('Waiting for processor, memory, disk', '等待处理器、内存、磁盘'),
      [
        [`rate(node_pressure_cpu_waiting_seconds_total${AT}[$__rate_interval])`, 'cpu'],
        [`rate(node_pressure_memory_waiting_seconds_total${AT}[$__rate_interval])`, 'memory'],
        [`rate(node_pressure_io_waiting_seconds_total${AT}[$__rate_interval])`, 'io'],
      ],
      'percentunit',
      { w: 8 },
    ),
    graph(
      text('Context switches and interrupts', '上下文切换与中断'),
      [
        [`rate(node_context_switches_total${AT}[$__rate_interval])`, 'switches'],
        [`rate(node_intr_total${AT}[$__rate_interval])`, 'interrupts'],
      ],
      'ops',
      { w: 8 },
    ),
    graph(text('Open files', '打开的文件'), [[`node_filefd_allocated${AT}`, 'files']], 'short', { w: 8 }),
    graph(
      text('Connections', '连接'),
      [
        [`node_netstat_Tcp_CurrEstab${AT}`, 'established'],
        [`node_sockstat_TCP_tw${AT}`, 'time wait'],
      ],
      'short',
      { w: 8 },
    ),
    graph(
      text('Processes', '进程'),
      [
        [`node_procs_running${AT}`, 'running'],
        [`node_procs_blocked${AT}`, 'blocked'],
      ],
      'none',
      { w: 8 },
    ),
    graph(
      text('Network errors', '网络错误'),
      [
        [`rate(node_network_receive_errs_total${at(NET)}[$__rate_interval])`, '{{device}} in'],
        [`rate(node_network_transmit_errs_total${at(NET)}[$__rate_interval])`, '{{device}} out'],
      ],
      'ops',
      { w: 8 },
    ),
  ],
};

const JOB = 'job=~"$job"';
export const hosts: Definition = {
  uid: 'hosts',
  title: text('All hosts', '全部主机'),
  description: text('Every machine at a glance.', '全部机器一览。'),
  tags: ['hosts'],
  variables: [chooseMany('job', text('Job', '任务'), 'label_values(node_uname_info, job)')],
  panels: [
    stat(text('Hosts', '主机数'), `count(node_uname_info{${JOB}})`, 'none'),
    stat(text('Cores', '核数'), `count(node_cpu_seconds_total{mode="idle",${JOB}})`, 'none'),
    stat(text('Memory', '内存'), `sum(node_memory_MemTotal_bytes{${JOB}})`, 'bytes'),
    gauge(
      text('Processor, average', '处理器平均'),
      `1 - avg(rate(node_cpu_seconds_total{mode="idle",${JOB}}[$__rate_interval]))`,
      'percentunit',
      { h: 4 },
    ),
    gauge(
      text('Memory, average', '内存平均'),
      `1 - sum(node_memory_MemAvailable_bytes{${JOB}}) / sum(node_memory_MemTotal_bytes{${JOB}})`,
      'percentunit',
      { h: 4 },
    ),
    stat(text('Not answering', '无应答'), `count(up{${JOB}} == 0) or vector(0)`, 'none', { steps: badAbove(1) }),
    top(
      text('Busiest processors', '处理器最忙'),
      `topk(10, 1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle",${JOB}}[5m])))`,
      '{{instance}}',
      'percentunit',
      { field: { max: 1 } },
    ),
    top(
      text('Fullest memory', '内存最满'),
      `topk(10, 1 - node_memory_MemAvailable_bytes{${JOB}} / node_memory_MemTotal_bytes{${JOB}})`,
      '{{instance}}',
      'percentunit',
      { field: { max: 1 } },
    ),
    top(
      text('Fullest file systems', '磁盘最满'),
      `topk(10, max by (instance, mountpoint) (1 - node_filesystem_avail_bytes{${FS},${JOB}} / node_filesystem_size_bytes{${FS},${JOB}}))`,
      '{{instance}} {{mountpoint}}',
      'percentunit',
      { field: { max: 1 } },
    ),
    graph(
      text('Processor by host', '各主机处理器'),
      [[`1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle",${JOB}}[$__rate_interval]))`, '{{instance}}']],
      'percentunit',
    ),
    graph(
      text('Memory by host', '各主机内存'),
      [[`1 - node_memory_MemAvailable_bytes{${JOB}} / node_memory_MemTotal_bytes{${JOB}}`, '{{instance}}']],
      'percentunit',
    ),
    graph(
      text('Network by host', '各主机网络'),
      [
        [
          `sum by (instance) (rate(node_network_receive_bytes_total{${NET},${JOB}}[$__rate_interval]))`,
          '{{instance}} in',
        ],
        [
          `-sum by (instance) (rate(node_network_transmit_bytes_total{${NET},${JOB}}[$__rate_interval]))`,
          '{{instance}} out',
        ],
      ],
      'binBps',
    ),
    graph(
      text('Load per core', '每核负载'),
      [
        [
          `node_load5{${JOB}} / on (instance) count by (instance) (node_cpu_seconds_total{mode="idle",${JOB}})`,
          '{{instance}}',
        ],
      ],
      'none',
    ),
    states(text('Answering', '应答'), [[`up{${JOB}}`, '{{instance}}']], UP_DOWN, { w: 24 }),
    table(text('Systems', '系统'), [`node_uname_info{${JOB}}`], 'none', { w: 24 }),
  ],
};

const NAME = 'name=~"$name",name!=""';
export const containers: Definition = {
  uid: 'containers',
  title: text('Containers', '容器'),
  tags: ['containers'],
  variables: [chooseMany('name', text('Container', '容器'), 'label_values(container_last_seen{name!=""}, name)')],
  panels: [
    stat(text('Containers', '容器数'), `count(container_last_seen{${NAME}})`, 'none'),
    stat(
      text('Processor', '处理器'),
      `sum(rate(container_cpu_usage_seconds_total{${NAME}}[$__rate_interval]))`,
      'none',
      { description: text('Cores in use.', '占用的核数。') },
    ),
    stat(text('Memory', '内存'), `sum(container_memory_working_set_bytes{${NAME}})`, 'bytes'),
    stat(text('In', '入流量'), `sum(rate(container_network_receive_bytes_total{${NAME}}[$__rate_interval]))`, 'binBps'),
    stat(
      text('Out', '出流量'),
      `sum(rate(container_network_transmit_bytes_total{${NAME}}[$__rate_interval]))`,
      'binBps',
    ),
    stat(
      text('Throttled', '被限流'),
      `sum(rate(container_cpu_cfs_throttled_periods_total{${NAME}}[$__rate_interval]))`,
      'ops',
    ),
    top(
      text('Most processor', '处理器占用最高'),
      `topk(10, sum by (name) (rate(container_cpu_usage_seconds_total{${NAME}}[5m])))`,
      '{{name}}',
      'none',
    ),
    top(
      text('Most memory', '内存占用最高'),
      `topk(10, sum by (name) (container_memory_working_set_bytes{${NAME}}))`,
      '{{name}}',
      'bytes',
    ),
    top(
      text('Most network', '网络占用最高'),
      `topk(10, sum by (name) (rate(container_network_receive_bytes_total{${NAME}}[5m]) + rate(container_network_transmit_bytes_total{${NAME}}[5m])))`,
      '{{name}}',
      'binBps',
    ),
    stacked(
      text('Processor', '处理器'),
      [[`sum by (name) (rate(container_cpu_usage_seconds_total{${NAME}}[$__rate_interval]))`, '{{name}}']],
      'none',
    ),
    stacked(
      text('Memory', '内存'),
      [[`sum by (name) (container_memory_working_set_bytes{${NAME}})`, '{{name}}']],
      'bytes',
    ),
    graph(
      text('Network', '网络'),
      [
        [`sum by (name) (rate(container_network_receive_bytes_total{${NAME}}[$__rate_interval]))`, '{{name}} in'],
        [`-sum by (name) (rate(container_network_transmit_bytes_total{${NAME}}[$__rate_interval]))`, '{{name}} out'],
      ],
      'binBps',
    ),
    graph(
      text('Disk', '磁盘'),
      [
        [`sum by (name) (rate(container_fs_reads_bytes_total{${NAME}}[$__rate_interval]))`, '{{name}} read'],
        [`-sum by (name) (rate(container_fs_writes_bytes_total{${NAME}}[$__rate_interval]))`, '{{name}} write'],
      ],
      'binBps',
    ),
    table(
      text('Memory against limit', '内存与上限'),
      [
        `sort_desc(sum by (name) (container_memory_working_set_bytes{${NAME}}) / (sum by (name) (container_spec_memory_limit_bytes{${NAME}}) > 0))`,
      ],
      'percentunit',
      { field: { cell: 'bar', min: 0, max: 1, thresholds: { mode: 'absolute', steps: levels(0.75, 0.9) } } },
    ),
    table(text('Images', '镜像'), [`count by (image) (container_last_seen{${NAME}})`], 'none'),
  ],
};

const NS = 'namespace=~"$namespace"';
export const kubernetes: Definition = {
  uid: 'kubernetes',
  title: text('Kubernetes cluster', 'Kubernetes 集群'),
  tags: ['kubernetes', 'containers'],
  variables: [
    chooseMany(
      'namespace',
      text('Namespace', '命名空间'),
      'label_values(container_cpu_usage_seconds_total{namespace!=""}, namespace)',
    ),
  ],
  panels: [
    gauge(
      text('Processor used', '处理器使用'),
      'sum(rate(container_cpu_usage_seconds_total{id="/"}[$__rate_interval])) / sum(machine_cpu_cores)',
    ),
    gauge(
      text('Memory used', '内存使用'),
      'sum(container_memory_working_set_bytes{id="/"}) / sum(machine_memory_bytes)',
    ),
    stat(text('Nodes ready', '就绪节点'), 'sum(kube_node_status_condition{condition="Ready",status="true"})', 'none', {
      h: 5,
    }),
    stat(text('Pods running', '运行中的 Pod'), `sum(kube_pod_status_phase{phase="Running",${NS}})`, 'none', { h: 5 }),
    stat(
      text('Pods not ready', '未就绪的 Pod'),
      `sum(kube_pod_status_phase{phase=~"Pending|Failed|Unknown",${NS}})`,
      'none',
      { h: 5, steps: badAbove(1) },
    ),
    stat(
      text('Restarts, last hour', '最近一小时重启'),
      `sum(increase(kube_pod_container_status_restarts_total{${NS}}[1h]))`,
      'none',
      { h: 5, steps: levels(1, 10) },
    ),
    stacked(
      text('Processor by namespace', '各命名空间处理器'),
      [
        [
          `sum by (namespace) (rate(container_cpu_usage_seconds_total{container!="",${NS}}[$__rate_interval]))`,
          '{{namespace}}',
        ],
      ],
      'none',
    ),
    stacked(
      text('Memory by namespace', '各命名空间内存'),
      [[`sum by (namespace) (container_memory_working_set_bytes{container!="",${NS}})`, '{{namespace}}']],
      'bytes',
    ),
    top(
      text('Pods with most processor', '处理器占用最高的 Pod'),
      `topk(10, sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container!="",${NS}}[5m])))`,
      '{{namespace}}/{{pod}}',
      'none',
    ),
    top(
      text('Pods with most memory', '内存占用最高的 Pod'),
      `topk(10, sum by (namespace, pod) (container_memory_working_set_bytes{container!="",${NS}}))`,
      '{{namespace}}/{{pod}}',
      'bytes',
    ),
    top(
      text('Pods with most network', '网络占用最高的 Pod'),
      `topk(10, sum by (namespace, pod) (rate(container_network_receive_bytes_total{${NS}}[5m]) + rate(container_network_transmit_bytes_total{${NS}}[5m])))`,
      '{{namespace}}/{{pod}}',
      'binBps',
    ),
    graph(
      text('Network by namespace', '各命名空间网络'),
      [
        [
          `sum by (namespace) (rate(container_network_receive_bytes_total{${NS}}[$__rate_interval]))`,
          '{{namespace}} in',
        ],
        [
          `-sum by (namespace) (rate(container_network_transmit_bytes_total{${NS}}[$__rate_interval]))`,
          '{{namespace}} out',
        ],
      ],
      'binBps',
    ),
    graph(
      text('API server: requests', 'API 服务器请求'),
      [['sum by (verb) (rate(apiserver_request_total[$__rate_interval]))', '{{verb}}']],
      'reqps',
    ),
    graph(
      text('API server: 99th percentile', 'API 服务器 99 分位延迟'),
      [
        [
          'histogram_quantile(0.99, sum by (le, verb) (rate(apiserver_request_duration_seconds_bucket{verb!~"WATCH|CONNECT"}[$__rate_interval])))',
          '{{verb}}',
        ],
      ],
      's',
    ),
    table(
      text('Volumes', '存储卷'),
      [`sort_desc(kubelet_volume_stats_used_bytes{${NS}} / kubelet_volume_stats_capacity_bytes{${NS}})`],
      'percentunit',
      { field: { cell: 'bar', min: 0, max: 1, thresholds: { mode: 'absolute', steps: levels(0.75, 0.9) } } },
    ),
    table(
      text('Processor: used against requested', '处理器：使用与申请'),
      [
        `sort_desc(sum by (namespace) (rate(container_cpu_usage_seconds_total{container!="",${NS}}[5m])) / sum by (namespace) (kube_pod_container_resource_requests{resource="cpu",${NS}}))`,
      ],
      'percentunit',
    ),
    pie(text('Pods by phase', 'Pod 阶段'), `sum by (phase) (kube_pod_status_phase{${NS}})`, '{{phase}}', 'none', {
      w: 12,
    }),
  ],
};

export const pharos: Definition = {
  uid: 'pharos',
  title: text('Pharos itself', 'Pharos 自身'),
  description: text('What this server ingests, stores and answers.', '此服务器的写入、存储与查询。'),
  tags: ['pharos'],
  refresh: '10s',
  variables: [choose('instance', text('Server', '服务器'), 'label_values(prometheus_tsdb_head_series, instance)')],
  panels: [
    stat(text('Series in the head', '头部序列'), 'sum(prometheus_tsdb_head_series{instance="$instance"})', 'short'),
    stat(
      text('Samples per second', '每秒样本'),
      'sum(rate(prometheus_tsdb_head_samples_appended_total{instance="$instance"}[$__rate_interval]))',
      'short',
    ),
    stat(text('Memory', '内存'), 'process_resident_memory_bytes{instance="$instance"}', 'bytes'),
    stat(
      text('Processor', '处理器'),
      'rate(process_cpu_seconds_total{instance="$instance"}[$__rate_interval])',
      'percentunit',
    ),
    stat(text('Targets down', '异常目标'), 'count(up == 0) or vector(0)', 'none', { steps: badAbove(1) }),
    stat(text('Configuration', '配置'), 'prometheus_config_last_reload_successful{instance="$instance"}', 'none', {
      steps: badBelow(1),
      options: { spark: false },
      field: {
        mappings: [
          {
            kind: 'value',
            values: {
              '1': { text: text('Loaded', '已加载'), color: 'green' },
              '0': { text: text('Refused', '被拒绝'), color: 'red' },
            },
          },
        ],
        color: { mode: 'thresholds' },
      },
    }),
    graph(
      text('Samples appended', '写入样本'),
      [['sum(rate(prometheus_tsdb_head_samples_appended_total{instance="$instance"}[$__rate_interval]))', 'samples']],
      'short',
    ),
    graph(text('Series', '序列'), [['sum(prometheus_tsdb_head_series{instance="$instance"})', 'series']], 'short'),
    graph(text('Memory', '内存'), [['process_resident_memory_bytes{instance="$instance"}', 'resident']], 'bytes'),
    graph(
      text('Processor', '处理器'),
      [['rate(process_cpu_seconds_total{instance="$instance"}[$__rate_interval])', 'cores']],
      'none',
    ),
    graph(
      text('Requests', '请求'),
      [
        [
          'sum by (handler) (rate(prometheus_http_requests_total{instance="$instance"}[$__rate_interval]))',
          '{{handler}}',
        ],
      ],
      'reqps',
    ),
    graph(
      text('Answer time, 95th percentile', '应答时间 95 分位'),
      [
        [
          'histogram_quantile(0.95, sum by (le, handler) (rate(prometheus_http_request_duration_seconds_bucket{instance="$instance"}[$__rate_interval])))',
          '{{handler}}',
        ],
      ],
      's',
    ),
    graph(
      text('Query time', '查询耗时'),
      [['prometheus_engine_query_duration_seconds{instance="$instance",quantile="0.9"}', '{{slice}}']],
      's',
    ),
    graph(
      text('Rule groups: evaluation', '规则组计算耗时'),
      [['prometheus_rule_group_last_duration_seconds{instance="$instance"}', '{{rule_group}}']],
      's',
    ),
    graph(
      text('Scrape duration', '抓取耗时'),
      [['topk(10, max by (job, instance) (scrape_duration_seconds))', '{{job}} {{instance}}']],
      's',
    ),
    graph(
      text('Samples per scrape', '每次抓取样本'),
      [['topk(10, scrape_samples_scraped)', '{{job}} {{instance}}']],
      'short',
    ),
    heat(
      text('Request duration', '请求耗时分布'),
      'sum by (le) (rate(prometheus_http_request_duration_seconds_bucket{instance="$instance"}[$__rate_interval]))',
      's',
    ),
    graph(
      text('Alerts sent and failed', '告警发送与失败'),
      [
        ['rate(prometheus_notifications_sent_total{instance="$instance"}[$__rate_interval])', 'sent {{alertmanager}}'],
        [
          'rate(prometheus_notifications_errors_total{instance="$instance"}[$__rate_interval])',
          'failed {{alertmanager}}',
        ],
      ],
      'ops',
    ),
  ],
};
