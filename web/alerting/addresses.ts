// Addresses as Alertmanager's own pages have them (`#/silences/new?filter=...`), which stand in notifications and notes: they
// lead to the same thing here.

/** The address below the prefix for a fragment, undefined when it is none of Alertmanager's. */
export function fromAlertmanagerFragment(hash: string): string | undefined {
  const match = /^#\/(alerts|silences|status)(?:\/([\w-]+))?(?:\/edit)?\/?(?:\?(.*))?$/.exec(hash);
  if (!match) return undefined;
  const [, page, part, search = ''] = match;
  const given = new URLSearchParams(search);
  const wanted = new URLSearchParams();
  const filter = given.get('filter');
  if (page === 'status') return '/status';
  if (page === 'silences') {
    if (part === 'new') wanted.set('new', filter ?? ' ');
    else if (part) wanted.set('id', part);
    return wanted.size > 0 ? `/silences?${wanted}` : '/silences';
  }
  for (const name of ['filter', 'receiver', 'silenced', 'inhibited', 'muted']) {
    const value = given.get(name);
    if (value) wanted.set(name, value);
  }
  return wanted.size > 0 ? `/alert-groups?${wanted}` : '/alert-groups';
}
