// The small parts that every page is made of: page frame, failure, emptiness, loading, labels, states, numbers in cards.

import { Alert, Button, Group, Loader, Text } from '@mantine/core';
import type { UseQueryResult } from '@tanstack/react-query';
import { type ReactNode, useEffect } from 'react';
import type { Absent } from '../base/absent.ts';
import { ApiFailure } from '../base/api.ts';
import { type TextKey, useText } from '../base/text.ts';
import { Icon } from './icons.tsx';

export function Page(props: {
  title: string;
  side?: ReactNode;
  note?: ReactNode;
  children: ReactNode;
  wide?: boolean;
}) {
  useEffect(() => {
    document.title = `${props.title} · ${document.documentElement.dataset.title ?? 'Pharos'}`;
  }, [props.title]);
  return (
    <div className="page" style={props.wide ? { maxWidth: 'none' } : undefined}>
      <header>
        <h1>{props.title}</h1>
        {props.note}
        <div className="spacer" />
        {props.side}
      </header>
      {props.children}
    </div>
  );
}

/** How to get on, by what went wrong. */
function hintFor(error: unknown): TextKey {
  if (!(error instanceof ApiFailure))
    return 'This is a fault of the page. Reload it; if it comes back, report it with the text above.';
  if (error.status === 0)
    return 'The server did not answer. Check that it runs and that the network lets you reach it, then try again.';
  if (error.status === 401 || error.status === 403)
    return 'You are not allowed to do this. Sign in with an account that is, or ask who runs the server.';
  if (error.status === 404)
    return 'This server does not have it: it may run in another role or an older version, or the thing is gone.';
  if (error.status === 422 || error.status === 400)
    return 'The server understood the request and refused it. Change what the message names and try again.';
  if (error.status === 503)
    return 'The server is busy, starting or over a limit. Wait a moment, narrow the range or the query, and try again.';
  return 'The server failed while working on it. Its log says more; trying again may help.';
}

export function Failure({ error, retry, what }: { error: unknown; retry?: () => void; what?: string }) {
  const t = useText();
  const message = error instanceof Error ? error.message : String(error);
  return (
    <Alert
      color="red"
      variant="default"
      role="alert"
      icon={<Icon name="warning" />}
      title={what ?? t('This could not be done')}
      style={{ borderColor: 'var(--bad)' }}
    >
      <Text size="sm" className="mono wrap" style={{ whiteSpace: 'pre-wrap' }}>
        {message}
      </Text>
      {error instanceof ApiFailure && (
        <Text size="xs" c="dimmed" mt={4} className="mono">
          {error.request}
          {error.status > 0 && ` · ${error.status}`} {error.kind !== 'error' && `· ${error.kind}`}
        </Text>
      )}
      <Group mt="xs" gap="sm">
        {retry && (
          <Button size="compact-sm" variant="default" onClick={retry}>
            {t('Try again')}
          </Button>
        )}
        <Text size="sm" c="dimmed">
          {t(hintFor(error))}
        </Text>
      </Group>
    </Alert>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div style={{ padding: '36px 20px', textAlign: 'center' }}>
      <Text fw={600}>{title}</Text>
      {children && (
        <Text size="sm" c="dimmed" mt={4} component="div">
          {children}
        </Text>
      )}
    </div>
  );
}

/** What is missing for an answer, in one sentence. */
export function absentText(t: ReturnType<typeof useText>, { name, selector, why }: Absent): string {
  switch (why) {
    case 'unknown':
      return t('No series is called {name}: is its target scraped, and is the name spelt so?', { name });
    case 'outside':
      return t('{name} has no samples in this range of time; widen it.', { name });
    case 'excluded':
      return name === ''
        ? t('No series matches {selector}.', { selector })
        : t('There is {name}, but no series matches {selector}.', { name, selector });
  }
}

export function Waiting() {
  const t = useText();
  return (
    <div style={{ padding: 40, display: 'grid', placeItems: 'center' }} role="status" aria-label={t('Loading')}>
      <Loader size="sm" />
    </div>
  );
}

/** The three ends of asking: not there yet, failed, there. */
export function Loaded<T>({
  of,
  children,
  what,
}: {
  of: UseQueryResult<T>;
  children: (data: T) => ReactNode;
  what?: string;
}) {
  if (of.data !== undefined) {
    return (
      <>
        {of.error && (
          <div style={{ marginBottom: 12 }}>
            <Failure error={of.error} retry={() => of.refetch()} {...(what ? { what } : {})} />
          </div>
        )}
        {children(of.data)}
      </>
    );
  }
  if (of.error) return <Failure error={of.error} retry={() => of.refetch()} {...(what ? { what } : {})} />;
  return <Waiting />;
}

export type Tone = 'good' | 'warn' | 'bad' | 'plain';

export function State({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className="state" data-tone={tone}>
      {children}
    </span>
  );
}

export function Labels({
  labels,
  without,
  onPick,
}: {
  labels: Readonly<Record<string, string>>;
  without?: readonly string[];
  onPick?: (name: string, value: string) => void;
}) {
  return (
    <span className="labels">
      {Object.entries(labels)
        .filter(([name]) => !without?.includes(name))
        .map(([name, value]) =>
          onPick ? (
            <button
              type="button"
              key={name}
              className="chip"
              style={{ cursor: 'pointer' }}
              onClick={() => onPick(name, value)}
            >
              <b>{name}=</b>
              {value}
            </button>
          ) : (
            <span key={name} className="chip">
              <b>{name}=</b>
              {value}
            </span>
          ),
        )}
    </span>
  );
}

export function Card({ what, value, note }: { what: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className="surface card">
      <div className="what">{what}</div>
      <div className="value">{value}</div>
      {note && <div className="what">{note}</div>}
    </div>
  );
}
