// Ad hoc filters: label, operator and value, chosen from what the source has; they go into every query of the dashboard.

import { ActionIcon, Autocomplete, Button, Group, Popover, Select, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import type { Variable } from '../../src/view/model.ts';
import { get } from '../base/api.ts';
import { changeQuery } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';
import { apiOf, resolveSource } from './context.ts';
import { useSources } from './entries.ts';

export type Filter = { readonly key: string; readonly operator: string; readonly value: string };

const OPERATORS = ['=', '!=', '=~', '!~'] as const;
const MAX_CHOICES = 1000;

/** Filters of an ad hoc variable as the address has them: `key|operator|value`. Undefined when it says nothing of them. */
export function filtersIn(query: URLSearchParams, name: string): Filter[] | undefined {
  if (!query.has(`var-${name}`)) return undefined;
  return query.getAll(`var-${name}`).flatMap((one) => {
    const [key, operator, ...value] = one.split('|');
    return key && operator ? [{ key, operator, value: value.join('|') }] : [];
  });
}

export function FilterField({ variable, filters }: { variable: Variable; filters: readonly Filter[] }) {
  const t = useText();
  const [adding, setAdding] = useState(false);
  const label = localized(variable.label) || (variable.name === 'Filters' ? t('Filters') : variable.name);
  const set = (next: readonly Filter[]) =>
    changeQuery({
      [`var-${variable.name}`]:
        // An empty one says that there is none, where the dashboard has some of its own.
        next.length === 0 ? ['-'] : next.map(({ key, operator, value }) => `${key}|${operator}|${value}`),
    });
  return (
    <div role="group" aria-label={label} style={{ fontSize: 12 }}>
      {variable.hide !== 'label' && <div style={{ fontWeight: 500 }}>{label}</div>}
      <Group gap={6} mih={30}>
        {filters.map((one, index) => (
          <span key={`${one.key}${one.operator}${one.value}`} className="chip">
            <b>{one.key}</b>
            {one.operator}
            {one.value}
            <ActionIcon
              size={16}
              variant="transparent"
              color="gray"
              aria-label={t('Remove filter {name}', { name: one.key })}
              onClick={() => set(filters.filter((_, i) => i !== index))}
            >
              <Icon name="close" size={12} />
            </ActionIcon>
          </span>
        ))}
        <Popover opened={adding} onChange={setAdding} trapFocus position="bottom-start" shadow="lg">
          <Popover.Target>
            <ActionIcon variant="default" aria-label={t('Add filter')} onClick={() => setAdding(!adding)}>
              <Icon name="plus" size={14} />
            </ActionIcon>
          </Popover.Target>
          <Popover.Dropdown>
            <NewFilter
              variable={variable}
              onAdd={(filter) => {
                setAdding(false);
                set([...filters, filter]);
              }}
            />
          </Popover.Dropdown>
        </Popover>
      </Group>
    </div>
  );
}

function NewFilter({ variable, onAdd }: { variable: Variable; onAdd: (filter: Filter) => void }) {
  const t = useText();
  const [draft, setDraft] = useState<Filter>({ key: '', operator: '=', value: '' });
  const source = resolveSource(variable.source, useSources().data ?? [], {});
  const api = source?.kind === 'prometheus' ? apiOf(source) : undefined;
  const names = useChoices(api === undefined ? undefined : `${api}/api/v1/labels`);
  const known = names.includes(draft.key);
  const values = useChoices(
    api === undefined || !known ? undefined : `${api}/api/v1/label/${encodeURIComponent(draft.key)}/values`,
  );
  const set = (change: Partial<Filter>) => setDraft({ ...draft, ...change });
  return (
    <Stack gap="xs" component="form" onSubmit={(event: React.FormEvent) => event.preventDefault()}>
      <Autocomplete
        label={t('Label')}
        size="xs"
        data={names}
        limit={50}
        value={draft.key}
        onChange={(key) => set({ key })}
        comboboxProps={{ withinPortal: false }}
        data-autofocus
      />
      <Select
        label={t('Operator')}
        size="xs"
        allowDeselect={false}
        data={[...OPERATORS]}
        value={draft.operator}
        onChange={(operator) => operator && set({ operator })}
        comboboxProps={{ withinPortal: false }}
      />
      <Autocomplete
        label={t('Value')}
        size="xs"
        data={values}
        limit={50}
        value={draft.value}
        onChange={(value) => set({ value })}
        comboboxProps={{ withinPortal: false }}
      />
      <Button size="xs" type="submit" disabled={draft.key.trim() === ''} onClick={() => onAdd(draft)}>
        {t('Add filter')}
      </Button>
    </Stack>
  );
}

function useChoices(path: string | undefined): string[] {
  const { data } = useQuery({
    queryKey: ['choices', path],
    enabled: path !== undefined,
    staleTime: 60_000,
    queryFn: ({ signal }) => get<string[]>(path!, { limit: MAX_CHOICES }, signal),
  });
  return data ?? [];
}
