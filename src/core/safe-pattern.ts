/*
 * Regular expressions that an operator writes and the hot path runs on text of strangers. JavaScript's engine
 * backtracks, so a pattern is admitted only when its worst case on a bounded text is harmless: no repetition
 * inside a repetition (exponential), and no two open repetitions that can share a text (cubic, since the search
 * itself starts at every sign). The criterion is that of polynomial ambiguity (Weber and Seidl 1991), made
 * coarser: it refuses some patterns that would do, and says how to write them.
 */

/** Signs of a text that a pattern without open repetitions is tried on: a few microseconds. */
export const PATTERN_TEXT_MAX = 4_000;
/** Of one with an open repetition: quadratic at worst, 3 ms on 1,500 signs of hostile text and 22 ms on 4,000. */
const OPEN_PATTERN_TEXT_MAX = 1_500;
const PATTERN_LENGTH_MAX = 1_000;
/** Each optional part may double the work. */
const OPTIONAL_PARTS_MAX = 8;
/** {n} of a single sign; higher ones are data. */
const FIXED_REPEATS_MAX = 100;

/** Signs by which sets are compared: ASCII, and one each for a letter, a digit, a mark and an emoji beyond it. */
const SAMPLES = [
  ...Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)),
  'é',
  'Я',
  '漢',
  'あ',
  'ا',
  '٣',
  '—',
  '😀',
];

interface Part {
  /** One claim per sample: can this part read it? */
  readonly signs: readonly boolean[];
  readonly isOpen: boolean;
}

interface Frame {
  /** Where the parts of the group begin. */
  readonly from: number;
  hasRepeat: boolean;
  hasChoice: boolean;
}

/**
 * A case-insensitive, Unicode-aware pattern that cannot be made slow.
 *
 * @throws {RangeError} with a sentence for the operator: what is refused and what to write instead
 */
export function compileSafePattern(written: string): RegExp {
  if (written === '' || written.length > PATTERN_LENGTH_MAX) {
    throw new RangeError(`a pattern has 1 to ${PATTERN_LENGTH_MAX} characters`);
  }
  // ".*refund.*" means "refund" here, where only its occurrence counts.
  const source = written.replace(/^\.\*\??(?=.)/su, '').replace(/(?<=[^\\])\.\*\??$/u, '');
  let pattern: RegExp;
  try {
    pattern = new RegExp(source, 'iu');
  } catch (error) {
    throw new RangeError(error instanceof Error ? error.message : 'this is no regular expression');
  }
  checkParts(partsOf(source), source.startsWith('^') && !source.includes('|'));
  return pattern;
}

/** Signs of a text that a pattern of {@link compileSafePattern} may be tried on. */
export function patternTextMax({ source }: RegExp): number {
  return partsOf(source).some(({ isOpen }) => isOpen) ? OPEN_PATTERN_TEXT_MAX : PATTERN_TEXT_MAX;
}

function checkParts(parts: readonly Part[], isAnchored: boolean): void {
  const open = parts.flatMap((part, at) => (part.isOpen ? [at] : []));
  // The search begins at every sign, which is itself an open repetition before the pattern.
  const depthMax = isAnchored ? 2 : 1;
  const depths = open.map(() => 1);
  open.forEach((at, index) => {
    for (let before = 0; before < index; before++) {
      if (canShare(parts, open[before] as number, at)) {
        depths[index] = Math.max(depths[index] as number, (depths[before] as number) + 1);
      }
    }
    if ((depths[index] as number) > depthMax) {
      throw new RangeError(
        'several open repetitions (such as ".*" twice) can read the same text, which takes too long on hostile ones: ' +
          'give the parts as a list of patterns, all of which must occur',
      );
    }
  });
}

/** True when a text exists that the part `from`, all between, and the part `to` can each read. */
function canShare(parts: readonly Part[], from: number, to: number): boolean {
  const shared = (parts[from] as Part).signs.map((can, n) => can && (parts[to] as Part).signs[n] === true);
  if (!shared.some(Boolean)) return false;
  for (let at = from + 1; at < to; at++) {
    const part = parts[at] as Part;
    // An open part between may be left out of the text (it can be empty, or is one of two choices).
    if (!part.isOpen && !part.signs.some((can, n) => can && shared[n] === true)) return false;
  }
  return true;
}

/** The single-sign parts of a pattern in their order; groups are flattened after their repetition was checked. */
function partsOf(source: string): Part[] {
  const parts: Part[] = [];
  const frames: Frame[] = [{ from: 0, hasRepeat: false, hasChoice: false }];
  let optionalCount = 0;
  let at = 0;
  while (at < source.length) {
    const sign = source[at] as string;
    let group: Frame | null = null;
    let partsFrom = parts.length;
    if (sign === '(') {
      frames.push({ from: parts.length, hasRepeat: false, hasChoice: false });
      at += /^\((?:\?(?:[:=!]|<[=!]|<[^>]*>))?/.exec(source.slice(at))?.[0].length ?? 1;
      continue;
    }
    if (sign === '|') {
      (frames[frames.length - 1] as Frame).hasChoice = true;
      at++;
      continue;
    }
    if (sign === ')') {
      group = frames.pop() as Frame;
      partsFrom = group.from;
      at++;
    } else {
      const atom = atomAt(source, at);
      at += atom.length;
      if (atom.isAssertion) continue;
      parts.push({ signs: signsOf(atom.text), isOpen: false });
    }
    const repeat = repeatAt(source, at);
    const outer = frames[frames.length - 1] as Frame;
    if (repeat !== null) {
      at += repeat.length;
      if (repeat.isOptional && ++optionalCount > OPTIONAL_PARTS_MAX) {
        throw new RangeError(`more than ${OPTIONAL_PARTS_MAX} optional parts`);
      }
      if (group !== null && !repeat.isOptional) checkRepeatedGroup(group);
      outer.hasRepeat = true;
      if (!repeat.isOptional && !repeat.isFixed) openParts(parts, partsFrom);
    }
    if (group !== null) {
      outer.hasRepeat ||= group.hasRepeat;
      outer.hasChoice ||= group.hasChoice;
    }
  }
  return parts;
}

function checkRepeatedGroup(group: Frame): void {
  if (group.hasRepeat) {
    throw new RangeError(
      'a repetition inside a repeated group, such as "(a+)+", takes exponential time on hostile text: repeat one of them only',
    );
  }
  if (group.hasChoice) {
    throw new RangeError(
      'a choice inside a repeated group, such as "(a|b)*", can take exponential time: write single signs as a class, "[ab]*"',
    );
  }
}

/** A repeated group reads any of its signs any number of times: one open part with all of them. */
function openParts(parts: Part[], from: number): void {
  const repeated = parts.splice(from);
  const signs = SAMPLES.map((_, n) => repeated.some((part) => part.signs[n] === true));
  parts.push({ signs, isOpen: true });
}

function atomAt(source: string, at: number): { text: string; length: number; isAssertion: boolean } {
  const rest = source.slice(at);
  if (rest.startsWith('[')) {
    const text = /^\[(?:\\[\s\S]|[^\]\\])*\]/.exec(rest)?.[0] ?? rest;
    return { text, length: text.length, isAssertion: false };
  }
  if (rest.startsWith('\\')) {
    if (/^\\[1-9k]/.test(rest)) throw new RangeError('references to groups, such as "\\1", are not allowed');
    const text = /^\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[a-zA-Z]|[\s\S])/.exec(
      rest,
    )?.[0];
    const written = text ?? rest.slice(0, 2);
    return { text: written, length: written.length, isAssertion: /^\\[bB]$/.test(written) };
  }
  const sign = String.fromCodePoint(source.codePointAt(at) as number);
  return { text: sign, length: sign.length, isAssertion: sign === '^' || sign === '$' };
}

function repeatAt(
  source: string,
  at: number,
): { length: number; isOptional: boolean; isFixed: boolean } | null {
  const found = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/.exec(source.slice(at));
  if (found === null) return null;
  const [text, least, comma] = found;
  const isFixed = least !== undefined && comma === '';
  if (isFixed && Number(least) > FIXED_REPEATS_MAX) {
    throw new RangeError(`{${least}}: at most ${FIXED_REPEATS_MAX} repetitions`);
  }
  return { length: text.length, isOptional: text.startsWith('?'), isFixed };
}

function signsOf(atom: string): boolean[] {
  const single = new RegExp(`^${atom}$`, 'iu');
  return SAMPLES.map((sample) => single.test(sample));
}
