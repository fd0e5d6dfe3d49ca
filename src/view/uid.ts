// Names made into addresses.

/** Lower-case letters, digits and dashes; a hash for names that have none of them. */
export function toUid(text: string): string {
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60);
  return plain === '' ? `dashboard-${hash(text)}` : plain;
}

function hash(text: string): string {
  let sum = 2166136261;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 16777619) >>> 0;
  return sum.toString(36);
}
