import { compileSafePattern, patternTextMax } from './safe-pattern.ts';

/** What a hand-written rule looks at; all that is given must hold. */
export interface RequestConditions {
  /** Must occur in the prompt, case-insensitively; of a list, all must. */
  readonly regex?: string | readonly string[] | undefined;
  /** A header of the request; without a value it must only be there. */
  readonly header?: { readonly name: string; readonly value?: string | undefined } | undefined;
  readonly keyId?: string | undefined;
  readonly roomId?: string | undefined;
  readonly userId?: string | undefined;
  readonly tag?: string | undefined;
}

/** A request as far as rules look at it. */
export interface RuleSubject {
  /** The user's last turn; null where the text was not kept. */
  readonly prompt: string | null;
  /** Names in lower case, as Node gives them; null where nobody kept them. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>> | null | undefined;
  readonly keyId?: string | null | undefined;
  readonly roomId?: string | null | undefined;
  readonly userId?: string | null | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** Conditions made ready for the hot path. Immutable. */
export class CompiledConditions {
  readonly #when: RequestConditions;
  readonly #patterns: readonly { readonly pattern: RegExp; readonly textLengthMax: number }[];
  readonly #headerName: string | null;

  /** @throws {RangeError} for a pattern that {@link patternFaults} has something against */
  constructor(when: RequestConditions) {
    this.#when = when;
    this.#patterns = patternsOf(when)
      .map(compileSafePattern)
      .map((pattern) => ({ pattern, textLengthMax: patternTextMax(pattern) }));
    this.#headerName = when.header?.name.toLowerCase() ?? null;
  }

  /** True where a look at the prompt is needed. */
  get readsPrompt(): boolean {
    return this.#patterns.length > 0;
  }

  /** Do all hold? null: what is known of the request does not say. */
  check(subject: RuleSubject): boolean | null {
    const when = this.#when;
    if (when.keyId !== undefined && when.keyId !== subject.keyId) return false;
    if (when.roomId !== undefined && when.roomId !== subject.roomId) return false;
    if (when.userId !== undefined && when.userId !== subject.userId) return false;
    if (when.tag !== undefined && subject.tags?.includes(when.tag) !== true) return false;
    let isKnown = true;
    if (this.#headerName !== null) {
      if (subject.headers === null) isKnown = false;
      else if (!hasHeader(subject.headers?.[this.#headerName], when.header?.value)) return false;
    }
    if (this.#patterns.length > 0) {
      const { prompt } = subject;
      if (prompt === null) isKnown = false;
      // Last: the only condition that costs.
      else if (!this.#patterns.every((one) => one.pattern.test(boundedText(prompt, one.textLengthMax)))) {
        return false;
      }
    }
    return isKnown ? true : null;
  }
}

/** What is wrong with the patterns, in sentences for their author; empty when nothing is. */
export function patternFaults(when: RequestConditions): string[] {
  const faults: string[] = [];
  for (const source of patternsOf(when)) {
    try {
      compileSafePattern(source);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      faults.push(`regex ${JSON.stringify(source)}: ${error.message}`);
    }
  }
  return faults;
}

/** True where no condition is given, so that every request would do. */
export function isUnconditional(when: object): boolean {
  return Object.values(when).every((condition) => condition === undefined);
}

function patternsOf({ regex }: RequestConditions): readonly string[] {
  if (regex === undefined) return [];
  return typeof regex === 'string' ? [regex] : regex;
}

function hasHeader(found: string | readonly string[] | undefined, wanted: string | undefined): boolean {
  if (found === undefined) return false;
  if (wanted === undefined) return true;
  return typeof found === 'string' ? found === wanted : found.includes(wanted);
}

/** Head and tail: what is asked stands before or after what was pasted. */
function boundedText(prompt: string, lengthMax: number): string {
  if (prompt.length <= lengthMax) return prompt;
  const half = lengthMax / 2;
  return `${prompt.slice(0, half - 1)}\n${prompt.slice(-half)}`;
}
