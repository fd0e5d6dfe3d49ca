// Starts the browser application.

import '@mantine/core/styles.css';
import './shell/shell.css';
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { fromAlertmanagerFragment } from './alerting/addresses.ts';
import { App } from './app.tsx';
import { createQueryClient } from './base/queries.ts';
import { navigate } from './base/router.tsx';
import { THEME, variables } from './shell/theme.ts';

const root = document.getElementById('root');
if (!root) throw new Error('BUG: index.html has no #root');

// The page names its icon relative to the address it was asked at, and addresses change without asking anew.
for (const icon of document.querySelectorAll<HTMLLinkElement>('link[rel=icon]')) icon.setAttribute('href', icon.href);

/** Links in notifications may still have the form of Alertmanager's own pages. */
function followFragment(): void {
  const to = fromAlertmanagerFragment(location.hash);
  if (to !== undefined) navigate(to, { replace: true });
}
followFragment();
window.addEventListener('hashchange', followFragment);

createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={THEME} cssVariablesResolver={variables} defaultColorScheme="auto">
      <QueryClientProvider client={createQueryClient()}>
        <App />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
