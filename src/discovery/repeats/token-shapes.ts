/*
 * What stays the same when a program fills a text with values: its words, with numbers, dates, ids, links and
 * quotations as slots.
 */

/** What of a text is looked at; a template shows itself at its head. */
const TEXT_LENGTH_MAX = 2_000;

/** Slots by their form, in this order; each pattern is linear and none can read another's brackets. */
const SLOTS: readonly (readonly [slot: string, pattern: RegExp])[] = [
  ['<url>', /\bhttps?:\/\/[^\s<>"')\]]{1,2000}/giu],
  ['<email>', /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]{1,100}@[\p{L}\p{N}.-]{3,100}/gu],
  ['<quote>', /"[^"\n]{1,400}"|“[^”\n]{1,400}”|«[^»\n]{1,400}»|„[^“”\n]{1,400}[“”]|「[^」\n]{1,400}」/gu],
  ['<id>', /(?<![\p{L}\p{N}])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\p{L}\p{N}])/giu],
  [
    '<date>',
    /(?<![\p{L}\p{N}])(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[T ]\d{1,2}:\d{2}(?::\d{2})?(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?)?(?![\p{L}\p{N}])/gu,
  ],
  [
    '<date>',
    /\b(?:\d{1,2}(?:st|nd|rd|th)? )?(?:january|february|march|april|may|june|july|august|september|october|november|december)(?: \d{1,2}(?:st|nd|rd|th)?\b)?(?:,? \d{4})?/giu,
  ],
  ['<date>', /\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b/giu],
  ['<time>', /(?<![\p{L}\p{N}])\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]m)?(?![\p{L}\p{N}])/giu],
];
/** A word with a digit in it names a thing: INC-20415, v2.1.0, SKU_77. */
const WITH_DIGIT = /\p{Nd}/u;
const NUMBER = /^[\p{Sc}+-]?\p{Nd}[\p{Nd}.,_ ]*%?\p{Sc}?$/u;
/** A word, a slot, or one sign. Scripts without spaces are read sign by sign. */
const TOKENS =
  /<[a-z]{2,5}>|[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]|[\p{L}\p{M}\p{N}\p{Sc}_](?:[\p{L}\p{M}\p{N}\p{Sc}_]|[-.,'’](?=[\p{L}\p{N}]))*%?|[^\s\p{L}\p{N}]/gu;

/** Words of `text` in lower case, with slots for what a program fills in. */
export function shapeOf(text: string): string[] {
  let slotted = text.slice(0, TEXT_LENGTH_MAX).toLowerCase();
  for (const [slot, pattern] of SLOTS) slotted = slotted.replace(pattern, slot);
  return Array.from(slotted.matchAll(TOKENS), ([token]) => {
    if (!WITH_DIGIT.test(token)) return token;
    return NUMBER.test(token) ? '<number>' : '<id>';
  });
}

/** True for the slots of {@link shapeOf}. */
export function isSlot(token: string): boolean {
  return token.length > 3 && token.startsWith('<') && token.endsWith('>');
}

/** Words and slots as a text for people: slots in brackets, signs close to their words. */
export function shapeToText(shape: readonly string[]): string {
  return shape
    .join(' ')
    .replace(/ ([,.;:!?)\]])/g, '$1')
    .replace(/([([]) /g, '$1');
}
