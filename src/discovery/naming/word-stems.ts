import stemmers from 'snowball-stemmers';

/** Other scripts and words with digits are left as they are. */
const ENGLISH_WORD = /^[a-z]{3,}$/;
/** Cleared whole when it is full. */
const REMEMBERED_MAX = 50_000;

/** English stems (Snowball, Porter's second stemmer); remembers them, because text repeats its words. */
export class WordStems {
  readonly #stemmer = stemmers.newStemmer('english');
  readonly #known = new Map<string, string>();

  of(word: string): string {
    if (!ENGLISH_WORD.test(word)) return word;
    const known = this.#known.get(word);
    if (known !== undefined) return known;
    if (this.#known.size >= REMEMBERED_MAX) this.#known.clear();
    const stem = this.#stemmer.stem(word);
    this.#known.set(word, stem);
    return stem;
  }

  /** Of words with spaces between them. */
  ofTerm(term: string): string {
    return term
      .split(' ')
      .map((word) => this.of(word))
      .join(' ');
  }
}
