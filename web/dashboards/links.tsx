// The links of a dashboard beside its title: to addresses, with variables filled in, and to dashboards with some tags; with
// the range and the variables of this one if they say so.

import { Group } from '@mantine/core';
import { interpolate, type Scope } from '../../src/view/interpolate.ts';
import type { Dashboard, Link as DashboardLink } from '../../src/view/model.ts';
import { hrefOf, Link, useLocation } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import type { Range } from '../base/time.ts';
import { useEntries } from './entries.ts';

const MAX_LINKS = 20;

export function DashboardLinks({ dashboard, scope, range }: { dashboard: Dashboard; scope: Scope; range: Range }) {
  const t = useText();
  const { query } = useLocation();
  const links = dashboard.links ?? [];
  const entries = useEntries();
  if (links.length === 0) return null;
  const carried = (link: DashboardLink, to: string): string => {
    const taken = new URLSearchParams();
    if (link.keepTime) for (const [name, value] of Object.entries(range)) taken.set(name, value);
    if (link.keepVariables) for (const [name, value] of query) if (name.startsWith('var-')) taken.append(name, value);
    const text = taken.toString();
    return text === '' ? to : `${to}${to.includes('?') ? '&' : '?'}${text}`;
  };
  const shown = links.flatMap((link, index) => {
    const make = (title: string, to: string) => ({ key: `${index} ${to}`, title, to: carried(link, to), link });
    if (link.tags)
      return (entries.data ?? [])
        .filter((entry) => entry.uid !== dashboard.uid && link.tags!.some((tag) => entry.tags.includes(tag)))
        .map((entry) => make(localized(entry.title), `/d/${entry.uid}`));
    const to = link.dashboard ? `/d/${link.dashboard}` : interpolate(link.url ?? '', scope);
    return /^(https?:|\/|\?|#)/.test(to) ? [make(interpolate(localized(link.title), scope) || to, to)] : [];
  });
  return (
    <Group gap={6} component="nav" aria-label={t('Links')}>
      {shown.slice(0, MAX_LINKS).map(({ key, title, to, link }) =>
        to.startsWith('/') && !link.newTab ? (
          <Link key={key} to={to} className="chip chip-link">
            {title}
          </Link>
        ) : (
          <a
            key={key}
            href={hrefOf(to)}
            className="chip chip-link"
            {...(link.newTab ? { target: '_blank' } : {})}
            rel="noreferrer"
          >
            {title}
          </a>
        ),
      )}
    </Group>
  );
}
