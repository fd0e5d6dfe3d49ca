// What the server does with requests before any handler: TLS, headers, limits, and who may do what. The file that says so is read by
// web-config.ts, which is loaded only where there is one.

import type { TlsOptions } from 'node:tls';
import type { Role } from './http.ts';
import type { Authentication } from './web-config.ts';

export type WebConfig = {
  readonly tls: TlsOptions | undefined;
  readonly http2: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly allowedSans: readonly string[];
  readonly rateLimit: { readonly interval: number; readonly burst: number } | undefined;
  readonly authentication: Authentication | undefined;
};

export const OPEN_WEB_CONFIG: WebConfig = {
  tls: undefined,
  http2: true,
  headers: {},
  allowedSans: [],
  rateLimit: undefined,
  authentication: undefined,
};

export type Identity = { readonly user: string; readonly role: Role };

const RANK: Record<Role, number> = { read: 0, write: 1, admin: 2 };
export const mayDo = (has: Role, needs: Role): boolean => RANK[has] >= RANK[needs];
