// E-mail through a real mail server, exim: encrypted by STARTTLS, each user authenticated in another way, a wrong password refused.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { selfSigned } from '#clients/smtp/server.suite.ts';
import { peer } from './peers.ts';
import { eventually, freePort, get, start, temporaryFolder } from './running.ts';

const LAUNCHER = path.join(import.meta.dirname, '..', 'pharos');
const exim = peer('exim4', 'exim4-daemon-light');
const isRoot = os.userInfo().uid === 0;
/** Exim gives up being root. */
const user = isRoot ? 'Debian-exim' : os.userInfo().username;

const configuration = (folder: string, port: number) => `
exim_path = ${exim.path}
primary_hostname = localhost
spool_directory = ${folder}/spool
log_file_path = ${folder}/log/%slog
exim_user = ${user}
exim_group = ${isRoot ? user : execFileSync('id', ['-gn']).toString().trim()}
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port}
tls_advertise_hosts = *
tls_certificate = ${folder}/cert.pem
tls_privatekey = ${folder}/key.pem
auth_advertise_hosts = \${if eq{$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny !authenticated = *
       message = authenticate first
  accept
data:
  accept
begin routers
everybody:
  driver = accept
  transport = inbox
begin transports
inbox:
  driver = appendfile
  file = ${folder}/mail/inbox
  envelope_to_add
  return_path_add
  user = ${user}
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{$auth2}{plain}}{eq{$auth3}{pass word}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = \${if and{{eq{$auth1}{login}}{eq{$auth2}{pass word}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = \${if eq{$auth1}{cram}{shared}fail}
  server_set_id = $auth1
`;

async function mailServer(t: TestContext): Promise<{ folder: string; port: number }> {
  const folder = temporaryFolder(t);
  const { key, cert } = selfSigned();
  fs.writeFileSync(path.join(folder, 'key.pem'), key);
  fs.writeFileSync(path.join(folder, 'cert.pem'), cert);
  for (const name of ['spool', 'log', 'mail']) fs.mkdirSync(path.join(folder, name));
  const port = await freePort();
  fs.writeFileSync(path.join(folder, 'exim.conf'), configuration(folder, port));
  fs.chmodSync(folder, 0o755);
  if (isRoot) execFileSync('chown', ['-R', user, folder]);
  // Only root's configuration is trusted by a program that begins as root.
  if (isRoot) execFileSync('chown', ['root', path.join(folder, 'exim.conf')]);
  const server = start(t, exim.path, ['-C', path.join(folder, 'exim.conf'), '-bdf', '-q1h']);
  await eventually(
    `exim listens: ${server.output()}`,
    () =>
      fs.existsSync(path.join(folder, 'log', 'mainlog')) &&
      fs.readFileSync(path.join(folder, 'log', 'mainlog'), 'utf8').includes('daemon started'),
  );
  return { folder, port };
}

test('e-mail reaches a real mail server, encrypted and authenticated', { skip: exim.skip }, async (t) => {
  const mail = await mailServer(t);
  const folder = temporaryFolder(t);
  const to = (name: string, credentials: string) =>
    `{ to: '"Ä, ${name}" <${name}@example.org>', send_resolved: true, auth_username: ${name}, ${credentials}, tls_config: { ca_file: '${mail.folder}/cert.pem', server_name: localhost } }`;
  fs.writeFileSync(
    path.join(folder, 'am.yml'),
    `
global: { smtp_smarthost: '127.0.0.1:${mail.port}', smtp_from: 'Alerts <am@example.org>' }
route: { receiver: all, group_wait: 0s }
receivers:
- name: all
  email_configs:
  - ${to('plain', 'auth_password: pass word')}
  - ${to('cram', 'auth_secret: shared')}
  - ${to('wrong', 'auth_password: guess')}
`,
  );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  start(t, LAUNCHER, [
    'alertmanager',
    `--config.file=${folder}/am.yml`,
    `--storage.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  await eventually('the alertmanager is ready', () => get(`${url}/-/ready`));
  const alert = { labels: { alertname: 'Down', host: 'ümlaut' }, annotations: { summary: '.\n..dots\n漢字' } };
  await fetch(`${url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([alert]),
  });
  const read = (file: string) => {
    const name = path.join(mail.folder, file);
    return fs.existsSync(name) ? fs.readFileSync(name, 'utf8') : '';
  };
  const mails = await eventually('both mails', () => {
    const all = read('mail/inbox').split(/^(?=From am@example)/m);
    return all.length === 2 && all.every((one) => one.includes('text/html') && one.trimEnd().endsWith('--')) && all;
  });
  for (const name of ['plain', 'cram']) {
    const text = mails.find((one) => one.includes(`\nEnvelope-to: ${name}@example.org\n`)) ?? '';
    assert.match(text, /^Return-path: <am@example\.org>$/m);
    assert.match(text, /^From: Alerts <am@example\.org>$/m);
    assert.match(text, new RegExp(`^To: =\\?utf-8\\?q\\?.*<${name}@example\\.org>\\?=$`, 'm'));
    assert.match(text, /^Subject: =\?utf-8\?q\?\[FIRING:1\]_/m);
    assert.match(text, /^Content-Type: multipart\/alternative/m);
    assert.match(text, /^Content-Type: text\/html; charset=UTF-8$/m);
  }
  const log = await eventually('all were tried', () => {
    const lines = read('log/mainlog');
    return lines.includes('535 Incorrect authentication data') && lines.includes('A=cram') && lines;
  });
  assert.match(log, /<= am@example\.org .*X=TLS1\.\d:.* A=plain:plain/);
  assert.match(log, /<= am@example\.org .*X=TLS1\.\d:.* A=cram:cram/);
});
