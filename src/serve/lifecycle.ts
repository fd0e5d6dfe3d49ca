// Health, readiness, reload and shutdown, in the words that Prometheus uses and its users' probes look for.

import { errorText } from '#base/errors.ts';
import { type HttpResponse, type Route, success, text } from './http.ts';

export type LifecycleOptions = {
  /** The name in the messages: "Prometheus Server". */
  readonly name: string;
  readonly enabled: boolean;
  /** Whether requests can be served; the reason if not. */
  readonly ready: () => true | string;
  /** Throws what is wrong with the new configuration; then the one before goes on. */
  readonly reload: () => Promise<void>;
  readonly quit: () => void;
  readonly version: Readonly<Record<string, string>>;
};

export function lifecycleRoutes(options: LifecycleOptions): Route[] {
  const { name } = options;
  const guarded = (action: () => HttpResponse | Promise<HttpResponse>) => () =>
    options.enabled ? action() : text('Lifecycle API is not enabled.', 403);
  const wrongMethod = () => text('Only POST or PUT requests allowed', 405);
  return [
    { methods: ['GET'], pattern: '/-/healthy', handler: () => text(`${name} is Healthy.\n`) },
    {
      methods: ['GET'],
      pattern: '/-/ready',
      handler: () => {
        const ready = options.ready();
        return ready === true ? text(`${name} is Ready.\n`) : text(`Service Unavailable: ${ready}`, 503);
      },
    },
    {
      methods: ['POST', 'PUT'],
      pattern: '/-/reload',
      role: 'admin',
      handler: guarded(async () => {
        try {
          await options.reload();
          return text('');
        } catch (error) {
          return text(`failed to reload config: ${errorText(error)}`, 500);
        }
      }),
    },
    {
      methods: ['POST', 'PUT'],
      pattern: '/-/quit',
      role: 'admin',
      handler: guarded(() => {
        options.quit();
        return text('Requesting termination... Goodbye!');
      }),
    },
    { methods: ['GET'], pattern: '/-/reload', handler: wrongMethod },
    { methods: ['GET'], pattern: '/-/quit', handler: wrongMethod },
    {
      methods: ['GET'],
      pattern: '/version',
      handler: () => ({ ...success(undefined), body: JSON.stringify(options.version) }),
    },
  ];
}
