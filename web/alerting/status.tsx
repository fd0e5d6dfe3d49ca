// What an alertmanager says of itself: version, cluster, and the configuration in force.

import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { ALERTMANAGER, plain } from '../base/api.ts';
import { useText } from '../base/text.ts';
import { Facts, factsOf, YamlLine } from '../operations/facts.tsx';
import { Loaded, Page } from '../shell/parts.tsx';

type AmStatus = {
  readonly versionInfo: Readonly<Record<string, unknown>>;
  readonly uptime: string;
  readonly cluster: Readonly<Record<string, unknown>>;
  readonly config: { readonly original: string };
};

export const useAlertmanagerStatus = () =>
  useQuery({
    queryKey: ['am-status'],
    queryFn: ({ signal }) => plain<AmStatus>(`${ALERTMANAGER}/status`, { signal }),
    retry: false,
  });

export const statusFacts = ({ uptime, versionInfo, cluster }: AmStatus) =>
  factsOf({ 'running since': uptime, ...versionInfo, cluster });

export function AlertmanagerStatusPage() {
  const t = useText();
  const answer = useAlertmanagerStatus();
  return (
    <Page title={t('Status')}>
      <Loaded of={answer} what={t('The status could not be loaded')}>
        {(status) => (
          <>
            <Facts rows={statusFacts(status)} />
            <Text component="h2" fw={650} fz={16} mt={18} mb={8}>
              {t('Configuration')}
            </Text>
            <pre className="code surface" tabIndex={0} role="region" aria-label={t('Configuration')}>
              {status.config.original.split('\n').map((line, index) => (
                <div key={index}>
                  <YamlLine line={line} />
                </div>
              ))}
            </pre>
          </>
        )}
      </Loaded>
    </Page>
  );
}
