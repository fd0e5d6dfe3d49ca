// nginx under nginx-prometheus-exporter's names, from its stub_status page.

import { httpText, type SourceKind } from '../source.ts';

const STATUS =
  /Active connections:\s+(\d+)\s+server accepts handled requests\s+(\d+)\s+(\d+)\s+(\d+)\s+Reading:\s+(\d+)\s+Writing:\s+(\d+)\s+Waiting:\s+(\d+)/;

export const nginxKind: SourceKind = {
  up: 'nginx_up',
  create: (source, environment) => ({
    close: async () => {},
    async read(page, signal) {
      const match = STATUS.exec(await httpText(source, '', environment, signal));
      if (!match) throw new Error('the page is no stub_status');
      const [active, accepted, handled, requests, reading, writing, waiting] = match.slice(1).map(Number) as number[];
      page.gauge('nginx_connections_active', 'Connections of clients.', active!);
      page.counter('nginx_connections_accepted', 'Connections accepted.', accepted!);
      page.counter('nginx_connections_handled', 'Connections handled.', handled!);
      page.gauge('nginx_connections_reading', 'Connections whose request is being read.', reading!);
      page.gauge('nginx_connections_writing', 'Connections being answered.', writing!);
      page.gauge('nginx_connections_waiting', 'Idle connections.', waiting!);
      page.counter('nginx_http_requests_total', 'Requests.', requests!);
    },
  }),
};
