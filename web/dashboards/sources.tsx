// The data sources that dashboards ask beside this server: made, tried, changed and deleted. Secrets are written, never shown.

import {
  Button,
  Checkbox,
  Group,
  Modal,
  NumberInput,
  PasswordInput,
  Select,
  Stack,
  TagsInput,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { EditableSource } from '../../src/view/sources/probe.ts';
import type { PublicSource, SourceKind } from '../../src/view/sources/source.ts';
import type { SourceTls } from '../../src/view/sources/tls.ts';
import { toUid } from '../../src/view/uid.ts';
import { get, plain, VIEW } from '../base/api.ts';
import { type TextKey, useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';
import { Empty, Failure, Loaded, Page, State } from '../shell/parts.tsx';
import { useSources } from './entries.ts';
import { TlsFields } from './source-tls.tsx';

type Kind = {
  readonly name: string;
  readonly url: string;
  readonly database?: TextKey;
  readonly allow?: TextKey;
  readonly isHttp: boolean;
};

const KINDS: Readonly<Record<SourceKind, Kind>> = {
  prometheus: { name: 'Prometheus', url: 'http://prometheus:9090', isHttp: true },
  mysql: { name: 'MySQL / MariaDB', url: 'db:3306', database: 'Database', allow: 'Tables', isHttp: false },
  postgres: { name: 'PostgreSQL', url: 'db:5432', database: 'Database', allow: 'Tables', isHttp: false },
  clickhouse: {
    name: 'ClickHouse',
    url: 'http://clickhouse:8123',
    database: 'Database',
    allow: 'Tables',
    isHttp: true,
  },
  elasticsearch: {
    name: 'Elasticsearch',
    url: 'http://search:9200',
    database: 'Index',
    allow: 'Indexes',
    isHttp: true,
  },
  json: { name: 'JSON', url: 'https://api.example.com', allow: 'Paths', isHttp: true },
};

type Draft = Omit<EditableSource, 'timeoutMs' | 'scrapeMs' | 'tls'> & {
  readonly password?: string;
  readonly timeoutMs?: number;
  readonly scrapeMs?: number;
  readonly tls?: SourceTls;
};

// biome-ignore lint/suspicious/noTemplateCurlyInString: it is what a user writes
const FROM_ENVIRONMENT = '${NAME}';
const NEW: Draft = { uid: '', name: '', kind: 'prometheus', url: '', hasPassword: false, hasKey: false };
const address = (uid: string): string => `${VIEW}/sources/${encodeURIComponent(uid)}`;

export function SourcesPage() {
  const t = useText();
  const client = useQueryClient();
  const sources = useSources();
  const [editing, setEditing] = useState<string | undefined>();
  const reload = () => client.invalidateQueries({ queryKey: ['sources'] });
  const remove = useMutation({
    mutationFn: (uid: string) => plain(address(uid), { method: 'DELETE' }),
    onSuccess: reload,
  });
  return (
    <Page
      title={t('Data sources')}
      side={
        <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setEditing('')}>
          {t('New data source')}
        </Button>
      }
    >
      {remove.error && <Failure error={remove.error} what={t('The data source could not be deleted')} />}
      <Loaded of={sources} what={t('The data sources could not be loaded')}>
        {(list) => (
          <>
            {list.map((one) => (
              <SourceRow
                key={one.uid}
                source={one}
                onEdit={() => setEditing(one.uid)}
                onDelete={() => window.confirm(t('Delete {title}', { title: one.name })) && remove.mutate(one.uid)}
              />
            ))}
            {list.length === 1 && (
              <Empty title={t('Only this server so far')}>
                {t(
                  'Dashboards can also draw from other Prometheus servers, SQL databases, Elasticsearch and any JSON.',
                )}
              </Empty>
            )}
          </>
        )}
      </Loaded>
      <Modal
        opened={editing !== undefined}
        onClose={() => setEditing(undefined)}
        size="lg"
        title={editing ? t('Edit data source') : t('New data source')}
        closeButtonProps={{ 'aria-label': t('Close') }}
      >
        {editing === '' && <SourceForm given={NEW} onDone={() => setEditing(undefined)} />}
        {editing && <KeptSource key={editing} uid={editing} onDone={() => setEditing(undefined)} />}
      </Modal>
    </Page>
  );
}

function SourceRow({ source, onEdit, onDelete }: { source: PublicSource; onEdit: () => void; onDelete: () => void }) {
  const t = useText();
  return (
    <section className="surface" style={{ padding: '11px 14px', marginBottom: 10 }} aria-label={source.name}>
      <Group gap="sm">
        <Text fw={620}>{source.name}</Text>
        <Text size="sm" c="dimmed">
          {source.builtIn ? t('this server') : KINDS[source.kind].name}
        </Text>
        {source.isDefault && <State tone="good">{t('Default')}</State>}
        {!source.builtIn && (
          <Group gap={6} ml="auto">
            <Button size="compact-sm" variant="default" onClick={onEdit}>
              {t('Edit')}
            </Button>
            <Button size="compact-sm" variant="default" onClick={onDelete}>
              {t('Delete')}
            </Button>
          </Group>
        )}
      </Group>
    </section>
  );
}

function KeptSource({ uid, onDone }: { uid: string; onDone: () => void }) {
  const t = useText();
  const answer = useQuery({
    queryKey: ['source', uid],
    gcTime: 0,
    queryFn: ({ signal }) => get<EditableSource>(address(uid), undefined, signal),
  });
  return (
    <Loaded of={answer} what={t('The data source could not be loaded')}>
      {(source) => <SourceForm given={source} onDone={onDone} />}
    </Loaded>
  );
}

/** `name: value` per line. */
const headerLines = (headers: EditableSource['headers']): string =>
  Object.entries(headers ?? {})
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n');

function headersOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split('\n')
      .map((line) => /^\s*([\w-]+)\s*:\s*(.*?)\s*$/.exec(line))
      .filter((match) => match !== null)
      .map((match) => [match[1]!, match[2]!]),
  );
}

function SourceForm({ given, onDone }: { given: Draft; onDone: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const [draft, setDraft] = useState(given);
  const [headers, setHeaders] = useState(() => headerLines(given.headers));
  const kind = KINDS[draft.kind];
  const uid = given.uid || toUid(draft.name);
  const set = (change: Partial<Draft>) => setDraft({ ...draft, ...change });
  const body = () => {
    const { hasPassword: _, hasKey: __, uid: ___, headers: ____, ...rest } = draft;
    return { ...rest, ...(kind.isHttp && headers.trim() ? { headers: headersOf(headers) } : {}) };
  };
  const attempt = useMutation({
    mutationFn: () => plain<{ data: { tookMs: number } }>(`${address(uid)}/test`, { method: 'POST', body: body() }),
  });
  const save = useMutation({
    mutationFn: () => plain(address(uid), { method: 'PUT', body: body() }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['sources'] });
      onDone();
    },
  });
  const sources = useSources();
  const isTaken = given.uid === '' && (sources.data ?? []).some((one) => one.uid === uid);
  const ready = draft.name.trim() !== '' && draft.url.trim() !== '' && !isTaken;
  return (
    <Stack gap="sm">
      <Group grow align="flex-start">
        <TextInput
          label={t('Name')}
          value={draft.name}
          error={isTaken ? t('There is a data source of this name') : undefined}
          onChange={(e) => set({ name: e.currentTarget.value })}
          required
        />
        <Select
          label={t('Kind')}
          allowDeselect={false}
          data={Object.entries(KINDS).map(([value, { name }]) => ({ value, label: name }))}
          value={draft.kind}
          onChange={(value) => value && set({ kind: value as SourceKind })}
        />
      </Group>
      <TextInput
        label={t('Address')}
        placeholder={kind.url}
        value={draft.url}
        onChange={(e) => set({ url: e.currentTarget.value.trim() })}
        required
      />
      <Group grow align="flex-start">
        <TextInput
          label={t('User')}
          autoComplete="off"
          value={draft.user ?? ''}
          onChange={(e) => set({ user: e.currentTarget.value })}
        />
        <PasswordInput
          label={kind.isHttp && !draft.user ? t('Token') : t('Password')}
          autoComplete="new-password"
          placeholder={given.hasPassword ? t('kept as it is') : ''}
          value={draft.password ?? ''}
          visibilityToggleButtonProps={{ 'aria-label': t('Show what is typed') }}
          onChange={(e) => {
            const { password: _, ...rest } = draft;
            const typed = e.currentTarget.value;
            setDraft(typed === '' ? rest : { ...rest, password: typed });
          }}
        />
      </Group>
      <Text size="xs" c="dimmed">
        {t('Never shown again, and never sent to a browser. {form} takes it from the environment of the server.', {
          form: FROM_ENVIRONMENT,
        })}
      </Text>
      {(kind.database || kind.allow) && (
        <Group grow align="flex-start">
          {kind.database && (
            <TextInput
              label={t(kind.database)}
              value={draft.database ?? ''}
              onChange={(e) => set({ database: e.currentTarget.value })}
            />
          )}
          {kind.allow && (
            <TagsInput
              label={t('{things} that may be read', { things: t(kind.allow) })}
              placeholder={(draft.allow ?? []).length === 0 ? t('all') : ''}
              value={[...(draft.allow ?? [])]}
              onChange={(allow) => {
                const { allow: _, ...rest } = draft;
                setDraft(allow.length === 0 ? rest : { ...rest, allow });
              }}
            />
          )}
        </Group>
      )}
      {kind.isHttp && (
        <Textarea
          label={t('Headers')}
          description={t('One per line; a value that is left empty stays as it is.')}
          placeholder="X-Scope-OrgID: team"
          autosize
          minRows={1}
          value={headers}
          onChange={(e) => setHeaders(e.currentTarget.value)}
        />
      )}
      {(!kind.isHttp || draft.url.startsWith('https:')) && (
        <TlsFields
          tls={draft.tls}
          isHttp={kind.isHttp}
          hasKey={given.hasKey}
          onChange={(tls) => {
            const { tls: _, ...rest } = draft;
            setDraft(tls ? { ...rest, tls } : rest);
          }}
        />
      )}
      <Group align="flex-end">
        {draft.kind === 'prometheus' && (
          <NumberInput
            label={t('Scrape interval (seconds)')}
            placeholder="15"
            min={1}
            w={180}
            value={draft.scrapeMs === undefined ? '' : draft.scrapeMs / 1000}
            onChange={(value) => {
              const { scrapeMs: _, ...rest } = draft;
              setDraft(typeof value === 'number' ? { ...rest, scrapeMs: value * 1000 } : rest);
            }}
          />
        )}
        <NumberInput
          label={t('Time limit (seconds)')}
          placeholder="30"
          min={1}
          max={600}
          w={180}
          value={draft.timeoutMs === undefined ? '' : draft.timeoutMs / 1000}
          onChange={(value) => {
            const { timeoutMs: _, ...rest } = draft;
            setDraft(typeof value === 'number' ? { ...rest, timeoutMs: value * 1000 } : rest);
          }}
        />
        <Checkbox
          mb={8}
          label={t('Default of its kind')}
          checked={draft.isDefault ?? false}
          onChange={(e) => set({ isDefault: e.currentTarget.checked })}
        />
      </Group>
      {attempt.error && <Failure error={attempt.error} what={t('The data source does not answer as it should')} />}
      {save.error && <Failure error={save.error} what={t('The data source could not be saved')} />}
      <Group justify="flex-end">
        {attempt.data && (
          <span role="status">
            <State tone="good">{t('It answers, in {n} ms', { n: Math.round(attempt.data.data.tookMs) })}</State>
          </span>
        )}
        <Button variant="default" disabled={!ready} loading={attempt.isPending} onClick={() => attempt.mutate()}>
          {t('Test')}
        </Button>
        <Button disabled={!ready} loading={save.isPending} onClick={() => save.mutate()}>
          {t('Save')}
        </Button>
      </Group>
    </Stack>
  );
}
