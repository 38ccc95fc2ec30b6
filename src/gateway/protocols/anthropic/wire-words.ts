import type { FinishReason } from '../../../core/usage-record.ts';

/** The version of the protocol that we speak; the only one there is. */
export const API_VERSION = '2023-06-01';

/** Field of a request whose conversation lies at Anthropic: the turns after the first hold only what is new. */
export const THREAD = 'thread';

/**
 * The signature of thoughts that another provider's model had: Anthropic's clients demand one and send it back.
 * Anthropic itself would refuse it, so such thoughts are left out of what it is sent.
 */
export const UNSIGNED = 'unsigned';

/** Ids of tool calls as Anthropic demands them; some servers' ids hold dots and colons. */
export function toToolId(id: string): string {
  return id.replace(/[^a-zA-Z0-9_-]/g, '_');
}

const FINISH_REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'refusal',
};

/** null: the answer has not ended. A word that we do not know still says that it has. */
export function decodeStopReason(reason: unknown): FinishReason | null {
  return typeof reason === 'string' ? (FINISH_REASONS[reason] ?? 'stop') : null;
}

/** A filter's stop is the nearest to what Anthropic calls a refusal. */
export function encodeStopReason(reason: FinishReason | null, stopSequence: string | null): string {
  switch (reason) {
    case 'length':
      return 'max_tokens';
    case 'tool_calls':
      return 'tool_use';
    case 'refusal':
    case 'content_filter':
      return 'refusal';
    default:
      return stopSequence === null ? 'end_turn' : 'stop_sequence';
  }
}
