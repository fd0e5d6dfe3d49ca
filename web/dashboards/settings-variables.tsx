// The variables of a dashboard in its settings: what each is called, where its values come from, how they are offered.

import { Button, Checkbox, Group, Select, TextInput } from '@mantine/core';
import type { Variable, VariableKind } from '../../src/view/model.ts';
import { localized, type TextKey, useText } from '../base/text.ts';
import { Section } from './settings-section.tsx';
import { SourceSelect } from './source-select.tsx';

const KINDS: Readonly<Record<VariableKind, { readonly text: TextKey; readonly asks: TextKey; readonly hint: string }>> =
  {
    query: { text: 'Query', asks: 'Query', hint: 'label_values(up, instance)' },
    custom: { text: 'Fixed list', asks: 'Values, with commas between', hint: 'one, two, shown as : value' },
    interval: { text: 'Intervals', asks: 'Values, with commas between', hint: '1m,5m,1h' },
    textbox: { text: 'Free text', asks: 'Value at first', hint: '' },
    constant: { text: 'Constant', asks: 'Value', hint: '' },
    source: { text: 'Data source', asks: 'Kind', hint: 'prometheus' },
    adhoc: { text: 'Filters', asks: 'Filters', hint: '' },
  };
const SORTS: Readonly<Record<NonNullable<Variable['sort']>, TextKey>> = {
  none: 'As they come',
  asc: 'By name',
  desc: 'By name, backwards',
  'numeric-asc': 'By number',
  'numeric-desc': 'By number, backwards',
};
const HIDES: Readonly<Record<NonNullable<Variable['hide']>, TextKey>> = {
  no: 'Shown with its label',
  label: 'Shown without label',
  variable: 'Hidden',
};
const REFRESHES: Readonly<Record<NonNullable<Variable['refresh']>, TextKey>> = {
  load: 'When the dashboard opens',
  range: 'When the range changes',
  never: 'Never',
};

type Props = { readonly variables: readonly Variable[]; readonly onChange: (variables: Variable[]) => void };

export function VariableSettings({ variables, onChange }: Props) {
  const t = useText();
  return (
    <>
      {variables.map((variable, index) => (
        <Section
          key={index}
          title={variable.name}
          list={variables}
          index={index}
          onChange={(next) => onChange([...next])}
        >
          <VariableFields
            variable={variable}
            onChange={(next) => onChange(variables.map((one, i) => (i === index ? next : one)))}
          />
        </Section>
      ))}
      <Button
        variant="default"
        size="compact-sm"
        w="fit-content"
        onClick={() => onChange([...variables, { name: `var${variables.length + 1}`, kind: 'query', query: '' }])}
      >
        {t('Add variable')}
      </Button>
    </>
  );
}

function VariableFields({ variable, onChange }: { variable: Variable; onChange: (variable: Variable) => void }) {
  const t = useText();
  const set = (change: Partial<Variable>) => onChange({ ...variable, ...change });
  const kind = KINDS[variable.kind];
  const hasList = ['query', 'custom', 'interval', 'source'].includes(variable.kind);
  const choice = <K extends string>(texts: Readonly<Record<K, TextKey>>) =>
    (Object.keys(texts) as K[]).map((value) => ({ value, label: t(texts[value]) }));
  return (
    <>
      <Group grow align="flex-end">
        <TextInput
          size="xs"
          label={t('Name')}
          value={variable.name}
          error={/^\w+$/.test(variable.name) ? undefined : t('Letters, digits and _ only')}
          onChange={(e) => set({ name: e.currentTarget.value })}
        />
        <TextInput
          size="xs"
          label={t('Label')}
          value={localized(variable.label)}
          onChange={(e) => set({ label: e.currentTarget.value })}
        />
        <Select
          size="xs"
          label={t('Type')}
          allowDeselect={false}
          data={(Object.keys(KINDS) as VariableKind[]).map((value) => ({ value, label: t(KINDS[value].text) }))}
          value={variable.kind}
          onChange={(value) => value && set({ kind: value as VariableKind })}
        />
      </Group>
      {variable.kind !== 'adhoc' && (
        <TextInput
          size="xs"
          mt={6}
          label={t(kind.asks)}
          placeholder={kind.hint}
          value={variable.query}
          onChange={(e) => set({ query: e.currentTarget.value })}
        />
      )}
      {(variable.kind === 'query' || variable.kind === 'adhoc') && (
        <Group grow mt={6} align="flex-end">
          <SourceSelect label={t('Data source')} value={variable.source} onChange={(source) => set({ source })} />
          {variable.kind === 'query' && (
            <Select
              size="xs"
              label={t('Values are looked up')}
              allowDeselect={false}
              data={choice(REFRESHES)}
              value={variable.refresh ?? 'load'}
              onChange={(value) => value && set({ refresh: value as NonNullable<Variable['refresh']> })}
            />
          )}
        </Group>
      )}
      <Group grow mt={6} align="flex-end">
        {variable.kind === 'query' && (
          <TextInput
            size="xs"
            label={t('Regular expression that takes a part')}
            placeholder="/(.*):\d+/"
            value={variable.regex ?? ''}
            onChange={(e) => set({ regex: e.currentTarget.value })}
          />
        )}
        {hasList && (
          <Select
            size="xs"
            label={t('Order')}
            allowDeselect={false}
            data={choice(SORTS)}
            value={variable.sort ?? 'none'}
            onChange={(value) => value && set({ sort: value as NonNullable<Variable['sort']> })}
          />
        )}
        <Select
          size="xs"
          label={t('On the dashboard')}
          allowDeselect={false}
          data={choice(HIDES)}
          value={variable.hide ?? 'no'}
          onChange={(value) => value && set({ hide: value as NonNullable<Variable['hide']> })}
        />
      </Group>
      {hasList && (
        <Group mt={8} align="flex-end">
          <Checkbox
            size="xs"
            label={t('Several values')}
            checked={variable.multi ?? false}
            onChange={(e) => set({ multi: e.currentTarget.checked })}
          />
          <Checkbox
            size="xs"
            label={t('Offer “All”')}
            checked={variable.all ?? false}
            onChange={(e) => set({ all: e.currentTarget.checked })}
          />
          {variable.all && (
            <TextInput
              size="xs"
              label={t('What “All” stands for')}
              placeholder=".*"
              value={variable.allValue ?? ''}
              onChange={(e) => set({ allValue: e.currentTarget.value })}
            />
          )}
        </Group>
      )}
    </>
  );
}
