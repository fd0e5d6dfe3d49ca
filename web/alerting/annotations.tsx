// The annotations of an alert: its summary first to the eye, addresses as links.

import { Anchor, Text } from '@mantine/core';

export function Annotations({ annotations }: { annotations: Readonly<Record<string, string>> }) {
  return (
    <div className="annotations">
      {Object.entries(annotations).map(([name, value]) => (
        <Text key={name} size="sm" c={name === 'summary' ? undefined : 'dimmed'} className="wrap" mt={3}>
          {/^https?:\/\//.test(value) ? (
            <Anchor href={value} target="_blank" rel="noreferrer" size="sm">
              {name}: {value}
            </Anchor>
          ) : (
            value
          )}
        </Text>
      ))}
    </div>
  );
}
