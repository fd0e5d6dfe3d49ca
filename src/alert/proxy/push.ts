// Delivers a push plan: to a WeCom group bot, or to users through a WeCom application. Every message is tried on its own, again
// if that may help, and the outcome of each is reported. Nothing is kept between requests but the application's access token.

import { type Clock, sleep } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { HttpClient } from '#clients/http/client.ts';
import { botAnswer } from '../notify/group-bots.ts';
import { getUrl, postJson, truncateBytes } from '../notify/kind.ts';
import type { Delivery } from '../notify/receiver.ts';
import type { PushPlan } from './request.ts';

export type PushSettings = {
  /** Of group bots: the key is appended as parameter. */
  readonly botUrl: string;
  /** Of the application's API, without a slash at the end. */
  readonly appUrl: string;
  readonly corpId: string;
  readonly appSecret: string;
  readonly agentId: string;
};

export type PushOutcome = {
  readonly receiver: string;
  readonly message: number;
  readonly ok: boolean;
  readonly error: string;
};

const MESSAGE_BYTES = 2048;
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 500;
const TOKEN_LIFE_MS = 7_000_000;

export class PushProxy {
  readonly #http: HttpClient;
  readonly #clock: Clock;
  /** By secret, so that changed settings fetch their own. */
  readonly #tokens = new Map<string, { readonly token: string; readonly at: number }>();

  constructor(http: HttpClient, clock: Clock) {
    this.#http = http;
    this.#clock = clock;
  }

  async push(plan: PushPlan, settings: PushSettings, signal: AbortSignal): Promise<readonly PushOutcome[]> {
    const receivers = plan.senderType === 'rtx_group' ? ['group'] : plan.users;
    const outcomes: PushOutcome[] = [];
    for (const [message, text] of plan.messages.entries()) {
      const content = truncateBytes(text, MESSAGE_BYTES);
      for (const receiver of receivers) {
        const delivery = await this.#withRetries(
          () =>
            plan.senderType === 'rtx_group'
              ? this.#toGroup(plan.sender, content, settings, signal)
              : this.#toUser(receiver, plan.sender, content, settings, signal),
          signal,
        );
        outcomes.push({ receiver, message, ok: delivery.ok, error: delivery.ok ? '' : delivery.message });
      }
    }
    return outcomes;
  }

  async #withRetries(attempt: () => Promise<Delivery>, signal: AbortSignal): Promise<Delivery> {
    let delivery: Delivery = { ok: false, retry: true, reason: 'other', message: 'not tried' };
    let pause = FIRST_PAUSE_MS;
    for (let i = 0; i < ATTEMPTS; i++) {
      if (i > 0) await sleep(this.#clock, pause, signal);
      if (i > 0) pause *= 2;
      try {
        delivery = await attempt();
      } catch (error) {
        delivery = { ok: false, retry: !signal.aborted, reason: 'other', message: errorText(error) };
      }
      if (delivery.ok || !delivery.retry) break;
    }
    return delivery;
  }

  async #toGroup(key: string, content: string, settings: PushSettings, signal: AbortSignal): Promise<Delivery> {
    const target = `${settings.botUrl}?key=${encodeURIComponent(key)}`;
    return botAnswer(
      await postJson(this.#http, target, { msgtype: 'text', text: { content } }, signal),
      'errcode',
      'errmsg',
    );
  }

  async #toUser(
    user: string,
    sender: string,
    content: string,
    settings: PushSettings,
    signal: AbortSignal,
  ): Promise<Delivery> {
    if (settings.corpId === '' || settings.appSecret === '') {
      const message =
        'messages to users need wechat_api_corp_id and wechat_api_secret in the global section of the alertmanager configuration';
      return { ok: false, retry: false, reason: 'other', message };
    }
    const token = await this.#token(settings, signal);
    const agent = /^\d+$/.test(sender) ? sender : settings.agentId;
    const body = {
      touser: user,
      msgtype: 'text',
      agentid: agent,
      text: { content: sender && agent !== sender ? `${sender}: ${content}` : content },
      safe: 0,
    };
    const reply = await postJson(
      this.#http,
      `${settings.appUrl}/message/send?access_token=${encodeURIComponent(token)}`,
      body,
      signal,
    );
    const delivery = botAnswer(reply, 'errcode', 'errmsg');
    const isExpired = !delivery.ok && /^4(0014|2001):/.test(delivery.message);
    if (isExpired) this.#tokens.delete(settings.appSecret);
    return isExpired ? { ...delivery, retry: true } : delivery;
  }

  async #token(settings: PushSettings, signal: AbortSignal): Promise<string> {
    const known = this.#tokens.get(settings.appSecret);
    const now = this.#clock.monotonic();
    if (known && now - known.at < TOKEN_LIFE_MS) return known.token;
    const query = new URLSearchParams({ corpid: settings.corpId, corpsecret: settings.appSecret });
    const reply = await getUrl(this.#http, `${settings.appUrl}/gettoken?${query}`, signal);
    const answer = JSON.parse(reply.body.toString('utf8')) as { access_token?: string; errmsg?: string };
    if (!answer.access_token)
      throw new Error(`cannot get an access token: ${answer.errmsg ?? `status ${reply.status}`}`);
    this.#tokens.set(settings.appSecret, { token: answer.access_token, at: now });
    return answer.access_token;
  }
}
