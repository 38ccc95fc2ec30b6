/**
 * Text to hashed n-grams: words, pairs of neighbouring words and runs of four characters. The same code
 * trains and serves, so a change here needs a new {@link FEATURES_VERSION}: a classifier that was trained
 * with other features must not be loaded.
 */
export const FEATURES_VERSION = 1;

/** Feature numbers are smaller than this. 2^18: at 2^16 a fifth of the features of a real week collide. */
export const FEATURE_BUCKETS = 262_144;

/** Head and tail of a longer text are read: it is what is asked, and the hot path stays in microseconds. */
const HEAD_LENGTH = 700;
const TAIL_LENGTH = 300;

/** Features of one text at most; three kinds per character would be the worst case. */
const FEATURES_MAX = 3 * (HEAD_LENGTH + TAIL_LENGTH + 2);

const SPACE = 32;
/** Seeds keep the kinds apart: the word "that" and the run "that" are two features. */
const WORD_SEED = 0x811c9dc5;
const PAIR_SEED = 0x2c1b3c6d;
const RUN_SEED = 0x297a2d39;

const NOT_ASCII = /[^\0-\x7f]/;

/** Reads texts into one buffer that is used again: the hot path allocates nothing per prompt but the text. */
export class FeatureReader {
  /** Feature numbers of the last text; the first `count` are valid, repeats are kept. */
  readonly features: Uint32Array = new Uint32Array(FEATURES_MAX);
  count = 0;
  readonly #codes = new Uint16Array(HEAD_LENGTH + TAIL_LENGTH + 3);

  /** @returns the number of features, 0 for a text without letters or digits */
  read(text: string): number {
    this.count = 0;
    const length = this.#fold(text);
    this.#readWords(length);
    this.#readRuns(length);
    return this.count;
  }

  /**
   * Writes the text as code units: NFKC, lower case, everything that is no letter or digit one space, a space
   * at both ends.
   */
  #fold(text: string): number {
    const clipped =
      text.length <= HEAD_LENGTH + TAIL_LENGTH + 1
        ? text
        : `${text.slice(0, HEAD_LENGTH)} ${text.slice(-TAIL_LENGTH)}`;
    const isAscii = !NOT_ASCII.test(clipped);
    const folded = isAscii ? clipped : clipped.normalize('NFKC').toLowerCase();
    const codes = this.#codes;
    let length = 0;
    codes[length++] = SPACE;
    // NFKC can make a text longer; what does not fit is dropped.
    for (let at = 0; at < folded.length && length < codes.length - 1; at++) {
      let code = folded.charCodeAt(at);
      if (code < 128) code = foldAscii(code);
      else if (!isLetterBeyondAscii(code)) code = SPACE;
      if (code !== SPACE || codes[length - 1] !== SPACE) codes[length++] = code;
    }
    if (codes[length - 1] !== SPACE) codes[length++] = SPACE;
    return length;
  }

  #readWords(length: number): void {
    const codes = this.#codes;
    let previous = 0;
    let word = WORD_SEED;
    let isInWord = false;
    for (let at = 1; at < length; at++) {
      const code = codes[at] as number;
      if (code !== SPACE) {
        word = Math.imul(word ^ code, 0x01000193);
        isInWord = true;
        // Scripts without spaces: each sign is a word, and neighbours are pairs.
        if (!isUnspaced(code) && !(at + 1 < length && isUnspaced(codes[at + 1] as number))) continue;
      }
      if (!isInWord) continue;
      this.#add(word);
      if (previous !== 0) this.#add(Math.imul(previous ^ PAIR_SEED, 0x85ebca6b) ^ word);
      previous = word;
      word = WORD_SEED;
      isInWord = false;
    }
  }

  #readRuns(length: number): void {
    const codes = this.#codes;
    for (let at = 0; at + 3 < length; at++) {
      let hash = RUN_SEED;
      hash = Math.imul(hash ^ (codes[at] as number), 0x01000193);
      hash = Math.imul(hash ^ (codes[at + 1] as number), 0x01000193);
      hash = Math.imul(hash ^ (codes[at + 2] as number), 0x01000193);
      hash = Math.imul(hash ^ (codes[at + 3] as number), 0x01000193);
      this.#add(hash);
    }
  }

  /** FNV leaves the low bits weak; the finaliser of MurmurHash3 spreads them. */
  #add(hash: number): void {
    if (this.count >= FEATURES_MAX) return;
    let mixed = hash ^ (hash >>> 16);
    mixed = Math.imul(mixed, 0x85ebca6b);
    mixed ^= mixed >>> 13;
    mixed = Math.imul(mixed, 0xc2b2ae35);
    mixed ^= mixed >>> 16;
    this.features[this.count++] = mixed & (FEATURE_BUCKETS - 1);
  }
}

function foldAscii(code: number): number {
  if (code >= 97 && code <= 122) return code;
  if (code >= 65 && code <= 90) return code + 32;
  if (code >= 48 && code <= 57) return code;
  return SPACE;
}

/** By block: asking Unicode tables per sign would cost more than all the rest. Rare marks count as letters. */
function isLetterBeyondAscii(code: number): boolean {
  if (code < 0xc0) return code === 0xaa || code === 0xb5 || code === 0xba;
  if (code === 0xd7 || code === 0xf7) return false;
  if (code >= 0x2000 && code <= 0x2bff) return false;
  if (code >= 0x3000 && code <= 0x303f) return false;
  return !(code >= 0xfe10 && code <= 0xfe6f) && !(code >= 0xfff0);
}

/** Chinese, Japanese, Thai, Lao, Khmer and Burmese write no spaces between words. */
function isUnspaced(code: number): boolean {
  if (code < 0x0e00) return false;
  return (
    (code >= 0x3040 && code <= 0x9fff) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    code <= 0x0eff ||
    (code >= 0x1000 && code <= 0x109f) ||
    (code >= 0x1780 && code <= 0x17ff)
  );
}
