// Pages of metrics as the well-known exporters write them, small but with their names, types and labels: what the shipped
// dashboards are checked against. A table; counters rise by their rate every second, histograms observe that often.

type Kind = 'counter' | 'gauge' | 'histogram';
type Line = { readonly kind: Kind; readonly name: string; readonly labels: string; readonly value: number };

const lines = (text: string): Line[] =>
  text
    .trim()
    .split('\n')
    .map((line) => {
      const match = /^\s*(counter|gauge|histogram) ([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (!match) throw new Error(`cannot read the line ${JSON.stringify(line)}`);
      return { kind: match[1] as Kind, name: match[2]!, labels: match[3] ?? '', value: Number(match[4]) };
    });

/** The series of a table, without values; the parts of a histogram are not told apart. */
export const seriesOf = (table: string): string[] => lines(table).map(({ name, labels }) => `${name}{${labels}}`);

const BUCKETS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 100, 1000];

/** The exposition text of a table, `seconds` after its programs began. */
export function exposition(table: string, seconds: number): string {
  const byName = Map.groupBy(lines(table), (line) => line.name);
  const pages = [...byName].map(([name, all]) => {
    const series = all.flatMap(({ kind, labels, value }) => {
      const with_ = (more: string) => `{${[labels, more].filter(Boolean).join(',')}}`;
      if (kind === 'gauge') return [`${name}${with_('')} ${value}`];
      if (kind === 'counter') return [`${name}${with_('')} ${value * seconds}`];
      const count = value * seconds;
      return [
        ...BUCKETS.map((le, i) => `${name}_bucket${with_(`le="${le}"`)} ${(count * (i + 1)) / (BUCKETS.length + 1)}`),
        `${name}_bucket${with_('le="+Inf"')} ${count}`,
        `${name}_sum${with_('')} ${count * 0.3}`,
        `${name}_count${with_('')} ${count}`,
      ];
    });
    return `# TYPE ${name} ${all[0]!.kind}\n${series.join('\n')}\n`;
  });
  return pages.join('');
}

const POD = 'namespace="shop",pod="web-1",container="web",image="nginx:1",name="k8s_web",id="/kubepods/pod1/c1"';
const POD_NET =
  'namespace="shop",pod="web-1",container="",image="pause:3",name="k8s_POD",id="/kubepods/pod1",interface="eth0"';

/** cAdvisor inside the kubelet, the kubelet itself, kube-state-metrics, the API server. */
const KUBERNETES = `
  counter container_cpu_usage_seconds_total{id="/",cpu="total"} 1.2
  counter container_cpu_usage_seconds_total{${POD},cpu="total"} 0.4
  gauge container_memory_working_set_bytes{id="/"} 4e9
  gauge container_memory_working_set_bytes{${POD}} 2e8
  counter container_network_receive_bytes_total{${POD_NET}} 2000
  counter container_network_transmit_bytes_total{${POD_NET}} 1000
  gauge machine_cpu_cores{boot_id="b",machine_id="m",system_uuid="s"} 4
  gauge machine_memory_bytes{boot_id="b",machine_id="m",system_uuid="s"} 8e9
  gauge kube_node_status_condition{node="n1",condition="Ready",status="true"} 1
  gauge kube_node_status_condition{node="n1",condition="Ready",status="false"} 0
  gauge kube_pod_status_phase{namespace="shop",pod="web-1",uid="u",phase="Running"} 1
  gauge kube_pod_status_phase{namespace="shop",pod="web-1",uid="u",phase="Pending"} 0
  gauge kube_pod_status_phase{namespace="shop",pod="web-2",uid="v",phase="Failed"} 1
  counter kube_pod_container_status_restarts_total{namespace="shop",pod="web-1",uid="u",container="web"} 0.01
  gauge kube_pod_container_resource_requests{namespace="shop",pod="web-1",uid="u",container="web",node="n1",resource="cpu",unit="core"} 0.5
  gauge kube_pod_container_resource_requests{namespace="shop",pod="web-1",uid="u",container="web",node="n1",resource="memory",unit="byte"} 3e8
  counter apiserver_request_total{verb="GET",resource="pods",code="200",component="apiserver",group="",scope="namespace",subresource="",version="v1",dry_run=""} 5
  counter apiserver_request_total{verb="WATCH",resource="pods",code="200",component="apiserver",group="",scope="cluster",subresource="",version="v1",dry_run=""} 1
  histogram apiserver_request_duration_seconds{verb="GET",resource="pods",component="apiserver",group="",scope="namespace",subresource="",version="v1",dry_run=""} 5
  gauge kubelet_volume_stats_used_bytes{namespace="shop",persistentvolumeclaim="data"} 3e9
  gauge kubelet_volume_stats_capacity_bytes{namespace="shop",persistentvolumeclaim="data"} 9e9
`;

const BOX = 'id="/docker/1",name="shop-web",image="nginx:1"';
const CONTAINERS = `
  gauge container_last_seen{${BOX}} 1.7e9
  counter container_cpu_usage_seconds_total{${BOX},cpu="total"} 0.4
  gauge container_memory_working_set_bytes{${BOX}} 2e8
  gauge container_spec_memory_limit_bytes{${BOX}} 5e8
  counter container_network_receive_bytes_total{${BOX},interface="eth0"} 2000
  counter container_network_transmit_bytes_total{${BOX},interface="eth0"} 1000
  counter container_cpu_cfs_throttled_periods_total{${BOX}} 0.2
  counter container_fs_reads_bytes_total{${BOX},device="/dev/sda"} 500
  counter container_fs_writes_bytes_total{${BOX},device="/dev/sda"} 800
`;

const CONTROLLER = 'controller_class="k8s.io/ingress-nginx",controller_namespace="ingress-nginx",controller_pod="c-1"';
const INGRESS = `${CONTROLLER},namespace="shop",ingress="web",service="web",canary="",host="shop.example",path="/",method="GET"`;
const INGRESS_NGINX = `
  counter nginx_ingress_controller_requests{${INGRESS},status="200"} 9
  counter nginx_ingress_controller_requests{${INGRESS},status="404"} 1
  counter nginx_ingress_controller_requests{${INGRESS},status="503"} 0.5
  histogram nginx_ingress_controller_request_duration_seconds{${INGRESS},status="200"} 9
  histogram nginx_ingress_controller_request_size{${INGRESS},status="200"} 9
  histogram nginx_ingress_controller_response_size{${INGRESS},status="200"} 9
  gauge nginx_ingress_controller_nginx_process_connections{${CONTROLLER},state="active"} 12
  gauge nginx_ingress_controller_ssl_expire_time_seconds{${CONTROLLER},class="k8s.io/ingress-nginx",host="shop.example",namespace="shop",secret_name="tls"} 2e9
`;

const MESH =
  'source_workload="web",source_workload_namespace="shop",source_app="web",destination_workload="api",destination_workload_namespace="shop",destination_app="api",destination_service="api.shop.svc.cluster.local",destination_service_name="api",destination_service_namespace="shop",request_protocol="http",response_flags="-",connection_security_policy="mutual_tls"';
const ISTIO = `
  counter istio_requests_total{reporter="destination",${MESH},response_code="200"} 8
  counter istio_requests_total{reporter="destination",${MESH},response_code="503"} 0.4
  counter istio_requests_total{reporter="source",${MESH},response_code="200"} 8
  histogram istio_request_duration_milliseconds{reporter="destination",${MESH},response_code="200"} 8
`;

const PROXY = 'namespace="shop",deployment="web",pod="web-1",control_plane_ns="linkerd",workload_ns="shop"';
const OUTBOUND = 'dst_deployment="api",dst_namespace="shop",dst_service="api"';
const LINKERD = `
  counter request_total{${PROXY},direction="inbound",authority="web.shop",tls="true"} 7
  counter request_total{${PROXY},direction="outbound",authority="api.shop",${OUTBOUND},tls="true"} 3
  counter response_total{${PROXY},direction="inbound",classification="success",status_code="200",tls="true"} 6
  counter response_total{${PROXY},direction="inbound",classification="failure",status_code="503",tls="true"} 1
  histogram response_latency_ms{${PROXY},direction="inbound",status_code="200",tls="true"} 7
  gauge tcp_open_connections{${PROXY},direction="inbound",peer="src",tls="true"} 4
  counter tcp_read_bytes_total{${PROXY},direction="inbound",peer="src",tls="true"} 900
  counter tcp_write_bytes_total{${PROXY},direction="inbound",peer="src",tls="true"} 700
`;

const MYSQL = `
  gauge mysql_up 1
  gauge mysql_global_status_uptime 5000
  gauge mysql_global_variables_max_connections 151
  gauge mysql_global_status_threads_connected 7
  gauge mysql_global_status_threads_running 2
  counter mysql_global_status_queries 30
  counter mysql_global_status_slow_queries 0.1
  counter mysql_global_status_commands_total{command="select"} 20
  counter mysql_global_status_commands_total{command="insert"} 5
  gauge mysql_global_status_buffer_pool_pages{state="data"} 600
  gauge mysql_global_status_buffer_pool_pages{state="free"} 7400
  gauge mysql_global_variables_innodb_buffer_pool_size 131072000
  gauge mysql_global_status_innodb_page_size 16384
  counter mysql_global_status_innodb_buffer_pool_reads 1
  counter mysql_global_status_innodb_buffer_pool_read_requests 100
  counter mysql_global_status_bytes_received 3000
  counter mysql_global_status_bytes_sent 9000
  counter mysql_global_status_handlers_total{handler="read_first"} 50
  counter mysql_global_status_innodb_row_lock_waits 0.1
  counter mysql_global_status_table_locks_waited 0.1
  gauge mysql_slave_status_seconds_behind_master{master_host="db1",master_uuid="",channel_name="",connection_name=""} 1
`;

const DB = 'datid="16384",datname="shop"';
const POSTGRESQL = `
  gauge pg_up 1
  gauge pg_settings_max_connections 100
  gauge pg_database_size_bytes{datname="shop"} 8e7
  gauge pg_stat_activity_count{datname="shop",state="active",usename="app",application_name="web",backend_type="client backend",wait_event="",wait_event_type=""} 3
  gauge pg_stat_activity_count{datname="shop",state="idle",usename="app",application_name="web",backend_type="client backend",wait_event="",wait_event_type=""} 9
  gauge pg_stat_activity_max_tx_duration{datname="shop",state="active",usename="app",application_name="web",backend_type="client backend",wait_event="",wait_event_type=""} 0.4
  counter pg_stat_database_xact_commit{${DB}} 40
  counter pg_stat_database_xact_rollback{${DB}} 1
  counter pg_stat_database_blks_hit{${DB}} 900
  counter pg_stat_database_blks_read{${DB}} 10
  counter pg_stat_database_tup_fetched{${DB}} 500
  counter pg_stat_database_tup_inserted{${DB}} 20
  counter pg_stat_database_tup_updated{${DB}} 10
  counter pg_stat_database_tup_deleted{${DB}} 2
  counter pg_stat_database_deadlocks{${DB}} 0.01
  counter pg_stat_database_conflicts{${DB}} 0.01
  gauge pg_locks_count{datname="shop",mode="accesssharelock"} 4
  gauge pg_replication_lag_seconds 0
`;

const REDIS = `
  gauge redis_up 1
  gauge redis_uptime_in_seconds 5000
  gauge redis_connected_clients 4
  gauge redis_memory_used_bytes 3e6
  gauge redis_memory_used_rss_bytes 5e6
  gauge redis_memory_max_bytes 1e8
  counter redis_commands_processed_total 60
  counter redis_commands_total{cmd="get"} 40
  counter redis_commands_total{cmd="set"} 20
  counter redis_commands_duration_seconds_total{cmd="get"} 0.01
  counter redis_commands_duration_seconds_total{cmd="set"} 0.01
  counter redis_keyspace_hits_total 30
  counter redis_keyspace_misses_total 10
  gauge redis_db_keys{db="db0"} 900
  gauge redis_db_keys_expiring{db="db0"} 90
  counter redis_expired_keys_total 1
  counter redis_evicted_keys_total 0.1
  counter redis_net_input_bytes_total 4000
  counter redis_net_output_bytes_total 9000
`;

/** HAProxy's own exporter. */
const HAPROXY = `
  gauge haproxy_process_uptime_seconds 5000
  gauge haproxy_frontend_current_sessions{proxy="web"} 5
  counter haproxy_frontend_http_requests_total{proxy="web"} 20
  counter haproxy_frontend_http_responses_total{proxy="web",code="2xx"} 19
  counter haproxy_frontend_http_responses_total{proxy="web",code="5xx"} 1
  counter haproxy_frontend_bytes_in_total{proxy="web"} 2000
  counter haproxy_frontend_bytes_out_total{proxy="web"} 9000
  gauge haproxy_backend_current_sessions{proxy="app"} 4
  gauge haproxy_backend_current_queue{proxy="app"} 0
  gauge haproxy_backend_response_time_average_seconds{proxy="app"} 0.02
  counter haproxy_backend_connection_errors_total{proxy="app"} 0.1
  counter haproxy_backend_response_errors_total{proxy="app"} 0.1
  gauge haproxy_server_up{proxy="app",server="s1"} 1
`;

const NGINX = `
  gauge nginx_up 1
  gauge nginx_connections_active 5
  gauge nginx_connections_reading 1
  gauge nginx_connections_writing 2
  gauge nginx_connections_waiting 2
  counter nginx_connections_accepted 3
  counter nginx_connections_handled 3
  counter nginx_http_requests_total 30
`;

const KAFKA = `
  gauge kafka_brokers 3
  gauge kafka_topic_partitions{topic="orders"} 2
  gauge kafka_topic_partition_under_replicated_partition{topic="orders",partition="0"} 0
  counter kafka_topic_partition_current_offset{topic="orders",partition="0"} 12
  counter kafka_consumergroup_current_offset{consumergroup="billing",topic="orders",partition="0"} 11
  gauge kafka_consumergroup_lag{consumergroup="billing",topic="orders",partition="0"} 4
`;

const NODE =
  'cluster="logs",host="10.0.0.1",name="es-1",es_data_node="true",es_ingest_node="true",es_master_node="true",es_client_node="true"';
const ELASTICSEARCH = `
  gauge elasticsearch_cluster_health_status{cluster="logs",color="green"} 1
  gauge elasticsearch_cluster_health_status{cluster="logs",color="yellow"} 0
  gauge elasticsearch_cluster_health_status{cluster="logs",color="red"} 0
  gauge elasticsearch_cluster_health_number_of_nodes{cluster="logs"} 3
  gauge elasticsearch_cluster_health_unassigned_shards{cluster="logs"} 0
  gauge elasticsearch_cluster_health_number_of_pending_tasks{cluster="logs"} 0
  gauge elasticsearch_indices_docs{${NODE}} 90000
  gauge elasticsearch_indices_store_size_bytes{${NODE}} 5e8
  counter elasticsearch_indices_indexing_index_total{${NODE}} 30
  counter elasticsearch_indices_search_query_total{${NODE}} 10
  counter elasticsearch_indices_search_query_time_seconds{${NODE}} 0.2
  gauge elasticsearch_jvm_memory_used_bytes{${NODE},area="heap"} 4e8
  gauge elasticsearch_jvm_memory_max_bytes{${NODE},area="heap"} 1e9
  counter elasticsearch_jvm_gc_collection_seconds_sum{${NODE},gc="young"} 0.01
  gauge elasticsearch_filesystem_data_available_bytes{${NODE},mount="/",path="/data"} 5e10
  gauge elasticsearch_filesystem_data_size_bytes{${NODE},mount="/",path="/data"} 1e11
`;

const CLICKHOUSE = `
  gauge ClickHouseMetrics_Query 2
  gauge ClickHouseMetrics_MemoryTracking 4e8
  gauge ClickHouseMetrics_TCPConnection 3
  gauge ClickHouseMetrics_HTTPConnection 1
  gauge ClickHouseMetrics_Merge 1
  gauge ClickHouseMetrics_PartMutation 0
  gauge ClickHouseMetrics_QueryThread 4
  gauge ClickHouseMetrics_GlobalThread 200
  gauge ClickHouseAsyncMetrics_Uptime 5000
  gauge ClickHouseAsyncMetrics_MaxPartCountForPartition 12
  gauge ClickHouseAsyncMetrics_ReplicasMaxQueueSize 0
  counter ClickHouseProfileEvents_Query 20
  counter ClickHouseProfileEvents_SelectQuery 15
  counter ClickHouseProfileEvents_InsertQuery 5
  counter ClickHouseProfileEvents_FailedQuery 0.1
  counter ClickHouseProfileEvents_InsertedRows 900
  counter ClickHouseProfileEvents_ReadCompressedBytes 9000
  counter ClickHouseProfileEvents_WriteBufferFromFileDescriptorWriteBytes 4000
`;

/** By the uid of the dashboard that shows them. */
export const EXPORTERS: Readonly<Record<string, string>> = {
  kubernetes: KUBERNETES,
  containers: CONTAINERS,
  'ingress-nginx': INGRESS_NGINX,
  istio: ISTIO,
  linkerd: LINKERD,
  mysql: MYSQL,
  postgresql: POSTGRESQL,
  redis: REDIS,
  haproxy: HAPROXY,
  nginx: NGINX,
  kafka: KAFKA,
  elasticsearch: ELASTICSEARCH,
  clickhouse: CLICKHOUSE,
};
