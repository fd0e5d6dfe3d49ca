// The application: navigation beside the page that the address names. Every page is loaded when it is first visited.

import { ActionIcon } from '@mantine/core';
import { type ComponentType, lazy, Suspense, useState } from 'react';
import { ROLE } from './base/role.ts';
import { Link, navigate, useLocation } from './base/router.tsx';
import { useSettings } from './base/settings.ts';
import { useText } from './base/text.ts';
import { Boundary } from './shell/boundary.tsx';
import { Icon, Logo } from './shell/icons.tsx';
import { Navigation } from './shell/navigation.tsx';
import { Empty, Page, Waiting } from './shell/parts.tsx';

const page = <K extends string>(load: () => Promise<Record<K, ComponentType>>, name: K) =>
  lazy(async () => ({ default: (await load())[name] }));

const home = () => import('./dashboards/page.tsx');
const discovery = () => import('./operations/discovery.tsx');
const server = () => import('./operations/server.tsx');
const storage = () => import('./operations/storage.tsx');
const load = () => import('./operations/load.tsx');

type Pages = Readonly<Record<string, ComponentType>>;

const ALERT_GROUPS = page(() => import('./alerting/groups.tsx'), 'GroupsPage');
const SILENCES = page(() => import('./alerting/silences.tsx'), 'SilencesPage');
const ROUTE_TESTER = page(() => import('./alerting/route.tsx'), 'RouteTesterPage');

const SERVER_PAGES: Pages = {
  '/': page(home, 'HomePage'),
  '/d': page(home, 'DashboardPage'),
  '/dashboards': page(() => import('./dashboards/browse.tsx'), 'BrowsePage'),
  '/data-sources': page(() => import('./dashboards/sources.tsx'), 'SourcesPage'),
  '/query': page(() => import('./explore/page.tsx'), 'ExplorePage'),
  '/metric-browser': page(() => import('./explore/metrics.tsx'), 'MetricsPage'),
  '/alerts': page(() => import('./alerting/alerts.tsx'), 'AlertsPage'),
  '/rules': page(() => import('./alerting/rules.tsx'), 'RulesPage'),
  '/rule-versions': page(() => import('./alerting/rule-versions.tsx'), 'RuleVersionsPage'),
  '/alert-groups': ALERT_GROUPS,
  '/silences': SILENCES,
  '/alert-history': page(() => import('./alerting/history.tsx'), 'HistoryPage'),
  '/route-tester': ROUTE_TESTER,
  '/targets': page(() => import('./operations/targets.tsx'), 'TargetsPage'),
  '/service-discovery': page(discovery, 'DiscoveryPage'),
  '/alertmanager-discovery': page(discovery, 'AlertmanagersPage'),
  '/config': page(server, 'ConfigPage'),
  '/flags': page(server, 'FlagsPage'),
  '/status': page(server, 'StatusPage'),
  '/tsdb-status': page(storage, 'StoragePage'),
  '/cardinality': page(storage, 'CardinalityPage'),
  '/queries': page(load, 'QueriesPage'),
  '/push-groups': page(load, 'PushGroupsPage'),
  '/shards': page(load, 'ShardsPage'),
};

/** What an alertmanager alone has. */
const ALERTMANAGER_PAGES: Pages = {
  '/': ALERT_GROUPS,
  '/alert-groups': ALERT_GROUPS,
  '/silences': SILENCES,
  '/alert-history': page(() => import('./alerting/notifications.tsx'), 'NotificationsPage'),
  '/route-tester': ROUTE_TESTER,
  '/status': page(() => import('./alerting/status.tsx'), 'AlertmanagerStatusPage'),
};

const PAGES = ROLE === 'alertmanager' ? ALERTMANAGER_PAGES : SERVER_PAGES;

/** Older and other addresses of the same pages. */
const ALIASES: Readonly<Record<string, string>> = {
  '/graph': '/query',
  '/classic/graph': '/query',
  '/alertmanager': '/alert-groups',
  '/push': '/push-groups',
  '/agent': '/status',
};

function pageFor(path: string): ComponentType | undefined {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
  return PAGES[trimmed] ?? PAGES[ALIASES[trimmed] ?? ''] ?? PAGES[`/${trimmed.split('/')[1]}`];
}

export function App() {
  const t = useText();
  const { path } = useLocation();
  const { navigationFolded } = useSettings();
  const [open, setOpen] = useState(false);
  const Current = pageFor(path) ?? NotFound;
  return (
    <div className="layout" data-folded={navigationFolded}>
      <a href="#content" className="skip">
        {t('Skip to content')}
      </a>
      <Navigation open={open} close={() => setOpen(false)} />
      <div className="main">
        <div className="topbar">
          <ActionIcon variant="subtle" color="gray" aria-label={t('Main navigation')} onClick={() => setOpen(true)}>
            <Icon name="menu" />
          </ActionIcon>
          <Link
            to="/"
            style={{
              display: 'flex',
              gap: 8,
              alignItems: 'center',
              color: 'inherit',
              textDecoration: 'none',
              fontWeight: 700,
            }}
          >
            <Logo size={24} /> Pharos
          </Link>
        </div>
        <main id="content" tabIndex={-1} style={{ outline: 'none' }}>
          <Boundary about={path}>
            <Suspense fallback={<Waiting />}>
              <Current />
            </Suspense>
          </Boundary>
        </main>
      </div>
    </div>
  );
}

function NotFound() {
  const t = useText();
  const { path } = useLocation();
  return (
    <Page title={t('There is no such page')}>
      <div className="surface">
        <Empty title={t('Nothing is served at {path}', { path })}>
          <button
            type="button"
            className="item"
            style={{ width: 'auto', margin: '8px auto' }}
            onClick={() => navigate('/')}
          >
            <Icon name="home" /> {t('Go to the first page')}
          </button>
        </Empty>
      </div>
    </Page>
  );
}
