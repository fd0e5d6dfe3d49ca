// Credentials from a program, as kubeconfig files name them: the program is told what is asked in KUBERNETES_EXEC_INFO and
// prints an ExecCredential with a token.

import { execFile } from 'node:child_process';
import { errorText, OperatingError } from '#base/errors.ts';
import type { ExecConfig } from './config.ts';
import type { CloudParts, Token } from './signer.ts';

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1 << 20;
/** A token of which the end is not told is used so long. */
const DEFAULT_LIFE_MS = 10 * 60_000;

export async function execToken(config: ExecConfig, { clock, environment }: CloudParts): Promise<Token> {
  const info = {
    apiVersion: config.apiVersion,
    kind: 'ExecCredential',
    spec: { interactive: false, ...(config.cluster ? { cluster: config.cluster } : {}) },
  };
  const env = { ...environment, ...config.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  const output = await run(config, env);
  const problem = (what: string) => new OperatingError('exec', `credentials program ${config.command}: ${what}`);
  let printed: { apiVersion?: string; kind?: string; status?: Record<string, unknown> };
  try {
    printed = JSON.parse(output);
  } catch (error) {
    throw problem(`what it prints is not JSON: ${errorText(error)}`);
  }
  if (printed.kind !== 'ExecCredential' || printed.apiVersion !== config.apiVersion) {
    throw problem(`it prints ${printed.kind} of ${printed.apiVersion}, not ExecCredential of ${config.apiVersion}`);
  }
  const { token, expirationTimestamp, clientCertificateData } = printed.status ?? {};
  if (typeof token !== 'string' || token === '') {
    throw problem(
      clientCertificateData ? 'client certificates from programs are not supported, only tokens' : 'it prints no token',
    );
  }
  const ends = typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) : Number.NaN;
  return { text: token, expires: Number.isNaN(ends) ? clock.now() + DEFAULT_LIFE_MS : ends };
}

function run({ command, args, installHint }: ExecConfig, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, [...args], { env, timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES }, (error, out, problems) => {
      if (!error) return resolve(out);
      const hint = installHint && (error as NodeJS.ErrnoException).code === 'ENOENT' ? ` (${installHint})` : '';
      const said = problems.trim().slice(0, 300);
      reject(new OperatingError('exec', `credentials program ${command}: ${said || errorText(error)}${hint}`));
    });
  });
}
