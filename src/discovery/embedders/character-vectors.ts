/*
 * Vectors of words and signs without any training, by feature hashing (Weinberger et al. 2009): two texts are
 * alike when they share words or parts of words. No synonyms, but any language.
 */

/** Words are cut to their beginnings: endings are grammar in most languages that write spaces. */
const STEM_LENGTH = 5;
/** Parts of words meet where prefixes differ: Arabic articles, Russian prefixes, German compounds. */
const PART_LENGTH = 4;
const PART_WEIGHT = 0.5;
/** Short words are grammar. */
const WORD_LENGTH_FULL = 5;
const SHORT_WORD_WEIGHT = 0.1;
/** Hiragana alone is mostly grammar; kanji and katakana carry the topic. */
const GRAMMAR_SIGN_WEIGHT = 0.15;
const TEXT_LENGTH_MAX = 1_000;

const WORDS = /[\p{L}\p{M}\p{N}]+/gu;
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー]/u;
const HIRAGANA = /^\p{Script=Hiragana}+$/u;

/** Unit vector of `text` in `dims` dimensions; zero when it has no letters. Microseconds. */
export function characterVector(text: string, dims: number): Float32Array {
  const vector = new Float32Array(dims);
  const folded = text.slice(0, TEXT_LENGTH_MAX).normalize('NFKC').toLowerCase();
  for (const [word] of folded.matchAll(WORDS)) {
    for (const run of runsOf(word)) {
      if (UNSPACED.test(run)) addSigns(vector, run);
      else addWord(vector, run);
    }
  }
  return toUnit(vector);
}

/** A word in parts of one kind: "Pythonで" is a word and a sign. */
function runsOf(word: string): string[] {
  const runs: string[] = [];
  let isUnspaced: boolean | null = null;
  for (const sign of word) {
    const is = UNSPACED.test(sign);
    if (is === isUnspaced) runs[runs.length - 1] += sign;
    else runs.push(sign);
    isUnspaced = is;
  }
  return runs;
}

function addSigns(vector: Float32Array, run: string): void {
  const signs = [...run];
  signs.forEach((sign, at) => {
    const next = signs[at + 1];
    add(vector, sign, HIRAGANA.test(sign) ? 0 : 0.5);
    if (next !== undefined) add(vector, sign + next, HIRAGANA.test(sign + next) ? GRAMMAR_SIGN_WEIGHT : 1);
  });
}

function addWord(vector: Float32Array, word: string): void {
  const length = [...word].length;
  const weight = length >= WORD_LENGTH_FULL ? 1 : Math.max(SHORT_WORD_WEIGHT, (length - 2) / 3);
  add(vector, `^${word.slice(0, STEM_LENGTH)}`, weight);
  const partCount = Math.max(1, word.length - PART_LENGTH + 1);
  for (let at = 0; at + PART_LENGTH <= word.length; at++) {
    add(vector, word.slice(at, at + PART_LENGTH), (PART_WEIGHT * weight) / Math.sqrt(partCount / 2));
  }
}

/** Two places for each feature, with signs: what collides in one place does not in the other. */
function add(vector: Float32Array, feature: string, weight: number): void {
  for (const seed of [0x811c9dc5, 0x2c1b3c6d]) {
    let hash = seed;
    for (let at = 0; at < feature.length; at++) hash = Math.imul(hash ^ feature.charCodeAt(at), 0x01000193);
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x85ebca6b);
    hash ^= hash >>> 13;
    const place = (hash >>> 1) % vector.length;
    vector[place] = (vector[place] as number) + ((hash & 1) === 0 ? weight : -weight);
  }
}

function toUnit(vector: Float32Array): Float32Array {
  let square = 0;
  for (const value of vector) square += value * value;
  if (square === 0) return vector;
  const factor = 1 / Math.sqrt(square);
  return vector.map((value) => value * factor);
}
