// E-mail: text and HTML alternatives over SMTP, with headers from templates, threaded by group if asked.

import { boolean, object, oneOf, optional, record, secret, string, withDefault } from '#base/config/schema.ts';
import { tlsFields, tlsFrom } from '#clients/http/config.ts';
import { SmtpError, sendMail } from '#clients/smtp/smtp.ts';
import { hostPort } from '../route/global.ts';
import { groupHash, receiverKind, secretOf, template } from './kind.ts';
import { tlsOptions } from './tls.ts';

const IMPLICIT_TLS_PORT = 465;

export const email = receiverKind(
  'email_configs',
  false,
  {
    to: template(),
    from: optional(string()),
    hello: optional(string()),
    smarthost: optional(hostPort()),
    auth_username: optional(string()),
    auth_password: optional(secret()),
    auth_password_file: optional(string()),
    auth_secret: optional(secret()),
    auth_secret_file: optional(string()),
    auth_identity: optional(string()),
    headers: record(string()),
    html: template('{{ template "email.default.html" . }}'),
    text: template(),
    require_tls: optional(boolean()),
    tls_config: optional(tlsFields),
    force_implicit_tls: optional(boolean()),
    threading: optional(
      object({ enabled: withDefault(boolean(), false), thread_by_date: withDefault(oneOf('none', 'daily'), 'daily') }),
    ),
  },
  (config, global) => {
    if (config.to === '') throw new Error('missing to address in email config');
    const headers = canonicalHeaders(config.headers);
    if (config.threading?.enabled) {
      for (const name of ['References', 'In-Reply-To']) {
        if (headers[name] !== undefined)
          throw new Error(`conflicting configuration: threading.enabled conflicts with custom ${name} header`);
      }
    }
    const smarthost = [config.smarthost, global.smtp_smarthost].find((address) => address?.port);
    if (!smarthost) throw new Error('no global SMTP smarthost set');
    const from = config.from || global.smtp_from;
    if (!from) throw new Error('no global SMTP from set');
    const ownPassword = config.auth_password || config.auth_password_file;
    const password = ownPassword
      ? [config.auth_password, config.auth_password_file]
      : [global.smtp_auth_password, global.smtp_auth_password_file];
    const ownSecret = config.auth_secret || config.auth_secret_file;
    const shared = ownSecret
      ? [config.auth_secret, config.auth_secret_file]
      : [global.smtp_auth_secret, global.smtp_auth_secret_file];
    const username = config.auth_username || global.smtp_auth_username || '';
    const port = Number(smarthost.port);
    return (context) =>
      async (notification, { text, html }, signal) => {
        const sender = addresses(text(from));
        const recipients = addresses(text(config.to));
        if (sender.length !== 1) throw new Error(`must be exactly one 'from' address (got: ${sender.length})`);
        if (recipients.length === 0) throw new Error("no 'to' address");
        const shown: Record<string, string> = {
          Subject: '{{ template "email.default.subject" . }}',
          To: config.to,
          From: from,
          ...headers,
        };
        const lines: Record<string, string> = Object.fromEntries(
          Object.entries(shown).map(([name, value]) => [name, text(value)]),
        );
        const hash = groupHash(notification);
        lines['Message-Id'] ??= `<${Math.floor(context.clock.now())}.${hash.slice(0, 24)}@${hostOf(sender[0]!)}>`;
        if (config.threading?.enabled) {
          const day =
            config.threading.thread_by_date === 'daily' ? new Date(notification.now).toISOString().slice(0, 10) : '';
          const thread = `<alert-${hash.slice(0, 16)}-${day}@alertmanager>`;
          lines['References'] = thread;
          lines['In-Reply-To'] = thread;
        }
        const message = mimeMessage(
          lines,
          config.text ? text(config.text) : '',
          config.html ? html(config.html) : '',
          context.clock.now(),
          hash,
        );
        try {
          await sendMail(
            {
              host: smarthost.host,
              port,
              hello: config.hello || global.smtp_hello,
              tls: tlsOptions(tlsFrom(config.tls_config ?? global.smtp_tls_config), context.disk, global.resolve),
              implicitTls: config.force_implicit_tls ?? global.smtp_force_implicit_tls ?? port === IMPLICIT_TLS_PORT,
              requireTls: config.require_tls ?? global.smtp_require_tls,
              ...(username === ''
                ? {}
                : {
                    auth: {
                      username,
                      password: secretOf(context, global, password[0], password[1]),
                      secret: secretOf(context, global, shared[0], shared[1]),
                      identity: config.auth_identity || global.smtp_auth_identity || '',
                    },
                  }),
              signal,
            },
            { from: sender[0]!, to: recipients, message },
          );
          return { ok: true };
        } catch (error) {
          if (!(error instanceof SmtpError)) throw error;
          // Whatever a mail server says may be different next time, as upstream sees it.
          return { ok: false, retry: true, reason: 'other', message: error.message };
        }
      };
  },
);

/** The addresses of a header: `Name <a@b>, c@d`. */
export function addresses(header: string): string[] {
  const parts = header.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? [];
  return parts.map((part) => (/<([^>]*)>\s*$/.exec(part)?.[1] ?? part).trim()).filter((address) => address !== '');
}

const hostOf = (address: string): string => address.split('@')[1] ?? 'localhost';

function canonicalHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const canonical = name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
    if (result[canonical] !== undefined)
      throw new Error(`duplicate header ${JSON.stringify(canonical)} in email config`);
    result[canonical] = value;
  }
  return result;
}

function mimeMessage(
  headers: Readonly<Record<string, string>>,
  text: string,
  html: string,
  now: number,
  hash: string,
): string {
  const boundary = `alert-${hash.slice(0, 32)}`;
  const lines = Object.entries(headers).map(
    ([name, value]) => `${name}: ${encodeHeader(value.replace(/[\r\n]+/g, ' '))}`,
  );
  lines.push(`Date: ${new Date(now).toUTCString().replace('GMT', '+0000')}`, 'MIME-Version: 1.0');
  lines.push(`Content-Type: multipart/alternative; boundary=${boundary}`, '');
  for (const [type, body] of [
    ['text/plain', text],
    ['text/html', html],
  ] as const) {
    if (body === '') continue;
    lines.push(
      `--${boundary}`,
      'Content-Transfer-Encoding: quoted-printable',
      `Content-Type: ${type}; charset=UTF-8`,
      '',
      quotedPrintable(body),
    );
  }
  lines.push(`--${boundary}--`);
  return lines.join('\r\n');
}

/** What an encoded word may hold beside its frame. */
const WORD_LENGTH = 75 - '=?utf-8?q??='.length;

/** Beyond ASCII, words in the Q encoding of RFC 2047. */
export function encodeHeader(value: string): string {
  if (/^[\x20-\x7e\t]*$/.test(value)) return value;
  const words: string[] = [];
  let word = '';
  for (const point of value) {
    const encoded = [...Buffer.from(point)].map(encodeByte).join('');
    if (word.length + encoded.length > WORD_LENGTH) {
      words.push(word);
      word = '';
    }
    word += encoded;
  }
  return [...words, word].map((text) => `=?utf-8?q?${text}?=`).join(' ');
}

function encodeByte(byte: number): string {
  if (byte === 0x20) return '_';
  if (byte >= 0x21 && byte <= 0x7e && !'=?_'.includes(String.fromCharCode(byte))) return String.fromCharCode(byte);
  return `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

export function quotedPrintable(text: string): string {
  return text
    .split(/\r?\n/)
    .map((line) => {
      let out = '';
      let column = 0;
      const bytes = Buffer.from(line);
      bytes.forEach((byte, i) => {
        const isPlain =
          (byte >= 33 && byte <= 126 && byte !== 61) || ((byte === 32 || byte === 9) && i < bytes.length - 1);
        const shown = isPlain ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
        if (column + shown.length > 75) {
          out += '=\r\n';
          column = 0;
        }
        out += shown;
        column += shown.length;
      });
      return out;
    })
    .join('\r\n');
}
