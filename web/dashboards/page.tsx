// The pages of one dashboard: the home page (this host, live), any dashboard by its uid, and a new one; with editing,
// saving, versions and snapshots.

import { ActionIcon, Alert, Button, Group, Menu, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useState } from 'react';
import type { Dashboard, Panel } from '../../src/view/model.ts';
import { SCHEMA } from '../../src/view/model.ts';
import { get, plain, VIEW } from '../base/api.ts';
import { Link, linkTo, navigate, useLocation } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import { formatInstant } from '../base/time.ts';
import { Icon } from '../shell/icons.tsx';
import { Empty, Failure, Loaded, Page, Waiting } from '../shell/parts.tsx';
import { type Loaded as Stored, useEntries, useSources, useStoredDashboard } from './entries.ts';
import { downloadText } from './export.ts';
import { FolderSelect } from './folders.tsx';
import { addPanel } from './layout.ts';
import { NoteForm } from './note-form.tsx';
import { takeSnapshot } from './snapshot.ts';
import { DashboardView, EditBar } from './view.tsx';

const PanelEditor = lazy(async () => ({ default: (await import('./editor.tsx')).PanelEditor }));
const SettingsEditor = lazy(async () => ({ default: (await import('./settings.tsx')).SettingsEditor }));

// Nearly every dashboard draws series: their code comes along while the dashboard itself is asked for.
void import('./panels/series.tsx');

/** What a first visit shows. */
const HOME_UID = 'host';
/** What it shows where no host is measured. */
const OWN_UID = 'pharos';

export function HomePage() {
  const t = useText();
  const entries = useEntries();
  const measured = useQuery({
    queryKey: ['has-host'],
    retry: false,
    staleTime: 60_000,
    queryFn: async ({ signal }) =>
      (await get<readonly unknown[]>('/api/v1/series', { 'match[]': 'node_uname_info', limit: 1 }, signal)).length > 0,
  });
  if (entries.data && !entries.data.some((entry) => entry.uid === HOME_UID)) {
    return (
      <Page title={t('Home')}>
        <div className="surface">
          <Empty title={t('This server ships no dashboard of its host')}>
            <Link to="/query">{t('Explore')}</Link>
          </Empty>
        </div>
      </Page>
    );
  }
  if (measured.isLoading) return <Waiting />;
  return <StoredDashboard uid={measured.data === false ? OWN_UID : HOME_UID} />;
}

export function DashboardPage() {
  const { path } = useLocation();
  const uid = decodeURIComponent(path.split('/')[2] ?? '');
  if (uid === 'new') return <NewDashboard />;
  return <StoredDashboard key={uid} uid={uid} />;
}

function StoredDashboard({ uid }: { uid: string }) {
  const t = useText();
  const stored = useStoredDashboard(uid);
  return stored.data ? (
    <Editable stored={stored.data} />
  ) : stored.error ? (
    <Page title={t('Dashboard')}>
      <Failure error={stored.error} what={t('The dashboard could not be loaded')} retry={() => stored.refetch()} />
      <Button mt="md" variant="default" component="a" {...linkTo('/dashboards')}>
        {t('All dashboards')}
      </Button>
    </Page>
  ) : (
    <Waiting />
  );
}

function NewDashboard() {
  const t = useText();
  const [uid] = useState(() => `d-${Math.floor(performance.timeOrigin + performance.now()).toString(36)}`);
  const empty: Dashboard = {
    schema: SCHEMA,
    uid,
    title: t('New dashboard'),
    time: { from: 'now-1h', to: 'now' },
    panels: [],
  };
  return (
    <Editable
      stored={{ dashboard: empty, meta: { version: 0, updatedAt: 0, message: '', origin: 'saved', folder: '' } }}
      isNew
    />
  );
}

function Editable({ stored, isNew = false }: { stored: Stored; isNew?: boolean }) {
  const t = useText();
  const client = useQueryClient();
  const sources = useSources();
  const { path } = useLocation();
  const [draft, setDraft] = useState<Dashboard | undefined>(isNew ? stored.dashboard : undefined);
  const [panel, setPanel] = useState<Panel | undefined>();
  const [dialog, setDialog] = useState<'save' | 'settings' | 'versions' | 'note' | undefined>();
  const [message, setMessage] = useState('');
  const [folder, setFolder] = useState(stored.meta.folder);
  const [snapshotError, setSnapshotError] = useState<unknown>();
  const shown = draft ?? stored.dashboard;
  const save = useMutation({
    mutationFn: () =>
      plain(`${VIEW}/dashboards/${encodeURIComponent(shown.uid)}`, {
        method: 'PUT',
        body: {
          dashboard: shown,
          ...(stored.meta.origin === 'saved' && !isNew ? { version: stored.meta.version } : {}),
          message,
          folder,
        },
      }),
    onSuccess: async () => {
      setDialog(undefined);
      setMessage('');
      await client.invalidateQueries({ queryKey: ['dashboard', shown.uid] });
      await client.invalidateQueries({ queryKey: ['dashboards'] });
      setDraft(undefined);
      if (isNew) navigate(`/d/${shown.uid}`);
    },
  });
  const add = (type: Panel['type']) => {
    const next = addPanel(
      shown,
      { type, title: type === 'row' ? t('New row') : t('New panel'), queries: [] },
      type === 'row' ? { w: 24, h: 1 } : { w: 12, h: 8 },
    );
    setDraft(next);
    if (type !== 'row') setPanel(next.panels.at(-1));
  };
  const snapshot = async () => {
    try {
      downloadText(
        `${shown.uid}.snapshot.json`,
        JSON.stringify(await takeSnapshot(shown, sources.data ?? [], new URLSearchParams(location.search))),
        'application/json',
      );
    } catch (error) {
      setSnapshotError(error);
    }
  };
  return (
    <>
      <DashboardView
        dashboard={shown}
        onChange={draft ? setDraft : undefined}
        onEditPanel={
          draft
            ? setPanel
            : (one) => {
                setDraft(stored.dashboard);
                setPanel(one);
              }
        }
        title={
          <h1>
            {path !== '/' && (
              <>
                <Link
                  to="/dashboards"
                  style={{ color: 'var(--mantine-color-dimmed)', textDecoration: 'none', fontWeight: 500 }}
                >
                  {t('Dashboards')}
                </Link>
                <span className="dim"> / </span>
              </>
            )}
            {localized(shown.title)}
          </h1>
        }
        toolbar={
          draft ? (
            <Group gap={6}>
              <Button
                variant="default"
                h={34}
                leftSection={<Icon name="settings" size={15} />}
                onClick={() => setDialog('settings')}
              >
                {t('Settings')}
              </Button>
              <EditBar
                onAdd={add}
                onCancel={() => (isNew ? navigate('/dashboards') : setDraft(undefined))}
                onSave={() => setDialog('save')}
                busy={save.isPending}
              />
            </Group>
          ) : (
            <Menu position="bottom-end" shadow="lg">
              <Menu.Target>
                <ActionIcon variant="default" size={34} aria-label={t('Dashboard menu')}>
                  <Icon name="dots" />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item leftSection={<Icon name="edit" size={15} />} onClick={() => setDraft(stored.dashboard)}>
                  {t('Edit')}
                </Menu.Item>
                <Menu.Item leftSection={<Icon name="flag" size={15} />} onClick={() => setDialog('note')}>
                  {t('Leave an annotation')}
                </Menu.Item>
                <Menu.Item leftSection={<Icon name="history" size={15} />} onClick={() => setDialog('versions')}>
                  {t('Versions')}
                </Menu.Item>
                <Menu.Item
                  leftSection={<Icon name="download" size={15} />}
                  onClick={() => downloadText(`${shown.uid}.json`, JSON.stringify(shown, null, 2), 'application/json')}
                >
                  {t('Download as JSON')}
                </Menu.Item>
                <Menu.Item leftSection={<Icon name="camera" size={15} />} onClick={snapshot}>
                  {t('Snapshot with data')}
                </Menu.Item>
                <Menu.Item leftSection={<Icon name="dashboards" size={15} />} component="a" {...linkTo('/dashboards')}>
                  {t('All dashboards')}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )
        }
      />
      {snapshotError !== undefined && <Failure error={snapshotError} what={t('The snapshot could not be taken')} />}
      {panel && draft && (
        <Suspense fallback={null}>
          <PanelEditor
            key={panel.id}
            panel={panel}
            dashboard={draft}
            onDone={(next) => {
              setDraft(next);
              setPanel(undefined);
            }}
            onClose={() => setPanel(undefined)}
          />
        </Suspense>
      )}
      {dialog === 'settings' && draft && (
        <Suspense fallback={null}>
          <SettingsEditor
            dashboard={draft}
            onDone={(next) => {
              setDraft(next);
              setDialog(undefined);
            }}
            onClose={() => setDialog(undefined)}
          />
        </Suspense>
      )}
      <Modal
        opened={dialog === 'save'}
        onClose={() => setDialog(undefined)}
        title={t('Save dashboard')}
        closeButtonProps={{ 'aria-label': t('Close') }}
      >
        <Stack>
          {isNew && (
            <TextInput
              label={t('Title')}
              value={localized(shown.title)}
              onChange={(e) => setDraft({ ...shown, title: e.currentTarget.value })}
            />
          )}
          <TextInput
            label={t('What was changed (optional)')}
            value={message}
            onChange={(e) => setMessage(e.currentTarget.value)}
          />
          <FolderSelect value={folder} onChange={setFolder} />
          {stored.meta.origin !== 'saved' && (
            <Alert color="blue" variant="default">
              {t(
                'This dashboard ships with the server. Your copy is saved under the same name; deleting it brings the original back.',
              )}
            </Alert>
          )}
          {save.error && <Failure error={save.error} what={t('The dashboard could not be saved')} />}
          <Button onClick={() => save.mutate()} loading={save.isPending}>
            {t('Save')}
          </Button>
        </Stack>
      </Modal>
      {dialog === 'note' && <NoteForm dashboard={shown.uid} onClose={() => setDialog(undefined)} />}
      <Modal
        opened={dialog === 'versions'}
        onClose={() => setDialog(undefined)}
        title={t('Versions')}
        size="lg"
        closeButtonProps={{ 'aria-label': t('Close') }}
      >
        {dialog === 'versions' && (
          <Versions
            uid={shown.uid}
            onRestore={(dashboard) => {
              setDraft(dashboard);
              setDialog(undefined);
            }}
          />
        )}
      </Modal>
    </>
  );
}

type VersionEntry = { readonly version: number; readonly updatedAt: number; readonly message: string };

function Versions({ uid, onRestore }: { uid: string; onRestore: (dashboard: Dashboard) => void }) {
  const t = useText();
  const list = useQuery({
    queryKey: ['versions', uid],
    queryFn: ({ signal }) =>
      get<readonly VersionEntry[]>(`${VIEW}/dashboards/${encodeURIComponent(uid)}/versions`, undefined, signal),
  });
  const restore = useMutation({
    mutationFn: (version: number) => get<Stored>(`${VIEW}/dashboards/${encodeURIComponent(uid)}/versions/${version}`),
    onSuccess: (found) => onRestore(found.dashboard),
  });
  return (
    <Loaded of={list}>
      {(versions) => (
        <>
          {versions.length === 0 && (
            <Empty title={t('Nothing was saved yet')}>
              {t('Versions appear here once the dashboard is changed and saved.')}
            </Empty>
          )}
          {restore.error && <Failure error={restore.error} />}
          {versions.map((one) => (
            <Group key={one.version} justify="space-between" py={6}>
              <Text size="sm">
                {t('Version {n}', { n: one.version })} · {formatInstant(one.updatedAt)}{' '}
                {one.message && `· ${one.message}`}
              </Text>
              <Button size="compact-sm" variant="default" onClick={() => restore.mutate(one.version)}>
                {t('Look at it')}
              </Button>
            </Group>
          ))}
        </>
      )}
    </Loaded>
  );
}
