// A client of the Docker API, which Podman offers too: over a Unix socket or TCP, answers as JSON.

import type { Agent } from 'undici';
import { errorText, OperatingError } from '#base/errors.ts';

export type DockerContainer = {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>> | null;
};

export type DockerDetails = {
  readonly Id: string;
  readonly Name: string;
  readonly State: {
    readonly Pid: number;
    readonly StartedAt: string;
    readonly Running: boolean;
    readonly Health?: { readonly Status?: string } | null;
  };
  readonly GraphDriver?: { readonly Data?: Readonly<Record<string, string>> | null };
  readonly RestartCount?: number;
  readonly Config?: { readonly Image?: string; readonly Labels?: Readonly<Record<string, string>> | null };
};

export class DockerClient {
  readonly #origin: string;
  readonly #socket: string | undefined;
  #agent: Agent | undefined;
  readonly #timeoutMs: number;

  /** "unix:///var/run/docker.sock", "tcp://host:2375" or "http://host:2375". */
  constructor(endpoint: string, timeoutMs: number) {
    this.#socket = /^unix:\/\/(.+)$/.exec(endpoint)?.[1];
    this.#origin = this.#socket ? 'http://docker' : endpoint.replace(/^tcp:/, 'http:').replace(/\/$/, '');
    this.#timeoutMs = timeoutMs;
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
  }

  /** Running containers, or all. */
  list(all: boolean, signal?: AbortSignal): Promise<DockerContainer[]> {
    return this.get(`/containers/json${all ? '?all=1' : ''}`, signal) as Promise<DockerContainer[]>;
  }

  /** As `list`, with what each has written; the daemon walks all files for it. */
  sizes(signal?: AbortSignal): Promise<readonly { readonly Id: string; readonly SizeRw?: number }[]> {
    return this.get('/containers/json?size=1', signal) as Promise<{ Id: string; SizeRw?: number }[]>;
  }

  inspect(id: string, signal?: AbortSignal): Promise<DockerDetails> {
    return this.get(`/containers/${encodeURIComponent(id)}/json`, signal) as Promise<DockerDetails>;
  }

  async get(path: string, signal?: AbortSignal): Promise<unknown> {
    try {
      // Loaded with the first request: whoever has no Docker does without.
      const { Agent, request } = await import('undici');
      this.#agent ??= new Agent(this.#socket ? { connect: { socketPath: this.#socket } } : {});
      const response = await request(this.#origin + path, {
        dispatcher: this.#agent,
        headersTimeout: this.#timeoutMs,
        bodyTimeout: this.#timeoutMs,
        ...(signal ? { signal } : {}),
      });
      const body = await response.body.text();
      if (response.statusCode === 404) throw new OperatingError('not_found', `${path} does not exist`);
      if (response.statusCode >= 300)
        throw new OperatingError('docker', `answered ${response.statusCode}: ${body.slice(0, 200)}`);
      return JSON.parse(body);
    } catch (error) {
      const code = error instanceof OperatingError ? error.code : 'docker';
      throw new OperatingError(code, `cannot ask Docker for ${path}: ${errorText(error)}`, { cause: error });
    }
  }
}
