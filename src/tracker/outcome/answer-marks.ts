import { hash } from 'node:crypto';

/** What of an answer is kept beside its text (or in place of it), so that gaming can be seen later. */
export interface AnswerMarks {
  /** Equal for equal answers: 16 hexadecimal digits. null: there is no answer. */
  readonly responseHash: string | null;
  /** Share of the answer, 0..1, that stands word for word in the prompt. null: no answer, or no prompt. */
  readonly echoShare: number | null;
}

/** Characters of an answer that are hashed; constant answers are short, and this takes some 0.1 ms at most. */
const HASHED_LENGTH_MAX = 65_536;

/** Characters of a prompt that are searched; what lies behind cannot be recognised. */
const SEARCHED_LENGTH_MAX = 20_000;

/** Pieces of the answer that are looked for. Fewer make the share coarse, more cost time on every request. */
const PIECES_MAX = 16;

/** Characters of a piece. Shorter pieces meet by chance, longer ones miss an echo with a changed word. */
const PIECE_LENGTH = 32;

/**
 * Marks of an answer. The hash is 64 bits of SHA-256 over the text without white space around it. The echo is
 * an estimate: pieces of 32 characters, spread evenly over the answer, are looked up in the prompt. An answer
 * shorter than a piece is an echo when it is the prompt, and none otherwise.
 */
export function marksOfAnswer(response: string | null, prompt: string): AnswerMarks {
  const answer = response?.trim() ?? '';
  if (answer === '') return { responseHash: null, echoShare: null };
  const hashed =
    answer.length > HASHED_LENGTH_MAX ? `${answer.slice(0, HASHED_LENGTH_MAX)}${answer.length}` : answer;
  return {
    responseHash: hash('sha256', hashed).slice(0, 16),
    echoShare: echoShareOf(answer, prompt.slice(0, SEARCHED_LENGTH_MAX).trim()),
  };
}

function echoShareOf(answer: string, prompt: string): number | null {
  if (prompt === '') return null;
  if (answer.length < PIECE_LENGTH) return answer === prompt ? 1 : 0;
  const count = Math.min(PIECES_MAX, Math.floor(answer.length / PIECE_LENGTH));
  const step = count === 1 ? 0 : (answer.length - PIECE_LENGTH) / (count - 1);
  let found = 0;
  for (let piece = 0; piece < count; piece++) {
    const at = Math.floor(piece * step);
    if (prompt.includes(answer.slice(at, at + PIECE_LENGTH))) found++;
  }
  return found / count;
}
