// What is said of a rule wherever it is shown, and the list of rules that the pages ask for.

import { Anchor, Group, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { get } from '../base/api.ts';
import { Link } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { formatDuration } from '../base/time.ts';
import { exploreLink } from '../explore/state.ts';
import { Labels } from '../shell/parts.tsx';
import type { Rule, RuleGroup } from './types.ts';

export function useRules() {
  return useQuery({
    queryKey: ['rules'],
    queryFn: async ({ signal }) =>
      (await get<{ groups: readonly RuleGroup[] }>('/api/v1/rules', undefined, signal)).groups,
    refetchInterval: 5000,
  });
}

export function RuleFacts({ rule }: { rule: Rule }) {
  const t = useText();
  return (
    <>
      <pre
        className="code"
        style={{ padding: '8px 12px', background: 'var(--surface-2)', borderRadius: 8, whiteSpace: 'pre-wrap' }}
      >
        {rule.query}
      </pre>
      <Group gap="md" mt={6}>
        <Anchor component={Link} to={exploreLink([rule.query])} size="sm">
          {t('Open in Explore')}
        </Anchor>
        {(rule.duration ?? 0) > 0 && (
          <Text size="sm" c="dimmed">
            {t('fires after {time}', { time: formatDuration(rule.duration! * 1000) })}
          </Text>
        )}
        {(rule.keepFiringFor ?? 0) > 0 && (
          <Text size="sm" c="dimmed">
            {t('keeps firing for {time}', { time: formatDuration(rule.keepFiringFor! * 1000) })}
          </Text>
        )}
        {rule.labels && Object.keys(rule.labels).length > 0 && <Labels labels={rule.labels} />}
      </Group>
      {rule.neverMatched && (
        <Text size="sm" style={{ color: 'var(--warn)' }} className="wrap" mt={4}>
          {t('Never matched a series: {selectors}', { selectors: rule.neverMatched.join(', ') })}
        </Text>
      )}
      {rule.lastError && (
        <Text size="sm" style={{ color: 'var(--bad)' }} className="wrap" mt={4}>
          {rule.lastError}
        </Text>
      )}
    </>
  );
}
