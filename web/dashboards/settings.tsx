// What concerns a dashboard as a whole: title, tags, range, refresh, variables, annotations and
// links; and all of it as JSON.

import { Button, Drawer, Group, Stack, TagsInput, Text, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { type Dashboard, readDashboard } from '../../src/view/model.ts';
import { localized, useText } from '../base/text.ts';
import { CodeField } from '../shell/code-field.tsx';
import { Failure } from '../shell/parts.tsx';
import { AnnotationSettings, LinkSettings } from './settings-marks.tsx';
import { VariableSettings } from './settings-variables.tsx';

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
            <VariableSettings
              variables={dashboard.variables ?? []}
              onChange={(variables) => setDashboard({ ...dashboard, variables })}
            />
            <Text fw={600}>{t('Annotations')}</Text>
            <AnnotationSettings
              annotations={dashboard.annotations ?? []}
              onChange={(annotations) => setDashboard({ ...dashboard, annotations })}
            />
            <Text fw={600}>{t('Links')}</Text>
            <LinkSettings links={dashboard.links ?? []} onChange={(links) => setDashboard({ ...dashboard, links })} />
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
