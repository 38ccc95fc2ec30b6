import type { UpstreamAnswer, UpstreamPools } from '../upstream.ts';
import { errorOfStatus } from '../upstream-errors.ts';

export interface HttpProviderOptions {
  /** The name before the colon of a canonical model id. */
  readonly id: string;
  /** E.g. "https://api.openai.com/v1"; a slash at its end is left out. */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly upstream: UpstreamPools;
}

/** Where the requests of one provider go, and with which headers. */
export class HttpEndpoint {
  readonly #provider: string;
  readonly #origin: string;
  readonly #basePath: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #upstream: UpstreamPools;

  /** @throws {TypeError} when `baseUrl` is not a URL; the configuration has checked it before */
  constructor(options: HttpProviderOptions, headers: Readonly<Record<string, string>>) {
    const url = new URL(options.baseUrl);
    this.#provider = options.id;
    this.#origin = url.origin;
    this.#basePath = url.pathname.replace(/\/+$/, '');
    this.#headers = { ...headers, 'content-type': 'application/json' };
    this.#upstream = options.upstream;
  }

  /** @throws {TallyrankError} `upstream_*`; any status but 2xx is an error */
  async post(
    path: string,
    body: string | Buffer,
    isStream: boolean,
    signal: AbortSignal,
  ): Promise<UpstreamAnswer> {
    const answer = await this.#upstream.send({
      provider: this.#provider,
      origin: this.#origin,
      path: this.#basePath + path,
      method: 'POST',
      headers: this.#headers,
      body,
      isStream,
      signal,
    });
    return await this.#checked(answer);
  }

  /** @throws {TallyrankError} `upstream_*`; any status but 2xx is an error */
  async get(path: string, signal: AbortSignal): Promise<Buffer> {
    const answer = await this.#upstream.send({
      provider: this.#provider,
      origin: this.#origin,
      path: this.#basePath + path,
      method: 'GET',
      headers: this.#headers,
      body: null,
      isStream: false,
      signal,
    });
    return await (await this.#checked(answer)).readAll();
  }

  async #checked(answer: UpstreamAnswer): Promise<UpstreamAnswer> {
    const { statusCode, headers } = answer;
    if (statusCode >= 200 && statusCode < 300) return answer;
    throw errorOfStatus(this.#provider, statusCode, headers, await answer.readAll());
  }
}
