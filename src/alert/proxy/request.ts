// What a push request asks for: who is told, by which way, and the messages. Parameters stand in the query or the JSON body,
// the query wins, names may be written in any case; what is no parameter is the message.

import { UserError } from '#base/errors.ts';

export const SENDER_TYPES = ['wechat', 'rtx_group'] as const;
export type SenderType = (typeof SENDER_TYPES)[number];

export type PushPlan = {
  readonly senderType: SenderType;
  /** The bot's key for groups, the sender's name for user messages. */
  readonly sender: string;
  /** Only for user messages. */
  readonly users: readonly string[];
  /** At least one; each is delivered on its own. */
  readonly messages: readonly string[];
};

const PARAMETERS = ['sender_type', 'sender', 'username', 'message'] as const;

type Fields = Readonly<Record<string, unknown>>;

export function planPush(
  client: string,
  query: URLSearchParams,
  body: Fields,
  basicUser: string | undefined,
): PushPlan {
  const given: Record<string, string> = {};
  const rest: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    const lower = name.toLowerCase();
    // Grafana's own `message` is part of its notification, not the parameter of that name.
    const isParameter =
      (PARAMETERS as readonly string[]).includes(lower) && !(client === 'grafana' && lower === 'message');
    if (isParameter && typeof value !== 'object') given[lower] = String(value);
    else rest[name] = value;
  }
  for (const [name, value] of query) {
    const lower = name.toLowerCase();
    if ((PARAMETERS as readonly string[]).includes(lower)) given[lower] = value;
    else rest[name] = value;
  }
  const senderType = SENDER_TYPES.find((type) => type === given['sender_type']);
  if (!senderType) {
    throw new UserError(
      `sender_type must be one of ${SENDER_TYPES.join(', ')}, got ${JSON.stringify(given['sender_type'] ?? '')}`,
    );
  }
  const sender = given['sender'] ?? '';
  const users = (given['username'] ?? (client === 'grafana' ? basicUser : undefined) ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  if (senderType === 'rtx_group' && sender === '') throw new UserError("sender must be the group bot's key");
  if (senderType === 'wechat' && users.length === 0) throw new UserError('username must name at least one receiver');
  const messages = given['message'] === undefined ? messagesOf(client, rest) : [given['message']];
  if (messages.length === 0) throw new UserError('there is nothing to send: neither a message nor any other field');
  return { senderType, sender, users, messages };
}

function messagesOf(client: string, fields: Fields): string[] {
  if (client === 'alertmanager' && Array.isArray(fields['alerts']))
    return (fields['alerts'] as AlertFields[]).map(alertText);
  if (client === 'grafana') return [grafanaText(fields)];
  return Object.keys(fields).length === 0 ? [] : [JSON.stringify(fields)];
}

type AlertFields = {
  readonly status?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly startsAt?: string;
  readonly endsAt?: string;
  readonly generatorURL?: string;
};

function alertText(alert: AlertFields): string {
  const { alertname = 'alert', ...labels } = alert.labels ?? {};
  const lines = [`[${(alert.status ?? 'firing').toUpperCase()}] ${alertname}`];
  const add = (values: Readonly<Record<string, string>> | undefined) => {
    for (const [name, value] of Object.entries(values ?? {})) lines.push(`${name}: ${value}`);
  };
  add(alert.annotations);
  add(labels);
  if (alert.startsAt) lines.push(`since: ${alert.startsAt}`);
  if (alert.status === 'resolved' && alert.endsAt) lines.push(`until: ${alert.endsAt}`);
  if (alert.generatorURL) lines.push(alert.generatorURL);
  return lines.join('\n');
}

/** The classic webhook has title, message and state; newer ones carry the same beside their alerts. */
function grafanaText(fields: Fields): string {
  const text = (name: string) => (typeof fields[name] === 'string' ? (fields[name] as string) : '');
  const state = text('state') || text('status');
  const lines = [
    `${state ? `[${state}] ` : ''}${text('title') || text('ruleName')}`.trim(),
    text('message'),
    text('ruleUrl'),
  ];
  const shown = lines.filter((line) => line !== '');
  return shown.length > 0 ? shown.join('\n') : JSON.stringify(fields);
}
