// From a notification to texts: the data that templates see, and the two ways to expand them.

import type { Clock } from '#base/clock.ts';
import type { Labels } from '#model/labels.ts';
import { isResolved } from '../store.ts';
import { alertmanagerFunctions, commonPairs, notificationData } from '../template/alertmanager.ts';
import { parseTemplates, type TemplateSet, type TemplateText } from '../template/template.ts';
import { DEFAULT_TEMPLATES } from './default-templates.ts';
import { RenderError } from './kind.ts';
import type { Notification } from './receiver.ts';

/** The notification as webhooks send it and templates see it. */
export type NotificationView = {
  readonly status: 'firing' | 'resolved';
  readonly alerts: readonly AlertView[];
  readonly groupLabels: Labels;
  readonly commonLabels: Labels;
  readonly commonAnnotations: Labels;
  readonly externalUrl: string;
};

export type AlertView = {
  readonly status: 'firing' | 'resolved';
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAt: number;
  readonly endsAt: number;
  readonly generatorUrl: string;
  readonly fingerprint: string;
  readonly changed: boolean;
  readonly acknowledgement: { readonly by: string; readonly comment: string } | undefined;
};

/** The default templates and those of files, with upstream's functions; a label that is absent prints as nothing. */
export const notificationTemplates = (texts: readonly TemplateText[], clock: Clock): TemplateSet =>
  parseTemplates([{ name: 'default.tmpl', text: DEFAULT_TEMPLATES }, ...texts], {
    functions: alertmanagerFunctions(clock),
    missingKey: 'zero',
  });

type AcknowledgementOf = (fingerprint: string) => AlertView['acknowledgement'];

export type Rendered = {
  readonly view: NotificationView;
  /** Expands a template as plain text. */
  readonly text: (template: string) => string;
  /** Expands a template with HTML's contextual escaping. */
  readonly html: (template: string) => string;
  /** A label of the route; '' when it has none of this name. */
  readonly routeLabel: (name: string) => string;
};

export function viewOf(
  notification: Notification,
  externalUrl: string,
  acknowledgementOf: AcknowledgementOf,
): NotificationView {
  const alerts = notification.alerts.map((alert): AlertView => {
    const resolved = isResolved(alert, notification.now);
    return {
      ...alert,
      status: resolved ? 'resolved' : 'firing',
      endsAt: resolved ? alert.endsAt : 0,
      changed: notification.changed.has(alert.fingerprint),
      acknowledgement: acknowledgementOf(alert.fingerprint),
    };
  });
  return {
    status: alerts.some((alert) => alert.status === 'firing') ? 'firing' : 'resolved',
    alerts,
    groupLabels: notification.groupLabels,
    commonLabels: commonPairs(alerts.map((alert) => alert.labels)),
    commonAnnotations: commonPairs(alerts.map((alert) => alert.annotations)),
    externalUrl,
  };
}

/** `labelsAre`: what the notification has for labels of its route. */
export type Render = (notification: Notification, labelsAre?: 'rendered' | 'templates') => Rendered;

export function renderer(
  templates: TemplateSet,
  externalUrl: string,
  acknowledgementOf: AcknowledgementOf = () => undefined,
): Render {
  return (notification, labelsAre = 'rendered') => {
    const view = viewOf(notification, externalUrl, acknowledgementOf);
    const { routeLabels } = notification;
    const data = notificationData({
      ...view,
      receiver: notification.receiver,
      reason: notification.reason,
      routeLabels: Object.entries(routeLabels).flat(),
    });
    const labelOf = (name: string) => (labelsAre === 'rendered' ? (routeLabels[name] ?? '') : resolve(name));
    const set =
      Object.keys(routeLabels).length === 0
        ? templates
        : templates.withFunctions({ routeLabels: { params: ['string'], call: (name) => labelOf(name as string) } });
    const expand = (template: string, html: boolean): string => {
      try {
        return set.expand(template, data, { html });
      } catch (error) {
        throw new RenderError(`cannot expand template: ${error instanceof Error ? error.message : error}`);
      }
    };
    // Labels of a route may name each other.
    const known = new Map<string, string>();
    const under: string[] = [];
    const resolve = (name: string): string => {
      const template = routeLabels[name];
      if (template === undefined) return '';
      let value = known.get(name);
      if (value !== undefined) return value;
      if (under.includes(name)) throw new Error(`route label cycle detected: ${[...under, name].join(' -> ')}`);
      under.push(name);
      try {
        value = expand(template, false);
      } finally {
        under.pop();
      }
      known.set(name, value);
      return value;
    };
    return {
      view,
      text: (template) => expand(template, false),
      html: (template) => expand(template, true),
      routeLabel: labelOf,
    };
  };
}
