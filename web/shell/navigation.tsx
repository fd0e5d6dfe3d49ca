// The bar on the left: where one can go, and the choices that hold everywhere (theme, language, time zone).

import { Menu, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { ROLE } from '../base/role.ts';
import { Link, useLocation } from '../base/router.tsx';
import { changeSettings, useSettings } from '../base/settings.ts';
import { type TextKey, useText } from '../base/text.ts';
import { zoneChoices } from '../base/time.ts';
import { Icon, type IconName, Logo } from './icons.tsx';

type Item = { readonly to: string; readonly text: TextKey; readonly icon: IconName; readonly also?: readonly string[] };

type Section = { readonly title?: TextKey; readonly items: readonly Item[] };

const SERVER_SECTIONS: readonly Section[] = [
  {
    items: [
      { to: '/', text: 'Home', icon: 'home' },
      { to: '/dashboards', text: 'Dashboards', icon: 'dashboards', also: ['/d/'] },
      { to: '/query', text: 'Explore', icon: 'explore', also: ['/graph'] },
      { to: '/metric-browser', text: 'Metrics', icon: 'metrics' },
    ],
  },
  {
    title: 'Alerting',
    items: [
      { to: '/alerts', text: 'Alerts', icon: 'bell' },
      { to: '/rules', text: 'Rules', icon: 'file' },
      { to: '/alert-groups', text: 'Alert groups', icon: 'groups' },
      { to: '/silences', text: 'Silences', icon: 'silence' },
      { to: '/alert-history', text: 'History', icon: 'history' },
      { to: '/route-tester', text: 'Route tester', icon: 'route' },
    ],
  },
  {
    title: 'Operations',
    items: [
      { to: '/targets', text: 'Targets', icon: 'target' },
      { to: '/service-discovery', text: 'Service discovery', icon: 'discover' },
      { to: '/config', text: 'Configuration', icon: 'settings' },
      { to: '/flags', text: 'Flags', icon: 'flag' },
      { to: '/status', text: 'Status', icon: 'info' },
      { to: '/tsdb-status', text: 'Storage', icon: 'database' },
      { to: '/cardinality', text: 'Cardinality', icon: 'tags' },
      { to: '/queries', text: 'Queries', icon: 'speed' },
      { to: '/push-groups', text: 'Push groups', icon: 'push' },
      { to: '/data-sources', text: 'Data sources', icon: 'table' },
      { to: '/shards', text: 'Shards', icon: 'shards' },
    ],
  },
];

const ALERTMANAGER_SECTIONS: readonly Section[] = [
  {
    items: [
      { to: '/', text: 'Alert groups', icon: 'groups', also: ['/alert-groups'] },
      { to: '/silences', text: 'Silences', icon: 'silence' },
      { to: '/alert-history', text: 'History', icon: 'history' },
      { to: '/route-tester', text: 'Route tester', icon: 'route' },
      { to: '/status', text: 'Status', icon: 'info' },
    ],
  },
];

const SECTIONS = ROLE === 'alertmanager' ? ALERTMANAGER_SECTIONS : SERVER_SECTIONS;

function isCurrent(item: Item, path: string): boolean {
  if (item.to === '/') return path === '/' || (item.also?.includes(path) ?? false);
  return (
    path === item.to || path.startsWith(`${item.to}/`) || (item.also?.some((one) => path.startsWith(one)) ?? false)
  );
}

export function Navigation({ open, close }: { open: boolean; close: () => void }) {
  const t = useText();
  const { path } = useLocation();
  const { navigationFolded } = useSettings();
  const list = useRef<HTMLElement>(null);
  // On low screens the list scrolls; the page that is open must be in sight.
  useEffect(() => {
    if (path !== '') list.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
  }, [path]);
  return (
    <>
      {open && <button type="button" className="shade" aria-label={t('Close')} onClick={close} />}
      <div className="side no-print" data-open={open}>
        <Link to="/" className="brand" onClick={close}>
          <Logo />
          <span className="label">Pharos</span>
        </Link>
        <nav aria-label={t('Main navigation')} ref={list}>
          {SECTIONS.map((section) => (
            <div key={section.title ?? 'top'}>
              {section.title && <h2>{t(section.title)}</h2>}
              {section.items.map((item) => (
                <Link
                  key={item.to}
                  to={item.to}
                  className="item"
                  title={navigationFolded ? t(item.text) : undefined}
                  aria-label={navigationFolded ? t(item.text) : undefined}
                  aria-current={isCurrent(item, path) ? 'page' : undefined}
                  onClick={close}
                >
                  <Icon name={item.icon} />
                  <span className="label">{t(item.text)}</span>
                </Link>
              ))}
            </div>
          ))}
        </nav>
        <div className="foot">
          <Choices />
        </div>
      </div>
    </>
  );
}

function Choices() {
  const t = useText();
  const { language, navigationFolded, timeZone } = useSettings();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  return (
    <>
      <FootButton
        icon={scheme === 'dark' ? 'sun' : 'moon'}
        onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}
      >
        {scheme === 'dark' ? t('Light theme') : t('Dark theme')}
      </FootButton>
      <FootButton icon="language" onClick={() => changeSettings({ language: language === 'zh' ? 'en' : 'zh' })}>
        {language === 'zh' ? 'English' : '简体中文'}
      </FootButton>
      <Zone current={timeZone} />
      <div className="wide-only">
        <FootButton
          icon={navigationFolded ? 'unfold' : 'fold'}
          onClick={() => changeSettings({ navigationFolded: !navigationFolded })}
        >
          {t('Fold navigation')}
        </FootButton>
      </div>
    </>
  );
}

function Zone({ current }: { current: string }) {
  const t = useText();
  const [opened, setOpened] = useState(false);
  return (
    <Menu position="right-end" opened={opened} onChange={setOpened}>
      <Menu.Target>
        <button type="button" className="item">
          <Icon name="clock" />
          <span className="label">{current === 'local' ? t('Browser time') : current}</span>
        </button>
      </Menu.Target>
      <Menu.Dropdown mah={420} style={{ overflowY: 'auto' }}>
        {opened &&
          zoneChoices().map((zone) => (
            <Menu.Item key={zone} onClick={() => changeSettings({ timeZone: zone })} fw={zone === current ? 700 : 400}>
              {zone === 'local' ? t('Browser time') : zone}
            </Menu.Item>
          ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function FootButton({ icon, onClick, children }: { icon: IconName; onClick: () => void; children: ReactNode }) {
  return (
    <button type="button" className="item" onClick={onClick}>
      <Icon name={icon} />
      <span className="label">{children}</span>
    </button>
  );
}
