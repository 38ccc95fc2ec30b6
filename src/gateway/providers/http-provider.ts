import type { CancelSignal } from '../cancellation.ts';
import type { ConcurrencyLimit } from '../concurrency.ts';
import type { UpstreamAnswer, UpstreamLimits, UpstreamPools } from '../upstream.ts';
import { errorOfStatus } from '../upstream-errors.ts';

export interface HttpProviderOptions {
  /** The name before the colon of a canonical model id. */
  readonly id: string;
  /** E.g. "https://api.openai.com/v1"; a slash at its end is left out. */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  readonly upstream: UpstreamPools;
  /** Its own limits of time; left out: those of all. */
  readonly limits?: UpstreamLimits | undefined;
  /** Bound on its calls of models; left out: none. */
  readonly concurrency?: ConcurrencyLimit | undefined;
  /** Added to every path, e.g. "api-version=2024-10-21". */
  readonly query?: string | undefined;
}

/** Where the requests of one provider go, and with which headers. */
export class HttpEndpoint {
  readonly #provider: string;
  readonly #origin: string;
  readonly #basePath: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #upstream: UpstreamPools;
  readonly #limits: UpstreamLimits | undefined;
  readonly #concurrency: ConcurrencyLimit | undefined;
  readonly #query: string;

  /** @throws {TypeError} when `baseUrl` is not a URL; the configuration has checked it before */
  constructor(options: HttpProviderOptions, headers: Readonly<Record<string, string>>) {
    const url = new URL(options.baseUrl);
    this.#provider = options.id;
    this.#origin = url.origin;
    this.#basePath = url.pathname.replace(/\/+$/, '');
    this.#headers = { ...headers, 'content-type': 'application/json' };
    this.#upstream = options.upstream;
    this.#limits = options.limits;
    this.#concurrency = options.concurrency;
    this.#query = options.query === undefined ? '' : `?${options.query}`;
  }

  /**
   * A call of a model: where their number is bounded it waits for its turn.
   *
   * @throws {TallyrankError} `upstream_*`, `provider_busy`; any status but 2xx is an error
   */
  async post(
    path: string,
    body: string | Buffer,
    isStream: boolean,
    signal: CancelSignal,
  ): Promise<UpstreamAnswer> {
    const concurrency = this.#concurrency;
    if (concurrency === undefined) return await this.#post(path, body, isStream, signal);
    await concurrency.enter(signal);
    return await this.#post(path, body, isStream, signal, () => concurrency.leave());
  }

  /**
   * A question that runs no model and takes nobody's turn.
   *
   * @throws {TallyrankError} `upstream_*`; any status but 2xx is an error
   */
  async ask(path: string, body: string, signal: AbortSignal): Promise<Buffer> {
    return await (await this.#post(path, body, false, signal)).readAll();
  }

  async #post(
    path: string,
    body: string | Buffer,
    isStream: boolean,
    signal: CancelSignal,
    onEnded?: () => void,
  ): Promise<UpstreamAnswer> {
    const answer = await this.#upstream.send({
      provider: this.#provider,
      origin: this.#origin,
      path: this.#basePath + path + this.#query,
      method: 'POST',
      headers: this.#headers,
      body,
      isStream,
      signal,
      limits: this.#limits,
      onEnded,
    });
    return await this.#checked(answer);
  }

  /**
   * A question without a body. Who asks has a clock of his own: the limits of the provider are about answers.
   *
   * @throws {TallyrankError} `upstream_*`; any status but 2xx is an error
   */
  async get(path: string, signal: AbortSignal): Promise<Buffer> {
    const answer = await this.#upstream.send({
      provider: this.#provider,
      origin: this.#origin,
      path: this.#basePath + path + this.#query,
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
