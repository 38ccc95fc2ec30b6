const WORD = /[\p{L}\p{N}]+(?:\+\+|#|&\p{L})?/gu;
const LETTER = 1;
const DIGIT = 2;
const PLUS = 43;
const HASH_SIGN = 35;
const AMPERSAND = 38;

/** What each ASCII sign is: a letter, a digit, or 0 for what stands between words. */
const KIND_OF_ASCII = Uint8Array.from({ length: 128 }, (_, code) => {
  const sign = String.fromCharCode(code);
  return /[a-zA-Z]/.test(sign) ? LETTER : /[0-9]/.test(sign) ? DIGIT : 0;
});

/**
 * The words of a text, by place and hash: a phrase is looked up without making a string of each word. Keeps its
 * buffers, so it reads one text at a time.
 */
export class WordReader {
  /** Words of the last text. */
  count = 0;
  /** As {@link hashOf} gives them; the first `count` are valid. */
  readonly hashes: Int32Array;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  #text = '';

  /** @param wordsMax  words of a text that are read */
  constructor(wordsMax: number) {
    this.hashes = new Int32Array(wordsMax);
    this.#starts = new Uint32Array(wordsMax);
    this.#ends = new Uint32Array(wordsMax);
  }

  /** @returns the number of words: runs of letters and digits, with the ends of "c++", "c#" and "r&d" */
  read(text: string, isAscii: boolean): number {
    this.#text = text;
    this.count = 0;
    if (isAscii) this.#readAscii(text);
    else this.#readAny(text);
    return this.count;
  }

  /** True when these words stand at a place of the text. */
  hasAt(
    at: number,
    { words, hashes }: { readonly words: readonly string[]; readonly hashes: readonly number[] },
  ): boolean {
    if (at + words.length > this.count) return false;
    for (let k = words.length - 1; k >= 0; k--) if (this.hashes[at + k] !== hashes[k]) return false;
    // Two words may share a hash.
    for (let k = 0; k < words.length; k++) {
      const word = words[k] as string;
      const start = this.#starts[at + k] as number;
      if ((this.#ends[at + k] as number) - start !== word.length || !this.#text.startsWith(word, start))
        return false;
    }
    return true;
  }

  #readAscii(text: string): void {
    const { hashes } = this;
    let at = 0;
    while (at < text.length && this.count < hashes.length) {
      let code = text.charCodeAt(at);
      if (KIND_OF_ASCII[code] === 0) {
        at++;
        continue;
      }
      const start = at;
      let hash = 0;
      do {
        hash = (Math.imul(hash, 31) + code) | 0;
        code = ++at < text.length ? text.charCodeAt(at) : 0;
      } while (KIND_OF_ASCII[code] !== 0);
      const end = at + suffixLength(text, at, code);
      for (; at < end; at++) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
      this.#starts[this.count] = start;
      this.#ends[this.count] = end;
      hashes[this.count++] = hash;
    }
  }

  #readAny(text: string): void {
    for (const match of text.matchAll(WORD)) {
      if (this.count >= this.hashes.length) return;
      this.#starts[this.count] = match.index;
      this.#ends[this.count] = match.index + match[0].length;
      this.hashes[this.count++] = hashOf(match[0]);
    }
  }
}

/** Length of "++", "#" or "&" with a letter behind a word. */
function suffixLength(text: string, at: number, code: number): number {
  if (code === HASH_SIGN) return 1;
  if (code === PLUS) return text.charCodeAt(at + 1) === PLUS ? 2 : 0;
  if (code === AMPERSAND) return KIND_OF_ASCII[text.charCodeAt(at + 1)] === LETTER ? 2 : 0;
  return 0;
}

/** Of a word's code units; no more than a quick way to say that two words differ. */
export function hashOf(word: string): number {
  let hash = 0;
  for (let at = 0; at < word.length; at++) hash = (Math.imul(hash, 31) + word.charCodeAt(at)) | 0;
  return hash;
}
