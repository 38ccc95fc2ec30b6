import type { UseCaseRanking } from '../core/snapshot.ts';

/**
 * Models in one piece. A piece is copied in one go: 64 take the receiving thread about half a millisecond. Fewer cost
 * a turn of its event loop each; more, and what else it does waits for them.
 */
const PIECE_MODELS = 64;

/** Rankings in pieces that are small enough to be copied between two other events. */
export function piecesOf(rankings: readonly UseCaseRanking[]): UseCaseRanking[][] {
  const pieces: UseCaseRanking[][] = [];
  let modelCount = PIECE_MODELS;
  for (const ranking of rankings) {
    if (modelCount + ranking.models.length > PIECE_MODELS) {
      pieces.push([]);
      modelCount = 0;
    }
    pieces.at(-1)?.push(ranking);
    modelCount += ranking.models.length;
  }
  return pieces;
}

/**
 * Messages to a thread that has better things to do: one at a time, the next when it says that it has come round to
 * that one. A port by itself delivers everything that waits in a single turn of the receiver's event loop.
 */
export class Handover<Message> {
  readonly #post: (message: Message) => void;
  readonly #waiting: Message[] = [];
  #isOnItsWay = false;

  constructor(post: (message: Message) => void) {
    this.#post = post;
  }

  say(message: Message): void {
    this.#waiting.push(message);
    if (!this.#isOnItsWay) this.taken();
  }

  /** The receiver took the last message. */
  taken(): void {
    const message = this.#waiting.shift();
    this.#isOnItsWay = message !== undefined;
    if (message !== undefined) this.#post(message);
  }
}
