import type { ToolCall, ToolCallDelta } from '../../chat.ts';
import type { Fields } from '../fields.ts';
import { isFields, toCount, toFields, toFieldsList, toText, toWord, tryParseFields } from '../fields.ts';

/**
 * The tool calls of a whole message.
 *
 * @param answerId  the answer's id, from which calls get theirs where the server gives none
 */
export function decodeToolCalls(message: Fields, answerId: string | null): ToolCall[] {
  const calls = toFieldsList(message['tool_calls']).map((call, at) => decodeToolCall(call, answerId, at));
  const old = message['function_call'];
  // What tools were called by before there were several; some servers send it empty beside them.
  if (calls.length > 0 || !isFields(old) || toText(old['name']) === '') return calls;
  return [decodeToolCall({ function: old }, answerId, 0)];
}

function decodeToolCall(call: Fields, answerId: string | null, at: number): ToolCall {
  const isCustom = call['type'] === 'custom';
  const called = toFields(isCustom ? call['custom'] : call['function']);
  return {
    id: toWord(call['id']) ?? madeId(answerId, at),
    name: toText(called['name']),
    // A custom tool takes free text.
    arguments: isCustom ? JSON.stringify(called['input'] ?? '') : toArguments(called['arguments']),
  };
}

/** Arguments are a text; an object is what some servers send in its place. */
function toArguments(given: unknown): string {
  return isFields(given) ? JSON.stringify(given) : toText(given);
}

function madeId(answerId: string | null, at: number): string {
  return `call_${(answerId ?? '').replace(/[^\w-]/g, '')}_${at}`;
}

/** A call of a stream that has begun. */
interface BegunCall {
  /** The server's own index; null: it gives none. */
  readonly given: number | null;
  readonly id: string | null;
  /** True when its first piece held all its arguments. */
  readonly isWhole: boolean;
}

/**
 * Tells the calls of a stream apart and numbers them from 0. Servers begin at 1 (where a text had the 0), give all
 * calls the 0 (Gemini's) or leave the index out.
 */
export class ToolCallNumbers {
  readonly #begun: BegunCall[] = [];

  get count(): number {
    return this.#begun.length;
  }

  /** The piece under our index; id and name stand in the first piece of a call alone. */
  decode(call: Fields, answerId: string | null): ToolCallDelta {
    const called = toFields(call['function']);
    const given = toCount(call['index']);
    const id = toWord(call['id']);
    const name = toWord(called['name']);
    const piece = toArguments(called['arguments']);
    const known = this.#find(given, id, name);
    if (known >= 0) return { index: known, id: null, name: null, arguments: piece };
    const index = this.#begun.length;
    this.#begun.push({ given, id, isWhole: tryParseFields(piece) !== null });
    return { index, id: id ?? madeId(answerId, index), name, arguments: piece };
  }

  /** Our index of the call that a piece goes on with; -1: it begins one. */
  #find(given: number | null, id: string | null, name: string | null): number {
    const byId = id === null ? -1 : this.#begun.findLastIndex((call) => call.id === id);
    if (byId >= 0) return byId;
    const byIndex = this.#begun.findLastIndex((call) => call.given === given);
    const isOther = id !== null || given === null || this.#begun[byIndex]?.isWhole === true;
    // A piece without a name goes on with a call, whatever id it has.
    return name !== null && isOther ? -1 : byIndex;
  }
}
