// What concerns a dashboard as a whole: title, tags, range, refresh, variables; everything else as JSON.

import {
  ActionIcon,
  Button,
  Checkbox,
  Drawer,
  Group,
  Select,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useState } from 'react';
import { type Dashboard, readDashboard, type Variable, type VariableKind } from '../../src/view/model.ts';
import { localized, useText } from '../base/text.ts';
import { CodeField } from '../shell/code-field.tsx';
import { Icon } from '../shell/icons.tsx';
import { Failure } from '../shell/parts.tsx';

const KINDS: readonly VariableKind[] = ['query', 'custom', 'interval', 'textbox', 'constant', 'source', 'adhoc'];

export function SettingsEditor({
  dashboard: given,
  onDone,
  onClose,
}: {
  dashboard: Dashboard;
  onDone: (dashboard: Dashboard) => void;
  onClose: () => void;
}) {
  const t = useText();
  const [dashboard, setDashboard] = useState(given);
  const [json, setJson] = useState<string | undefined>();
  const [error, setError] = useState<unknown>();
  const variables = dashboard.variables ?? [];
  const set = (index: number, change: Partial<Variable>) =>
    setDashboard({ ...dashboard, variables: variables.map((one, i) => (i === index ? { ...one, ...change } : one)) });
  const apply = () => {
    try {
      onDone(readDashboard(json === undefined ? dashboard : JSON.parse(json)));
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      title={t('Settings')}
      closeButtonProps={{ 'aria-label': t('Close') }}
    >
      <Stack gap="sm">
        {json === undefined ? (
          <>
            <TextInput
              label={t('Title')}
              value={localized(dashboard.title)}
              onChange={(e) => setDashboard({ ...dashboard, title: e.currentTarget.value })}
            />
            <Textarea
              label={t('Description')}
              value={localized(dashboard.description)}
              onChange={(e) => setDashboard({ ...dashboard, description: e.currentTarget.value })}
            />
            <TagsInput
              label={t('Tags')}
              value={[...(dashboard.tags ?? [])]}
              onChange={(tags) => setDashboard({ ...dashboard, tags })}
            />
            <Group grow>
              <TextInput
                label={t('From')}
                value={dashboard.time?.from ?? 'now-1h'}
                onChange={(e) =>
                  setDashboard({ ...dashboard, time: { from: e.currentTarget.value, to: dashboard.time?.to ?? 'now' } })
                }
              />
              <TextInput
                label={t('To')}
                value={dashboard.time?.to ?? 'now'}
                onChange={(e) =>
                  setDashboard({
                    ...dashboard,
                    time: { from: dashboard.time?.from ?? 'now-1h', to: e.currentTarget.value },
                  })
                }
              />
              <TextInput
                label={t('Refresh every')}
                placeholder="30s"
                value={dashboard.refresh ?? ''}
                onChange={(e) => setDashboard({ ...dashboard, refresh: e.currentTarget.value })}
              />
            </Group>
            <Text fw={600}>{t('Variables')}</Text>
            {variables.map((variable, index) => (
              <div key={index} className="surface" style={{ padding: 10 }}>
                <Group grow align="flex-end">
                  <TextInput
                    size="xs"
                    label={t('Name')}
                    value={variable.name}
                    onChange={(e) => set(index, { name: e.currentTarget.value })}
                  />
                  <TextInput
                    size="xs"
                    label={t('Label')}
                    value={localized(variable.label)}
                    onChange={(e) => set(index, { label: e.currentTarget.value })}
                  />
                  <Select
                    size="xs"
                    label={t('Type')}
                    allowDeselect={false}
                    data={[...KINDS]}
                    value={variable.kind}
                    onChange={(kind) => kind && set(index, { kind: kind as VariableKind })}
                  />
                </Group>
                <TextInput
                  size="xs"
                  mt={6}
                  label={t('Query')}
                  placeholder="label_values(up, instance)"
                  value={variable.query}
                  onChange={(e) => set(index, { query: e.currentTarget.value })}
                />
                <Group mt={6}>
                  <Checkbox
                    size="xs"
                    label={t('Several values')}
                    checked={variable.multi ?? false}
                    onChange={(e) => set(index, { multi: e.currentTarget.checked })}
                  />
                  <Checkbox
                    size="xs"
                    label={t('Offer “All”')}
                    checked={variable.all ?? false}
                    onChange={(e) => set(index, { all: e.currentTarget.checked })}
                  />
                  <span style={{ flex: 1 }} />
                  <ActionIcon
                    variant="subtle"
                    color="gray"
                    aria-label={t('Remove')}
                    onClick={() => setDashboard({ ...dashboard, variables: variables.filter((_, i) => i !== index) })}
                  >
                    <Icon name="trash" size={16} />
                  </ActionIcon>
                </Group>
              </div>
            ))}
            <Button
              variant="default"
              size="compact-sm"
              w="fit-content"
              onClick={() =>
                setDashboard({
                  ...dashboard,
                  variables: [...variables, { name: `var${variables.length + 1}`, kind: 'query', query: '' }],
                })
              }
            >
              {t('Add variable')}
            </Button>
            <Button
              variant="subtle"
              size="compact-sm"
              w="fit-content"
              onClick={() => setJson(JSON.stringify(dashboard, null, 2))}
            >
              {t('Edit all as JSON')}
            </Button>
          </>
        ) : (
          <CodeField label="JSON" value={json} onChange={setJson} minRows={20} maxRows={40} />
        )}
        {error !== undefined && <Failure error={error} what={t('The settings are not right yet')} />}
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t('Cancel')}
          </Button>
          <Button onClick={apply}>{t('Apply')}</Button>
        </Group>
      </Stack>
    </Drawer>
  );
}
