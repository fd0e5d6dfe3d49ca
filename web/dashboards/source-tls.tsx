// The part of a data source's form that says how its connection is encrypted and whose certificate is believed.

import { PasswordInput, Select, Stack, Textarea, TextInput } from '@mantine/core';
import type { SourceTls, TlsCheck } from '../../src/view/sources/tls.ts';
import { type TextKey, useText } from '../base/text.ts';

const CHECKS: Readonly<Record<TlsCheck, TextKey>> = {
  full: 'Certificate and name are checked',
  chain: 'Only who signed the certificate is checked',
  none: 'Encrypted, the certificate is not checked',
};

export type TlsFieldsProps = {
  readonly tls: SourceTls | undefined;
  /** Over HTTP the address says whether there is TLS at all. */
  readonly isHttp: boolean;
  readonly hasKey: boolean;
  readonly onChange: (tls: SourceTls | undefined) => void;
};

export function TlsFields({ tls, isHttp, hasKey, onChange }: TlsFieldsProps) {
  const t = useText();
  const plain = isHttp ? t('As the system does') : t('Not encrypted');
  const set = (change: Partial<Record<keyof SourceTls, string>>) => {
    const next = { ...tls, ...change };
    const filled = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== ''));
    onChange(filled as SourceTls);
  };
  const pem = (name: 'ca' | 'cert', label: TextKey) => (
    <Textarea
      label={t(label)}
      placeholder="-----BEGIN CERTIFICATE-----"
      autosize
      minRows={1}
      maxRows={5}
      value={tls?.[name] ?? ''}
      onChange={(e) => set({ [name]: e.currentTarget.value })}
    />
  );
  return (
    <Stack gap="sm">
      <Select
        label={t('TLS')}
        allowDeselect={false}
        data={[
          { value: '', label: plain },
          ...(Object.keys(CHECKS) as TlsCheck[])
            .filter((check) => !isHttp || check !== 'chain')
            .map((check) => ({ value: check, label: t(CHECKS[check]) })),
        ]}
        value={tls?.check ?? ''}
        onChange={(check) => onChange(check ? { ...tls, check: check as TlsCheck } : undefined)}
      />
      {tls && (
        <>
          {tls.check !== 'none' && pem('ca', 'Authority that signed it (PEM, or the path of a file on the server)')}
          {pem('cert', 'Certificate of this server (PEM or path), where one is asked for')}
          {tls.cert !== undefined && (
            <PasswordInput
              label={t('Key of the certificate (PEM or path)')}
              autoComplete="off"
              placeholder={hasKey ? t('kept as it is') : ''}
              value={tls.key ?? ''}
              visibilityToggleButtonProps={{ 'aria-label': t('Show what is typed') }}
              onChange={(e) => set({ key: e.currentTarget.value })}
            />
          )}
          {tls.check === 'full' && (
            <TextInput
              label={t('Name in the certificate, if not that of the address')}
              value={tls.serverName ?? ''}
              onChange={(e) => set({ serverName: e.currentTarget.value.trim() })}
            />
          )}
        </>
      )}
    </Stack>
  );
}
