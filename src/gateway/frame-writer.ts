import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

/**
 * The frames of a streamed answer to a client, in order. A client that reads slowly is waited for, so that an answer never
 * piles up in memory.
 */
export class FrameWriter {
  readonly #response: ServerResponse;

  /** @param headers  with the content type of the stream */
  constructor(response: ServerResponse, headers: Readonly<Record<string, string | number | string[]>>) {
    this.#response = response;
    response.writeHead(200, {
      ...headers,
      'cache-control': 'no-cache',
      connection: 'keep-alive',
      // Proxies of the nginx family would collect the stream otherwise.
      'x-accel-buffering': 'no',
    });
  }

  /** True when the client is gone. */
  get isClosed(): boolean {
    return this.#response.destroyed;
  }

  /** Sends frames in one piece; resolves when the client can take more, or is gone. */
  async send(frames: string): Promise<void> {
    if (this.isClosed || this.#response.write(frames)) return;
    // A client that leaves while we wait ends the waiting with the failure that its own `close` handler sees.
    const left = new AbortController();
    const onClose = (): void => left.abort();
    this.#response.once('close', onClose);
    try {
      await once(this.#response, 'drain', { signal: left.signal });
    } catch (error) {
      if (!left.signal.aborted) throw error;
    } finally {
      this.#response.removeListener('close', onClose);
    }
  }

  /** Sends the last frames, and ends the answer. */
  end(frames: string): void {
    if (!this.isClosed) this.#response.end(frames);
  }
}
