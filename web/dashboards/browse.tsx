// All dashboards: search by words and tags, a new one, import of files (Pharos', Grafana's, snapshots) with the list of what
// could not be taken over.

import { ActionIcon, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { type Imported, importDashboard } from '../../src/view/grafana/import.ts';
import { plain, VIEW } from '../base/api.ts';
import { changeQuery, Link, linkTo, navigate, useLocation } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import { formatInstant } from '../base/time.ts';
import { SearchField, useFilter } from '../operations/targets.tsx';
import { CodeField } from '../shell/code-field.tsx';
import { Icon } from '../shell/icons.tsx';
import { Empty, Failure, Loaded, Page, State } from '../shell/parts.tsx';
import { type Entry, type FolderEntry, useEntries, useFolders } from './entries.ts';
import { folderPath, MoveDialog, NewFolder, RemoveFolder } from './folders.tsx';
import { isSnapshot, type Snapshot } from './snapshot.ts';
import { DashboardView } from './view.tsx';

export function BrowsePage() {
  const t = useText();
  const { query } = useLocation();
  const { matches } = useFilter();
  const client = useQueryClient();
  const entries = useEntries();
  const folders = useFolders();
  const [importing, setImporting] = useState(false);
  const [making, setMaking] = useState(false);
  const [moving, setMoving] = useState<Entry | undefined>();
  const [snapshot, setSnapshot] = useState<Snapshot | undefined>();
  const tag = query.get('tag') ?? '';
  const tags = useMemo(() => [...new Set((entries.data ?? []).flatMap((entry) => entry.tags))].sort(), [entries.data]);
  const shown = (entries.data ?? []).filter(
    (entry) =>
      (tag === '' || entry.tags.includes(tag)) &&
      matches(`${localized(entry.title, 'en')} ${localized(entry.title, 'zh')} ${entry.uid} ${entry.tags.join(' ')}`),
  );
  const isSearching = tag !== '' || (query.get('search') ?? '') !== '';
  const sections = [
    { folder: undefined, inside: shown.filter((entry) => !folderOf(entry, folders.data ?? [])) },
    ...(folders.data ?? []).map((folder) => ({ folder, inside: shown.filter((entry) => entry.folder === folder.uid) })),
  ].filter(({ folder, inside }) => inside.length > 0 || (folder !== undefined && !isSearching));
  const remove = useMutation({
    mutationFn: (uid: string) => plain(`${VIEW}/dashboards/${encodeURIComponent(uid)}`, { method: 'DELETE' }),
    onSuccess: async (_, uid) => {
      await client.invalidateQueries({ queryKey: ['dashboards'] });
      await client.invalidateQueries({ queryKey: ['dashboard', uid] });
    },
  });
  if (snapshot) {
    return (
      <DashboardView
        dashboard={snapshot.dashboard}
        data={snapshot.data}
        marks={snapshot.marks ?? []}
        toolbar={
          <Group gap={6}>
            <State tone="warn">{t('Snapshot of {time}', { time: formatInstant(snapshot.takenAt) })}</State>
            <Button variant="default" h={34} onClick={() => setSnapshot(undefined)}>
              {t('Close')}
            </Button>
          </Group>
        }
      />
    );
  }
  return (
    <Page
      title={t('Dashboards')}
      side={
        <Group gap="xs">
          <SearchField />
          <Button variant="default" leftSection={<Icon name="upload" size={16} />} onClick={() => setImporting(true)}>
            {t('Import')}
          </Button>
          <Button variant="default" leftSection={<Icon name="folder" size={16} />} onClick={() => setMaking(true)}>
            {t('New folder')}
          </Button>
          <Button component="a" leftSection={<Icon name="plus" size={16} />} {...linkTo('/d/new')}>
            {t('New dashboard')}
          </Button>
        </Group>
      }
    >
      <Group gap={6} mb="md">
        {tags.map((one) => (
          <button
            type="button"
            key={one}
            className="chip"
            aria-pressed={one === tag}
            style={{
              cursor: 'pointer',
              fontFamily: 'inherit',
              ...(one === tag ? { borderColor: 'var(--mantine-color-anchor)', background: 'var(--info-soft)' } : {}),
            }}
            onClick={() => changeQuery({ tag: one === tag ? '' : one })}
          >
            {one}
          </button>
        ))}
      </Group>
      {remove.error && <Failure error={remove.error} what={t('The dashboard could not be deleted')} />}
      <Loaded of={entries} what={t('The dashboards could not be loaded')}>
        {() => (
          <>
            {sections.map(({ folder, inside }) => (
              <section key={folder?.uid ?? ''} aria-label={folder ? folderPath(folder, folders.data ?? []) : undefined}>
                {folder && (
                  <Group gap={8} mt="lg" mb={8}>
                    <Icon name="folder" size={17} />
                    <h2 style={{ margin: 0, fontSize: 16 }}>{folderPath(folder, folders.data ?? [])}</h2>
                    {folder.readOnly ? (
                      <Text size="xs" c="dimmed">
                        {t('Provisioned')}
                      </Text>
                    ) : (
                      <RemoveFolder folder={folder} count={inside.length} />
                    )}
                  </Group>
                )}
                <div className="cards" style={{ gridTemplateColumns: 'repeat(auto-fill, minmax(270px, 1fr))' }}>
                  {inside.map((entry) => (
                    <EntryCard
                      key={entry.uid}
                      entry={entry}
                      onMove={() => setMoving(entry)}
                      onDelete={() => remove.mutate(entry.uid)}
                    />
                  ))}
                </div>
                {inside.length === 0 && (
                  <Text size="sm" c="dimmed">
                    {t('Nothing in it yet: move a dashboard here, or save one into it.')}
                  </Text>
                )}
              </section>
            ))}
            {shown.length === 0 && (
              <Empty title={t('No dashboard matches')}>
                {t('Change the search or the tag, import one, or make a new one.')}
              </Empty>
            )}
          </>
        )}
      </Loaded>
      {making && <NewFolder onClose={() => setMaking(false)} />}
      {moving && <MoveDialog entry={moving} onClose={() => setMoving(undefined)} />}
      <Modal
        opened={importing}
        onClose={() => setImporting(false)}
        size="xl"
        title={t('Import a dashboard')}
        closeButtonProps={{ 'aria-label': t('Close') }}
      >
        {importing && (
          <ImportForm
            onSnapshot={(found) => {
              setImporting(false);
              setSnapshot(found);
            }}
          />
        )}
      </Modal>
    </Page>
  );
}

const folderOf = (entry: Entry, folders: readonly FolderEntry[]): FolderEntry | undefined =>
  folders.find((one) => one.uid === entry.folder);

function EntryCard({ entry, onMove, onDelete }: { entry: Entry; onMove: () => void; onDelete: () => void }) {
  const t = useText();
  return (
    <div style={{ position: 'relative' }}>
      <Link to={`/d/${entry.uid}`} className="surface entry">
        <Text fw={620}>{localized(entry.title)}</Text>
        <Text size="xs" c="dimmed" mt={2}>
          {entry.origin === 'saved'
            ? `${t('Version {n}', { n: entry.version })} · ${formatInstant(entry.updatedAt)}`
            : entry.origin === 'shipped'
              ? t('Ships with the server')
              : t('Provisioned')}
        </Text>
        <span className="labels" style={{ marginTop: 6 }}>
          {entry.tags.map((one) => (
            <span key={one} className="chip" style={{ fontFamily: 'inherit' }}>
              {one}
            </span>
          ))}
        </span>
      </Link>
      {entry.origin === 'saved' && (
        <Group gap={0} style={{ position: 'absolute', right: 8, top: 8 }}>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t('Move {title}', { title: localized(entry.title) })}
            onClick={onMove}
          >
            <Icon name="folder" size={16} />
          </ActionIcon>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t('Delete {title}', { title: localized(entry.title) })}
            onClick={() => window.confirm(t('Delete {title}', { title: localized(entry.title) })) && onDelete()}
          >
            <Icon name="trash" size={16} />
          </ActionIcon>
        </Group>
      )}
    </div>
  );
}

function ImportForm({ onSnapshot }: { onSnapshot: (snapshot: Snapshot) => void }) {
  const t = useText();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [error, setError] = useState<unknown>();
  const [found, setFound] = useState<Imported | undefined>();
  const read = (content: string) => {
    setText(content);
    setFound(undefined);
    setError(undefined);
    if (content.trim() === '') return;
    try {
      const value: unknown = JSON.parse(content);
      if (isSnapshot(value)) onSnapshot(value);
      else setFound(importDashboard(value));
    } catch (caught) {
      setError(caught);
    }
  };
  const save = useMutation({
    mutationFn: (imported: Imported) =>
      plain(`${VIEW}/dashboards/${encodeURIComponent(imported.dashboard.uid)}`, {
        method: 'PUT',
        body: { dashboard: imported.dashboard, message: 'imported' },
      }),
    onSuccess: async (_, imported) => {
      await client.invalidateQueries({ queryKey: ['dashboards'] });
      await client.invalidateQueries({ queryKey: ['dashboard', imported.dashboard.uid] });
      navigate(`/d/${imported.dashboard.uid}`);
    },
  });
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        {t('A file or the JSON of a dashboard: of Pharos, of Grafana (classic, V1, V2), or a snapshot.')}
      </Text>
      <input
        type="file"
        accept=".json,application/json"
        aria-label={t('File')}
        onChange={async (event) => {
          const file = event.currentTarget.files?.[0];
          if (file) read(await file.text());
        }}
      />
      <CodeField label={t('JSON of the dashboard')} value={text} onChange={read} minRows={6} maxRows={14} />
      {error !== undefined && <Failure error={error} what={t('This is not a dashboard that can be read')} />}
      {found && (
        <div className="surface" style={{ padding: 12 }}>
          <Text fw={600}>
            {localized(found.dashboard.title)} · {t('{n} panels', { n: found.dashboard.panels.length })}
          </Text>
          {found.problems.length === 0 ? (
            <Text size="sm" style={{ color: 'var(--good)' }}>
              {t('Everything can be taken over.')}
            </Text>
          ) : (
            <>
              <Text size="sm" style={{ color: 'var(--warn)' }}>
                {t('{n} things cannot be taken over as they are:', { n: found.problems.length })}
              </Text>
              <ul style={{ margin: '4px 0', maxHeight: 200, overflow: 'auto', fontSize: 13 }}>
                {found.problems.map((problem) => (
                  <li key={problem}>{problem}</li>
                ))}
              </ul>
            </>
          )}
        </div>
      )}
      {save.error && <Failure error={save.error} what={t('The dashboard could not be saved')} />}
      <Button disabled={!found} loading={save.isPending} onClick={() => found && save.mutate(found)}>
        {t('Import')}
      </Button>
    </Stack>
  );
}
