// All kinds of receivers, in the order in which upstream lists them, then those that only exist here.

import { discord } from './discord.ts';
import { email } from './email.ts';
import { dingtalk, feishu, wecom } from './group-bots.ts';
import { incidentio } from './incidentio.ts';
import { jira } from './jira.ts';
import type { ReceiverKind } from './kind.ts';
import { mattermost } from './mattermost.ts';
import { msteams, msteamsv2 } from './msteams.ts';
import { opsgenie } from './opsgenie.ts';
import { pagerduty } from './pagerduty.ts';
import { pushover } from './pushover.ts';
import { rocketchat } from './rocketchat.ts';
import { slack } from './slack.ts';
import { sns } from './sns.ts';
import { telegram } from './telegram.ts';
import { victorops } from './victorops.ts';
import { webex } from './webex.ts';
import { webhook } from './webhook.ts';
import { wechat } from './wechat.ts';

export const RECEIVER_KINDS: readonly ReceiverKind[] = [
  discord,
  email,
  incidentio,
  pagerduty,
  slack,
  webhook,
  opsgenie,
  wechat,
  pushover,
  victorops,
  sns,
  telegram,
  webex,
  msteams,
  msteamsv2,
  jira,
  rocketchat,
  mattermost,
  wecom,
  dingtalk,
  feishu,
];
