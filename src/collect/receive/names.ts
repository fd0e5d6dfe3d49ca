// Names of other systems as names of metrics and labels: what is not allowed becomes an underscore.

export function metricNameFrom(text: string): string {
  const name = text.replace(/[^a-zA-Z0-9_:]/gu, '_');
  return /^\d/.test(name) ? `_${name}` : name;
}

export function labelNameFrom(text: string): string {
  const name = text.replace(/[^a-zA-Z0-9_]/gu, '_');
  return /^\d/.test(name) ? `_${name}` : name;
}
