// Why an alert is there: the parts of its rule's expression with the series and values of this very alert.

import { Anchor, SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { get } from '../base/api.ts';
import { type LabelSet, seriesName } from '../base/prom.ts';
import { Link } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { exploreLink } from '../explore/state.ts';
import { Loaded } from '../shell/parts.tsx';
import { matcherForLabels } from './types.ts';

type Part = {
  readonly expression: string;
  readonly role: 'result' | 'operand' | 'selector';
  /** Series that belong to the alert, of `total`. */
  readonly related: number;
  readonly total: number;
  readonly series: readonly { readonly metric: LabelSet; readonly value: string }[];
  readonly error?: string;
};
type Explained = {
  readonly alerts: readonly { readonly alert: { labels: LabelSet }; readonly parts: readonly Part[] }[];
};

export function Explanation({ labels }: { labels: LabelSet }) {
  const t = useText();
  const wanted = JSON.stringify(Object.entries(labels).sort());
  const [moment, setMoment] = useState<'now' | 'fired'>('now');
  const answer = useQuery({
    queryKey: ['explain-alert', wanted, moment],
    queryFn: async ({ signal }) => {
      const found = await get<Explained>(
        '/api/v1/alerts/explain',
        { 'match[]': `{${matcherForLabels(labels)}}`, ...(moment === 'fired' ? { time: 'fired' } : {}) },
        signal,
      );
      // A matcher finds alerts with further labels too; this one has exactly these.
      return (
        found.alerts.find(({ alert }) => JSON.stringify(Object.entries(alert.labels).sort()) === wanted)?.parts ?? []
      );
    },
  });
  const roles = { result: t('The result'), operand: t('A side of it'), selector: t('The series behind it') } as const;
  return (
    <>
      <SegmentedControl
        size="xs"
        mb={6}
        aria-label={t('Values of which moment')}
        value={moment}
        onChange={(value) => setMoment(value as typeof moment)}
        data={[
          { value: 'now', label: t('Now') },
          { value: 'fired', label: t('When it fired') },
        ]}
      />
      <Loaded of={answer} what={t('The alert could not be explained')}>
        {(parts) =>
          parts.length === 0 ? (
            <span className="dim">{t('It is no longer there.')}</span>
          ) : (
            <table className="data" aria-label={t('Why this alert')}>
              <tbody>
                {parts.map((part) => (
                  <tr key={part.expression + part.role}>
                    <td style={{ whiteSpace: 'nowrap', verticalAlign: 'top' }} className="dim">
                      {roles[part.role]}
                    </td>
                    <td className="wrap">
                      <Anchor component={Link} to={exploreLink([part.expression])} size="sm" className="mono">
                        {part.expression}
                      </Anchor>
                      {part.error && <div style={{ color: 'var(--bad)' }}>{part.error}</div>}
                      {part.series.map(({ metric, value }) => (
                        <div key={seriesName(metric)} className="mono" style={{ display: 'flex', gap: 14 }}>
                          <span className="wrap" style={{ flex: 1 }}>
                            {seriesName(metric)}
                          </span>
                          <b>{value}</b>
                        </div>
                      ))}
                      {part.total > part.series.length && (
                        <div className="dim">
                          {t('{shown} of {total} series', { shown: part.series.length, total: part.total })}
                        </div>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )
        }
      </Loaded>
    </>
  );
}
