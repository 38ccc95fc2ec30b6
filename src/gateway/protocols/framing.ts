import type { EventSourceParser } from 'eventsource-parser';
import { createParser } from 'eventsource-parser';
import { malformed } from '../upstream-errors.ts';
import type { Fields } from './fields.ts';
import { tryParseFields } from './fields.ts';

/** Characters of one event or line. A tool call of a megabyte fits; a stream without line ends does not fill us. */
const FRAME_LENGTH_MAX = 16 * 1024 * 1024;

/** Cuts bytes into the data of server-sent events. Comments and event names are left out. */
export class SseReader {
  readonly #decoder = new TextDecoder();
  readonly #parser: EventSourceParser;
  #events: string[] = [];

  constructor(provider: string) {
    this.#parser = createParser({
      onEvent: (event) => {
        this.#events.push(event.data);
      },
      onError: (error) => {
        // Unknown fields are allowed and ignored; only an event without end is a failure.
        if (error.type === 'max-buffer-size-exceeded') throw malformed(provider, 'an event without end');
      },
      maxBufferSize: FRAME_LENGTH_MAX,
    });
  }

  /**
   * The events that end in these bytes.
   *
   * @throws {TallyrankError} `upstream_malformed` when an event is longer than any provider's
   */
  push(bytes: Buffer): string[] {
    this.#parser.feed(this.#decoder.decode(bytes, { stream: true }));
    return this.#drain();
  }

  /** The last event of a server that forgets the empty line after it; half an event is none. */
  end(): string[] {
    this.#parser.feed(`${this.#decoder.decode()}\n\n`);
    return this.#drain().filter(isWhole);
  }

  #drain(): string[] {
    const events = this.#events;
    if (events.length > 0) this.#events = [];
    return events;
  }
}

/** A server-sent event without a name. `data` must not hold a line break; JSON on one line does not. */
export function frame(data: string): string {
  return `data: ${data}\n\n`;
}

/** A server-sent event with a name, as Anthropic's and OpenAI's Responses clients want it. */
export function eventFrame(name: string, data: Fields): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Cuts bytes into the lines of newline-delimited JSON. Empty lines are left out. */
export class LineReader {
  readonly #provider: string;
  readonly #decoder = new TextDecoder();
  #rest = '';

  constructor(provider: string) {
    this.#provider = provider;
  }

  /** @throws {TallyrankError} `upstream_malformed` when a line is longer than any provider's */
  push(bytes: Buffer): string[] {
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true });
    const lines = text.split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > FRAME_LENGTH_MAX) throw malformed(this.#provider, 'a line without end');
    return lines.filter((line) => line.trim() !== '');
  }

  /** The last line of a server that forgets the line end after it; half a line is none. */
  end(): string[] {
    const last = this.#rest + this.#decoder.decode();
    this.#rest = '';
    return [last].filter(isWhole);
  }
}

function isWhole(data: string): boolean {
  return data === '[DONE]' || tryParseFields(data) !== null;
}
