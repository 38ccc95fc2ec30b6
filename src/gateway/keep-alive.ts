import type { FrameWriter } from './frame-writer.ts';

/** When a stream that has nothing to say yet is begun all the same. */
export interface KeepAliveSettings {
  /** Milliseconds of silence before the first sign of life, and between the next. */
  readonly everyMs: number;
}

const COMMENT = ': keep-alive\n\n';

/**
 * Signs of life to a client that waits for the first content, e.g. while a local model loads: proxies and clients give
 * up on silence. The first one sends the head of the answer, 200 included, so what fails after it is told in the
 * stream; another model may still take over.
 */
export class KeepAlive {
  readonly #everyMs: number;
  readonly #sign: string;
  readonly #open: () => FrameWriter;
  #timer: NodeJS.Timeout;
  #writer: FrameWriter | null = null;
  #isSending = false;

  constructor({ everyMs }: KeepAliveSettings, sign: string, open: () => FrameWriter) {
    this.#everyMs = everyMs;
    this.#sign = sign;
    this.#open = open;
    this.#timer = setTimeout(beat, everyMs, this);
  }

  beat(): void {
    this.#writer ??= this.#open();
    if (!this.#isSending) void this.#send(this.#writer);
    this.#timer = setTimeout(beat, this.#everyMs, this);
  }

  /** One sign at a time: a client that does not read needs no second one. */
  async #send(writer: FrameWriter): Promise<void> {
    this.#isSending = true;
    try {
      await writer.send(this.#sign);
    } catch {
      // The connection broke; its `close` ends the request.
    } finally {
      this.#isSending = false;
    }
  }

  /** Ends it; the writer of the answer where it has begun, null where nothing was sent. */
  stop(): FrameWriter | null {
    clearTimeout(this.#timer);
    return this.#writer;
  }
}

/** What is sent; null for forms of answers that have nothing meaningless to say. */
export function keepAliveSign({
  keepAlive,
  streamType,
}: {
  readonly keepAlive?: string | undefined;
  readonly streamType: string;
}): string | null {
  return keepAlive ?? (streamType.startsWith('text/event-stream') ? COMMENT : null);
}

function beat(keepAlive: KeepAlive): void {
  keepAlive.beat();
}
