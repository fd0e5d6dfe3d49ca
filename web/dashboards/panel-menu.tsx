// What can be done with one panel. The menu and what it opens are made when they are first wanted: a dashboard of fifty
// panels would otherwise build fifty menus that nobody looks at.

import { ActionIcon, Menu, Modal } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { interpolate, type Scope } from '../../src/view/interpolate.ts';
import type { Panel } from '../../src/view/model.ts';
import type { RuleDraft } from '../alerting/rule-form.tsx';
import { hrefOf, linkTo, navigate, PREFIX } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import { exploreLink } from '../explore/state.ts';
import { Icon } from '../shell/icons.tsx';
import { SELF_UID, useDashboard } from './context.ts';
import type { PanelData } from './data.ts';
import { ruleOfPanel } from './panel-rule.ts';

const RuleForm = lazy(async () => ({ default: (await import('../alerting/rule-form.tsx')).RuleForm }));
const Inspector = lazy(async () => ({ default: (await import('./inspector.tsx')).Inspector }));

export type PanelActions = {
  readonly onView: (panel: Panel) => void;
  readonly onEdit?: (panel: Panel) => void;
  readonly onCopy?: (panel: Panel) => void;
  readonly onRemove?: (panel: Panel) => void;
};

type Props = {
  readonly panel: Panel;
  readonly title: string;
  readonly data: PanelData | undefined;
  readonly scope: Scope;
  readonly actions?: PanelActions;
  readonly picture: () => Promise<void>;
  readonly onFailure: (message: string) => void;
};

export function PanelMenu(props: Props) {
  const t = useText();
  const [isWanted, setWanted] = useState(false);
  if (isWanted) return <OpenableMenu {...props} />;
  return (
    <button
      type="button"
      className="panel-menu panel-menu-closed no-print"
      aria-haspopup="menu"
      aria-expanded={false}
      aria-label={t('Menu of {title}', { title: props.title || `#${props.panel.id}` })}
      onClick={() => setWanted(true)}
    >
      <Icon name="dots" size={16} />
    </button>
  );
}

function OpenableMenu({ panel, title, data, scope, actions, picture, onFailure }: Props) {
  const t = useText();
  const context = useDashboard();
  const [inspecting, setInspecting] = useState(false);
  const [rule, setRule] = useState<RuleDraft | undefined>();
  const explore = (data?.asked ?? []).filter((one) => one.source.uid === SELF_UID).map((one) => one.expr);
  return (
    <>
      <Menu position="bottom-end" shadow="lg" withinPortal defaultOpened>
        <Menu.Target>
          <ActionIcon
            className="panel-menu no-print"
            variant="subtle"
            color="gray"
            size={24}
            aria-label={t('Menu of {title}', { title: title || `#${panel.id}` })}
          >
            <Icon name="dots" size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {actions && (
            <Menu.Item leftSection={<Icon name="full" size={15} />} onClick={() => actions.onView(panel)}>
              {t('View large')}
            </Menu.Item>
          )}
          {actions?.onEdit && (
            <Menu.Item leftSection={<Icon name="edit" size={15} />} onClick={() => actions.onEdit?.(panel)}>
              {t('Edit')}
            </Menu.Item>
          )}
          {explore.length > 0 && (
            <Menu.Item
              leftSection={<Icon name="explore" size={15} />}
              component="a"
              {...linkTo(exploreLink(explore, context.range))}
            >
              {t('Open in Explore')}
            </Menu.Item>
          )}
          {data && (
            <Menu.Item leftSection={<Icon name="table" size={15} />} onClick={() => setInspecting(true)}>
              {t('Data and queries')}
            </Menu.Item>
          )}
          <Menu.Item
            leftSection={<Icon name="camera" size={15} />}
            onClick={() => {
              onFailure('');
              picture().catch((error: unknown) => onFailure(String(error)));
            }}
          >
            {t('Save as PNG')}
          </Menu.Item>
          {explore.length > 0 && (
            <Menu.Item
              leftSection={<Icon name="bell" size={15} />}
              onClick={() =>
                setRule(
                  ruleOfPanel(
                    panel,
                    title,
                    explore[0]!,
                    context.dashboard.uid,
                    `${location.origin}${PREFIX}/d/${encodeURIComponent(context.dashboard.uid)}`,
                  ),
                )
              }
            >
              {t('Make an alert rule')}
            </Menu.Item>
          )}
          {actions?.onCopy && (
            <Menu.Item leftSection={<Icon name="copy" size={15} />} onClick={() => actions.onCopy?.(panel)}>
              {t('Duplicate')}
            </Menu.Item>
          )}
          {actions?.onRemove && (
            <Menu.Item
              color="red"
              leftSection={<Icon name="trash" size={15} />}
              onClick={() => actions.onRemove?.(panel)}
            >
              {t('Remove')}
            </Menu.Item>
          )}
          {panel.links?.map((link) => (
            <Menu.Item
              key={localized(link.title)}
              component="a"
              leftSection={<Icon name="link" size={15} />}
              href={hrefOf(interpolate(link.url ?? '', scope))}
            >
              {localized(link.title)}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      {inspecting && data && (
        <Modal
          opened
          onClose={() => setInspecting(false)}
          size="80%"
          title={title}
          closeButtonProps={{ 'aria-label': t('Close') }}
        >
          <Suspense fallback={null}>
            <Inspector panel={panel} scope={scope} data={data} />
          </Suspense>
        </Modal>
      )}
      {rule && (
        <Suspense fallback={null}>
          <RuleForm draft={rule} onClose={() => setRule(undefined)} onDone={() => navigate('/rules')} />
        </Suspense>
      )}
    </>
  );
}
