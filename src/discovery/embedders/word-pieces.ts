/** A word is remembered with its pieces: real text repeats its words. Cleared whole when it is full. */
const CACHED_WORDS_MAX = 50_000;
/** As in the vocabulary's own tokenizer: longer "words" are data, not language. */
const WORD_LENGTH_MAX = 100;
const NO_PIECES: readonly number[] = [];

/**
 * BERT's uncased tokenizer: lower case without accents, punctuation and Chinese signs apart, then the longest
 * known piece first (Devlin et al. 2019, after Wu et al. 2016). Words that have no pieces are left out, where
 * BERT would say [UNK].
 */
export class WordPieces {
  readonly #pieceIds = new Map<string, number>();
  readonly #cache = new Map<string, readonly number[]>();

  /** @param vocabulary  pieces by number; those that continue a word start with "##" */
  constructor(vocabulary: readonly string[]) {
    vocabulary.forEach((piece, id) => {
      if (!/^\[.+\]$/.test(piece)) this.#pieceIds.set(piece, id);
    });
  }

  /** Writes piece numbers to `target` until it is full. @returns how many were written */
  tokenise(text: string, target: Int32Array): number {
    let count = 0;
    for (const [word] of fold(text).matchAll(WORDS)) {
      for (const piece of this.#piecesOf(word)) {
        if (count === target.length) return count;
        target[count++] = piece;
      }
    }
    return count;
  }

  #piecesOf(word: string): readonly number[] {
    const known = this.#cache.get(word);
    if (known) return known;
    const pieces = this.#split(word);
    if (this.#cache.size >= CACHED_WORDS_MAX) this.#cache.clear();
    this.#cache.set(word, pieces);
    return pieces;
  }

  #split(word: string): readonly number[] {
    if (word.length > WORD_LENGTH_MAX) return NO_PIECES;
    const pieces: number[] = [];
    let from = 0;
    while (from < word.length) {
      let to = word.length;
      let found: number | undefined;
      for (; to > from; to--) {
        found = this.#pieceIds.get(from === 0 ? word.slice(0, to) : `##${word.slice(from, to)}`);
        if (found !== undefined) break;
      }
      if (found === undefined) return NO_PIECES;
      pieces.push(found);
      from = to;
    }
    return pieces;
  }
}

/** A Chinese sign, a run of letters and digits with their marks, or one sign of punctuation. */
const WORDS = /[㐀-䶿一-鿿豈-﫿]|(?:(?![㐀-䶿一-鿿豈-﫿])[\p{L}\p{N}\p{M}])+|[^\s\p{L}\p{N}\p{M}\p{C}]/gu;
const NOT_ASCII = /[^\0-\x7f]/;

function fold(text: string): string {
  const lower = text.toLowerCase();
  return NOT_ASCII.test(lower) ? lower.normalize('NFD').replace(/\p{Mn}/gu, '') : lower;
}
