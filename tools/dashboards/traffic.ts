// Dashboards of entry traffic and service meshes.

import { badBelow, chooseMany, type Definition, graph, heat, stacked, stat, table, text, top } from './build.ts';

const ING = 'ingress=~"$ingress"';
export const ingress: Definition = {
  uid: 'ingress-nginx',
  title: text('Ingress (ingress-nginx)', '入口流量（ingress-nginx）'),
  tags: ['traffic', 'kubernetes'],
  variables: [
    chooseMany('ingress', text('Ingress', '入口'), 'label_values(nginx_ingress_controller_requests, ingress)'),
  ],
  panels: [
    stat(text('Requests', '请求'), `sum(rate(nginx_ingress_controller_requests{${ING}}[$__rate_interval]))`, 'reqps'),
    stat(
      text('Succeeding', '成功率'),
      `sum(rate(nginx_ingress_controller_requests{${ING},status!~"5.."}[$__rate_interval])) / sum(rate(nginx_ingress_controller_requests{${ING}}[$__rate_interval]))`,
      'percentunit',
      { steps: badBelow(0.99) },
    ),
    stat(
      text('95th percentile', '95 分位'),
      `histogram_quantile(0.95, sum by (le) (rate(nginx_ingress_controller_request_duration_seconds_bucket{${ING}}[$__rate_interval])))`,
      's',
    ),
    stat(
      text('Connections', '连接'),
      'sum(nginx_ingress_controller_nginx_process_connections{state="active"})',
      'short',
    ),
    stat(
      text('In', '入流量'),
      `sum(rate(nginx_ingress_controller_request_size_sum{${ING}}[$__rate_interval]))`,
      'binBps',
    ),
    stat(
      text('Out', '出流量'),
      `sum(rate(nginx_ingress_controller_response_size_sum{${ING}}[$__rate_interval]))`,
      'binBps',
    ),
    stacked(
      text('Requests by ingress', '各入口请求'),
      [[`sum by (ingress) (rate(nginx_ingress_controller_requests{${ING}}[$__rate_interval]))`, '{{ingress}}']],
      'reqps',
    ),
    stacked(
      text('Requests by status', '各状态码请求'),
      [[`sum by (status) (rate(nginx_ingress_controller_requests{${ING}}[$__rate_interval]))`, '{{status}}']],
      'reqps',
    ),
    graph(
      text('Latency', '延迟'),
      [0.5, 0.9, 0.99].map((q): [string, string] => [
        `histogram_quantile(${q}, sum by (le) (rate(nginx_ingress_controller_request_duration_seconds_bucket{${ING}}[$__rate_interval])))`,
        `p${q * 100}`,
      ]),
      's',
    ),
    heat(
      text('Latency distribution', '延迟分布'),
      `sum by (le) (rate(nginx_ingress_controller_request_duration_seconds_bucket{${ING}}[$__rate_interval]))`,
    ),
    table(
      text('Errors by ingress', '各入口错误'),
      [
        `sort_desc(sum by (ingress, status) (increase(nginx_ingress_controller_requests{${ING},status=~"[45].."}[1h])) > 0)`,
      ],
      'short',
    ),
    table(
      text('Certificates expire in', '证书剩余时间'),
      ['sort(nginx_ingress_controller_ssl_expire_time_seconds - time())'],
      's',
    ),
  ],
};

export const linkerd: Definition = {
  uid: 'linkerd',
  title: text('Service mesh: Linkerd', '服务网格：Linkerd'),
  tags: ['traffic', 'mesh', 'kubernetes'],
  variables: [chooseMany('namespace', text('Namespace', '命名空间'), 'label_values(response_total, namespace)')],
  panels: [
    stat(
      text('Requests', '请求'),
      'sum(rate(request_total{direction="inbound",namespace=~"$namespace"}[$__rate_interval]))',
      'reqps',
    ),
    stat(
      text('Succeeding', '成功率'),
      'sum(rate(response_total{classification="success",direction="inbound",namespace=~"$namespace"}[$__rate_interval])) / sum(rate(response_total{direction="inbound",namespace=~"$namespace"}[$__rate_interval]))',
      'percentunit',
      { steps: badBelow(0.99) },
    ),
    stat(
      text('Open connections', '打开的连接'),
      'sum(tcp_open_connections{direction="inbound",namespace=~"$namespace"})',
      'short',
    ),
    stat(
      text('95th percentile', '95 分位'),
      'histogram_quantile(0.95, sum by (le) (rate(response_latency_ms_bucket{direction="inbound",namespace=~"$namespace"}[$__rate_interval])))',
      'ms',
    ),
    stacked(
      text('Requests by deployment', '各部署请求'),
      [
        [
          'sum by (namespace, deployment) (rate(request_total{direction="inbound",namespace=~"$namespace"}[$__rate_interval]))',
          '{{namespace}}/{{deployment}}',
        ],
      ],
      'reqps',
    ),
    graph(
      text('Success by deployment', '各部署成功率'),
      [
        [
          'sum by (namespace, deployment) (rate(response_total{classification="success",direction="inbound",namespace=~"$namespace"}[$__rate_interval])) / sum by (namespace, deployment) (rate(response_total{direction="inbound",namespace=~"$namespace"}[$__rate_interval]))',
          '{{namespace}}/{{deployment}}',
        ],
      ],
      'percentunit',
    ),
    graph(
      text('Latency by deployment, 99th percentile', '各部署延迟 99 分位'),
      [
        [
          'histogram_quantile(0.99, sum by (le, deployment) (rate(response_latency_ms_bucket{direction="inbound",namespace=~"$namespace"}[$__rate_interval])))',
          '{{deployment}}',
        ],
      ],
      'ms',
    ),
    graph(
      text('TCP traffic', 'TCP 流量'),
      [
        [
          'sum by (deployment) (rate(tcp_read_bytes_total{direction="inbound",namespace=~"$namespace"}[$__rate_interval]))',
          '{{deployment}} in',
        ],
        [
          '-sum by (deployment) (rate(tcp_write_bytes_total{direction="inbound",namespace=~"$namespace"}[$__rate_interval]))',
          '{{deployment}} out',
        ],
      ],
      'binBps',
    ),
    {
      ...table(
        text('Who calls whom', '调用关系'),
        [
          'label_replace(label_replace(sum by (deployment, dst_deployment) (rate(request_total{direction="outbound",namespace=~"$namespace"}[5m])), "source", "$1", "deployment", "(.*)"), "target", "$1", "dst_deployment", "(.*)")',
        ],
        'reqps',
        { w: 24, h: 12 },
      ),
      type: 'nodes',
    },
  ],
};

export const istio: Definition = {
  uid: 'istio',
  title: text('Service mesh: Istio', '服务网格：Istio'),
  tags: ['traffic', 'mesh', 'kubernetes'],
  variables: [
    chooseMany('service', text('Service', '服务'), 'label_values(istio_requests_total, destination_service)'),
  ],
  panels: [
    stat(
      text('Requests', '请求'),
      'sum(rate(istio_requests_total{reporter="destination",destination_service=~"$service"}[$__rate_interval]))',
      'reqps',
    ),
    stat(
      text('Succeeding', '成功率'),
      'sum(rate(istio_requests_total{reporter="destination",destination_service=~"$service",response_code!~"5.."}[$__rate_interval])) / sum(rate(istio_requests_total{reporter="destination",destination_service=~"$service"}[$__rate_interval]))',
      'percentunit',
      { steps: badBelow(0.99) },
    ),
    stat(
      text('95th percentile', '95 分位'),
      'histogram_quantile(0.95, sum by (le) (rate(istio_request_duration_milliseconds_bucket{reporter="destination",destination_service=~"$service"}[$__rate_interval])))',
      'ms',
    ),
    stat(
      text('Services', '服务数'),
      'count(count by (destination_service) (istio_requests_total{destination_service=~"$service"}))',
      'none',
    ),
    stacked(
      text('Requests by service', '各服务请求'),
      [
        [
          'sum by (destination_service) (rate(istio_requests_total{reporter="destination",destination_service=~"$service"}[$__rate_interval]))',
          '{{destination_service}}',
        ],
      ],
      'reqps',
    ),
    stacked(
      text('Requests by status', '各状态码请求'),
      [
        [
          'sum by (response_code) (rate(istio_requests_total{reporter="destination",destination_service=~"$service"}[$__rate_interval]))',
          '{{response_code}}',
        ],
      ],
      'reqps',
    ),
    graph(
      text('Latency by service, 99th percentile', '各服务延迟 99 分位'),
      [
        [
          'histogram_quantile(0.99, sum by (le, destination_service) (rate(istio_request_duration_milliseconds_bucket{reporter="destination",destination_service=~"$service"}[$__rate_interval])))',
          '{{destination_service}}',
        ],
      ],
      'ms',
    ),
    heat(
      text('Latency distribution', '延迟分布'),
      'sum by (le) (rate(istio_request_duration_milliseconds_bucket{reporter="destination",destination_service=~"$service"}[$__rate_interval]))',
      'ms',
    ),
    top(
      text('Most errors', '错误最多'),
      'topk(10, sum by (destination_service) (increase(istio_requests_total{reporter="destination",destination_service=~"$service",response_code=~"5.."}[1h])))',
      '{{destination_service}}',
    ),
    {
      ...table(
        text('Who calls whom', '调用关系'),
        [
          'label_replace(label_replace(sum by (source_workload, destination_workload) (rate(istio_requests_total{reporter="source",destination_service=~"$service"}[5m])), "source", "$1", "source_workload", "(.*)"), "target", "$1", "destination_workload", "(.*)")',
        ],
        'reqps',
        { w: 16, h: 12 },
      ),
      type: 'nodes',
    },
  ],
};
