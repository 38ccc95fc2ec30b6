import type { FinishReason, ProviderTimings, TokenUsage } from '../core/usage-record.ts';

/**
 * The neutral request: the body of OpenAI's chat completions, of which we type what we read. Fields that we
 * do not know stay in the object and reach servers that speak the same protocol. What other protocols can say
 * beyond it stands in fields of theirs: `thinking`, `top_k`, `options`, `keep_alive`, `format`.
 */
export interface ChatRequest {
  readonly [field: string]: unknown;
  /** The name the client asked for. */
  readonly model: string;
  /** Never empty. */
  readonly messages: readonly ChatMessage[];
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
  readonly n?: number | null;
  readonly tools?: readonly ChatTool[] | null;
  readonly tool_choice?: unknown;
  readonly parallel_tool_calls?: boolean | null;
  readonly response_format?: ResponseFormat | null;
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly seed?: number | null;
  readonly presence_penalty?: number | null;
  readonly frequency_penalty?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly user?: string | null;
  readonly metadata?: Readonly<Record<string, unknown>> | null;
}

export interface ChatMessage {
  readonly role: string;
  readonly content?: string | readonly ContentPart[] | null;
  readonly tool_calls?: unknown;
  readonly tool_call_id?: unknown;
  /** Anthropic's hint where a cached prompt may end; parts and tools carry it as well. */
  readonly cache_control?: unknown;
  /** What the assistant thought, for models that want their thoughts back. */
  readonly reasoning_content?: unknown;
  /** The same with the provider's proof that they are its own: see {@link ThinkingBlock}. */
  readonly thinking_blocks?: unknown;
  /** Of a tool's result: the tool failed, and the content says how. */
  readonly is_error?: unknown;
}

/**
 * Thoughts as Anthropic gives them, with a signature or encrypted. They must come back unchanged in the next
 * turn, or the provider refuses the conversation.
 */
export type ThinkingBlock =
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string };

/** A part of a message: `{ type: 'text', text }`, `{ type: 'image_url', image_url: { url } }` and others. */
export interface ContentPart {
  readonly [field: string]: unknown;
  readonly type: string;
}

export interface ChatTool {
  readonly type?: unknown;
  readonly function?: {
    readonly name?: unknown;
    readonly description?: unknown;
    readonly parameters?: unknown;
    readonly strict?: unknown;
  };
  readonly cache_control?: unknown;
}

export interface ResponseFormat {
  readonly type?: unknown;
  readonly json_schema?: { readonly schema?: unknown; readonly [field: string]: unknown } | null;
}

/** A call of a tool as the model made it; `arguments` is the text that ought to be JSON. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** A piece of a tool call: the first piece of an index carries id and name, the others add to the arguments. */
export interface ToolCallDelta {
  readonly index: number;
  readonly id: string | null;
  readonly name: string | null;
  readonly arguments: string;
}

/** One step of a streamed answer: whatever the provider said at once. Empty strings and nulls say nothing. */
export interface AnswerPart {
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string;
  readonly toolCalls: readonly ToolCallDelta[];
  /** Signed thoughts, each when it is whole; their text has come before as `reasoning`. */
  readonly thinkingBlocks: readonly ThinkingBlock[];
  readonly finishReason: FinishReason | null;
  /** The stop sequence that ended the answer, where the provider tells which. */
  readonly stopSequence: string | null;
  readonly usage: TokenUsage | null;
  /** The provider's own usage object where it speaks OpenAI's protocol: its details go on to the client. */
  readonly usageWire: Readonly<Record<string, unknown>> | null;
  readonly responseId: string | null;
  readonly modelReported: string | null;
  /** The provider works with tools of its own: nothing to read yet, but nobody else takes over any more. */
  readonly isWork: boolean;
  /** null: the part says nothing of times. */
  readonly timings: ProviderTimings | null;
  /**
   * The provider's event, framed, that may go to the client as it is: set only when the client speaks the same
   * protocol. null: encode the part, if it says anything.
   */
  readonly wire: string | null;
}

/** A part that says nothing: the base of all others. */
export const EMPTY_PART: AnswerPart = {
  text: '',
  reasoning: '',
  refusal: '',
  toolCalls: [],
  thinkingBlocks: [],
  finishReason: null,
  stopSequence: null,
  usage: null,
  usageWire: null,
  responseId: null,
  modelReported: null,
  isWork: false,
  timings: null,
  wire: null,
};

/** A whole answer. */
export interface ChatAnswer {
  readonly text: string;
  readonly reasoning: string;
  readonly refusal: string;
  readonly toolCalls: readonly ToolCall[];
  readonly thinkingBlocks: readonly ThinkingBlock[];
  readonly finishReason: FinishReason | null;
  readonly stopSequence: string | null;
  readonly usage: TokenUsage;
  readonly responseId: string | null;
  readonly modelReported: string | null;
  readonly timings: ProviderTimings;
  /** The provider's bytes, set only when the client speaks the same protocol: forwarded unchanged. */
  readonly wire: Buffer | null;
}

/** True when a part holds something that a person or a program could use. */
export function hasContent(part: AnswerPart): boolean {
  return (
    part.text !== '' ||
    part.reasoning !== '' ||
    part.refusal !== '' ||
    part.toolCalls.length > 0 ||
    part.isWork
  );
}

/** True for an answer without text, refusal and tool calls; thoughts alone are no answer. */
export function isEmptyAnswer(answer: ChatAnswer): boolean {
  return answer.toolCalls.length === 0 && answer.refusal === '' && answer.text.trim() === '';
}

/** What the log keeps as the answer: its text, else its tool calls or refusal; null for nothing. */
export function recordedText(answer: ChatAnswer): string | null {
  if (answer.text !== '') return answer.text;
  if (answer.toolCalls.length > 0) return JSON.stringify(answer.toolCalls);
  return answer.refusal === '' ? null : answer.refusal;
}
