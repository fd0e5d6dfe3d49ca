// The notifications that Alertmanager sent or failed to send, the latest first.

import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ALERTMANAGER, plain } from '../base/api.ts';
import type { LabelSet } from '../base/prom.ts';
import { useText } from '../base/text.ts';
import { formatInstant } from '../base/time.ts';
import { SearchField, useFilter } from '../operations/targets.tsx';
import { Empty, Labels, Page, State } from '../shell/parts.tsx';
import { Table } from '../shell/table.tsx';

type Entry = {
  readonly at: string;
  readonly receiver: string;
  readonly integration: string;
  readonly reason: string;
  readonly ok: boolean;
  readonly message: string;
  readonly alerts: readonly { readonly fingerprint: string; readonly labels: LabelSet; readonly resolved: boolean }[];
};

/** The page of an alertmanager alone, which evaluates no rules and so knows only what it sent. */
export function NotificationsPage() {
  const t = useText();
  const { text } = useFilter();
  return (
    <Page title={t('History')} side={<SearchField />}>
      <Notifications
        search={text}
        empty={
          <div className="surface">
            <Empty title={t('Nothing was sent yet')}>
              {t('Every notification is listed here once it was sent or could not be sent.')}
            </Empty>
          </div>
        }
      />
    </Page>
  );
}

export function Notifications({ search, empty = null }: { search: string; empty?: ReactNode }) {
  const t = useText();
  const answer = useQuery({
    queryKey: ['am-history', search],
    queryFn: ({ signal }) =>
      plain<readonly Entry[]>(`${ALERTMANAGER}/history`, {
        params: { search: search || undefined, limit: 200 },
        signal,
      }),
    retry: false,
    refetchInterval: 15_000,
  });
  // An Alertmanager of another make keeps no history; then there is nothing to show.
  if (!answer.data || answer.data.length === 0) return answer.isLoading ? null : empty;
  return (
    <>
      <Text component="h2" fw={650} fz={16} mt={18} mb={8}>
        {t('Notifications')}
      </Text>
      <div className="surface scroll">
        <Table head={[t('Time'), t('Receiver'), t('State'), t('Alerts')]}>
          {answer.data.map((entry) => (
            <tr key={`${entry.at}${entry.receiver}${entry.integration}`}>
              <td style={{ whiteSpace: 'nowrap' }}>{formatInstant(Date.parse(entry.at))}</td>
              <td>
                {entry.receiver} <span className="dim">{entry.integration}</span>
              </td>
              <td>
                <State tone={entry.ok ? 'good' : 'bad'}>{entry.ok ? t('Sent') : t('Failed')}</State>
                <Text size="xs" c="dimmed" className="wrap">
                  {entry.reason} {entry.message}
                </Text>
              </td>
              <td>
                {entry.alerts.slice(0, 5).map((alert) => (
                  <div key={alert.fingerprint}>
                    {alert.resolved && <State tone="good">{t('Resolved')}</State>} <Labels labels={alert.labels} />
                  </div>
                ))}
              </td>
            </tr>
          ))}
        </Table>
      </div>
    </>
  );
}
