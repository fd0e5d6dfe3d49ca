// Versions of the rules that are kept through the API: what each change did, and a way back to any of them.

import { Button, Group, Select, Text } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { get, plain } from '../base/api.ts';
import { type DiffLine, diffLines } from '../base/diff.ts';
import { changeQuery, linkTo, useLocation } from '../base/router.tsx';
import { useText } from '../base/text.ts';
import { Empty, Failure, Loaded, Page, State } from '../shell/parts.tsx';
import { storedGroups } from './stored-rules.ts';

type Version = { readonly version: number; readonly text: string };

const PATH = '/api/v1/rules/versions';
const address = (namespace: string): string => `${PATH}/${encodeURIComponent(namespace)}`;

export function RuleVersionsPage() {
  const t = useText();
  const { query } = useLocation();
  const stored = useQuery({
    queryKey: ['stored-rules'],
    retry: false,
    queryFn: ({ signal }) => storedGroups(signal),
  });
  const namespaces = [...new Set((stored.data ?? []).map((group) => group.namespace))].sort();
  const given = query.get('namespace');
  const namespace = given ?? namespaces[0];
  return (
    <Page
      title={t('Versions of rules')}
      side={
        <Group gap="xs">
          {namespaces.length > 1 && (
            <Select
              aria-label={t('Namespace')}
              allowDeselect={false}
              data={namespaces.includes(namespace ?? '') || !namespace ? namespaces : [...namespaces, namespace]}
              value={namespace ?? null}
              onChange={(value) => value && changeQuery({ namespace: value, version: undefined, against: undefined })}
            />
          )}
          <Button variant="default" component="a" {...linkTo('/rules')}>
            {t('Rules')}
          </Button>
        </Group>
      }
    >
      <Loaded of={stored} what={t('The rules could not be loaded')}>
        {() =>
          namespace === undefined ? (
            <div className="surface">
              <Empty title={t('No rules are kept by this server')}>
                {t('Rules made on the page Rules or through the API have versions; those of files have not.')}
              </Empty>
            </div>
          ) : (
            <Versions key={namespace} namespace={namespace} />
          )
        }
      </Loaded>
    </Page>
  );
}

function Versions({ namespace }: { namespace: string }) {
  const t = useText();
  const { query } = useLocation();
  const client = useQueryClient();
  const answer = useQuery({
    queryKey: ['rule-versions', namespace],
    queryFn: async ({ signal }) =>
      (await get<{ versions: readonly Version[] }>(address(namespace), undefined, signal)).versions,
  });
  const restore = useMutation({
    mutationFn: (version: number) => plain(`${address(namespace)}/${version}`, { method: 'POST' }),
    onSuccess: async () => {
      for (const key of ['rule-versions', 'stored-rules', 'rules']) await client.invalidateQueries({ queryKey: [key] });
      changeQuery({ version: undefined, against: undefined });
    },
  });
  return (
    <Loaded of={answer} what={t('The versions could not be loaded')}>
      {(versions) => {
        const shown = versions.find((one) => String(one.version) === query.get('version')) ?? versions[0];
        if (!shown) return <Empty title={t('Nothing was saved yet')} />;
        const at = versions.indexOf(shown);
        const against = versions.find((one) => String(one.version) === query.get('against')) ?? versions[at + 1];
        const lines = diffLines(against?.text ?? '', shown.text);
        return (
          <div className="split">
            <nav className="surface" aria-label={t('Versions')} style={{ padding: 8 }}>
              {versions.map((one) => (
                <button
                  key={one.version}
                  type="button"
                  className="item"
                  aria-current={one === shown ? 'page' : undefined}
                  onClick={() => changeQuery({ version: String(one.version), against: undefined })}
                >
                  {t('Version {n}', { n: one.version })}
                  {one === versions[0] && <State tone="good">{t('in force')}</State>}
                </button>
              ))}
            </nav>
            <section className="surface" aria-label={t('Version {n}', { n: shown.version })}>
              <Group p="10px 14px" gap="sm">
                <Text component="h2" fw={650} m={0} fz={16}>
                  {namespace} · {t('Version {n}', { n: shown.version })}
                </Text>
                <Select
                  size="xs"
                  aria-label={t('Compared with')}
                  placeholder={t('Compared with nothing')}
                  data={versions
                    .filter((one) => one !== shown)
                    .map((one) => ({
                      value: String(one.version),
                      label: t('compared with version {n}', { n: one.version }),
                    }))}
                  value={against ? String(against.version) : null}
                  onChange={(value) => changeQuery({ version: String(shown.version), against: value ?? '' })}
                />
                {shown !== versions[0] && (
                  <Button
                    size="compact-sm"
                    loading={restore.isPending}
                    onClick={() =>
                      window.confirm(t('Put version {n} in force again?', { n: shown.version })) &&
                      restore.mutate(shown.version)
                    }
                  >
                    {t('Restore')}
                  </Button>
                )}
              </Group>
              {restore.error && <Failure error={restore.error} what={t('The version could not be restored')} />}
              <Difference lines={lines} />
            </section>
          </div>
        );
      }}
    </Loaded>
  );
}

const SIGNS = { same: ' ', added: '+', removed: '-' } as const;

function Difference({ lines }: { lines: readonly DiffLine[] }) {
  const t = useText();
  if (lines.length === 0)
    return <Empty title={t('This version has no rules')}>{t('All groups were deleted with it.')}</Empty>;
  return (
    <pre className="diff" tabIndex={0} role="region" aria-label={t('What changed')}>
      {lines.map((line, index) => (
        <span key={index} data-kind={line.kind}>
          {`${SIGNS[line.kind]} ${line.text}\n`}
        </span>
      ))}
    </pre>
  );
}
