import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { MAIL_USER, type MailServerOptions, mailServer, selfSigned } from './server.suite.ts';
import { type SmtpError, type SmtpOptions, sendMail } from './smtp.ts';

const identity = selfSigned();
const closing: (() => void)[] = [];
after(() => {
  for (const close of closing) close();
});

const auth = { username: MAIL_USER.name, password: MAIL_USER.password, secret: MAIL_USER.secret, identity: '' };
const envelope = { from: 'a@x.org', to: ['b@x.org', 'c@x.org'], message: 'Subject: s\r\n\r\n.dot\r\nend' };

async function deliver(server: MailServerOptions, options: Partial<SmtpOptions> = {}) {
  const mail = await mailServer(server, identity);
  closing.push(mail.close);
  const base = { host: '127.0.0.1', port: mail.port, hello: 'me', implicitTls: false, requireTls: false };
  const tls = { ca: identity.cert };
  try {
    await sendMail({ ...base, tls, signal: new AbortController().signal, ...options }, envelope);
    return { mail: mail.mails[0]!, lines: mail.lines, error: '' };
  } catch (error) {
    return { mail: undefined, lines: mail.lines, error: `${(error as SmtpError).code}: ${(error as Error).message}` };
  }
}

test('a message, its envelope, dots doubled on the way', async () => {
  const { mail, lines } = await deliver({});
  assert.deepEqual(mail, {
    from: 'a@x.org',
    to: ['b@x.org', 'c@x.org'],
    text: envelope.message,
    encrypted: false,
    auth: undefined,
  });
  assert.equal(lines[0], 'EHLO me');
  assert.equal(lines.at(-1), 'QUIT');
});

test('STARTTLS when encryption is required, and only then; TLS from the start', async () => {
  assert.equal((await deliver({ startTls: true }, { requireTls: true })).mail?.encrypted, true);
  assert.equal((await deliver({ startTls: true })).mail?.encrypted, false);
  assert.equal((await deliver({ implicitTls: true }, { implicitTls: true, requireTls: true })).mail?.encrypted, true);
  assert.match((await deliver({}, { requireTls: true })).error, /does not advertise the STARTTLS extension/);
  const distrusted = await deliver({ startTls: true }, { requireTls: true, tls: {} });
  assert.match(distrusted.error, /self-signed certificate/);
  assert.deepEqual(
    distrusted.lines.filter((line) => line.startsWith('MAIL')),
    [],
  );
});

test('authentication: the first mechanism offered for which there are credentials', async () => {
  const mechanism = async (server: MailServerOptions, options: Partial<SmtpOptions> = {}) => {
    const { mail, error } = await deliver(server, { auth, ...options });
    return mail?.auth ?? error;
  };
  assert.equal(await mechanism({ auth: ['PLAIN', 'LOGIN'] }), 'PLAIN');
  assert.equal(await mechanism({ auth: ['LOGIN', 'PLAIN'] }), 'LOGIN');
  assert.equal(await mechanism({ auth: ['CRAM-MD5', 'LOGIN'] }), 'CRAM-MD5');
  assert.equal(await mechanism({ auth: ['CRAM-MD5', 'LOGIN'] }, { auth: { ...auth, secret: '' } }), 'LOGIN');
  assert.equal(await mechanism({ startTls: true, auth: ['PLAIN'] }, { requireTls: true }), 'PLAIN');
  assert.match(await mechanism({ auth: ['CRAM-MD5'] }, { auth: { ...auth, secret: '' } }), /CRAM-MD5/);
  assert.match(await mechanism({ auth: ['LOGIN'] }, { auth: { ...auth, password: 'wrong' } }), /535/);
  // Another spelling of the same address does not count as this host.
  assert.match(await mechanism({ auth: ['PLAIN'] }, { host: '127.1' }), /unencrypted connection/);
  assert.equal(await mechanism({ auth: ['LOGIN'] }, { host: '127.1' }), 'LOGIN');
  assert.equal((await deliver({}, { auth })).error, '', 'a server that offers none is told without');
});

test('a refusal at any step is an error with the answer of the server', async () => {
  for (const [step, answer] of [
    ['EHLO', '421 busy'],
    ['MAIL', '550 no'],
    ['RCPT', '450 later'],
    ['DATA', '554 no'],
  ] as const) {
    const { error } = await deliver({ refuse: (line) => (line.startsWith(step) ? answer : undefined) });
    assert.match(error, new RegExp(answer));
  }
});
