// A client of the Docker API, which Podman offers too: over a Unix socket or TCP, answers as JSON.

import { Agent, request } from 'undici';
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
  readonly State: { readonly Pid: number; readonly StartedAt: string; readonly Running: boolean };
  readonly RestartCount?: number;
  readonly Config?: { readonly Image?: string; readonly Labels?: Readonly<Record<string, string>> | null };
};

export class DockerClient {
  readonly #origin: string;
  readonly #agent: Agent;
  readonly #timeoutMs: number;

  /** "unix:///var/run/docker.sock", "tcp://host:2375" or "http://host:2375". */
  constructor(endpoint: string, timeoutMs: number) {
    const socket = /^unix:\/\/(.+)$/.exec(endpoint)?.[1];
    this.#origin = socket ? 'http://docker' : endpoint.replace(/^tcp:/, 'http:').replace(/\/$/, '');
    this.#agent = new Agent(socket ? { connect: { socketPath: socket } } : {});
    this.#timeoutMs = timeoutMs;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /** Running containers, or all. */
  list(all: boolean, signal?: AbortSignal): Promise<DockerContainer[]> {
    return this.get(`/containers/json${all ? '?all=1' : ''}`, signal) as Promise<DockerContainer[]>;
  }

  inspect(id: string, signal?: AbortSignal): Promise<DockerDetails> {
    return this.get(`/containers/${encodeURIComponent(id)}/json`, signal) as Promise<DockerDetails>;
  }

  async get(path: string, signal?: AbortSignal): Promise<unknown> {
    try {
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
