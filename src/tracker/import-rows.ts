import type { PromptMessage, PromptText } from '../core/prompt-text.ts';
import { toPromptText } from '../core/prompt-text.ts';
import type { RequestContext, TokenUsage } from '../core/usage-record.ts';
import { NO_CONTEXT } from '../core/usage-record.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A past request as a line of JSON told it; null where it said nothing. */
export interface ImportedRow {
  /** The source's own id of the request. */
  readonly sourceId: string | null;
  readonly startedAtMs: number | null;
  readonly model: string;
  readonly text: PromptText;
  readonly conversation: string | null;
  readonly response: string | null;
  readonly usage: TokenUsage;
  readonly latencyMs: number | null;
  readonly firstTokenMs: number | null;
  readonly costUsd: number | null;
  readonly isStream: boolean;
  readonly error: string | null;
  /** HTTP status of the provider's answer. */
  readonly statusCode: number | null;
  readonly context: RequestContext;
  /** Quality 0..1 that a person gave. */
  readonly feedback: number | null;
  /** Quality 0..1 that an evaluation gave. */
  readonly importedScore: number | null;
}

/** What was wrong with a line, in words for the reject file. */
export class ImportFault extends Error {}

/*
 * The names under which the field is met in the wild, the documented one first (docs/import.md). Latencies in
 * seconds have names of their own; an epoch is told by its size.
 */
const NAMES = {
  sourceId: ['id', 'request_id', 'requestId', 'call_id'],
  time: [
    'timestamp',
    'started_at',
    'startedAt',
    'start_time',
    'startTime',
    'created_at',
    'createdAt',
    'created',
    'time',
    'ts',
  ],
  model: ['model', 'model_id', 'modelId', 'model_name', 'modelName'],
  prompt: ['prompt', 'input', 'query', 'question', 'text'],
  messages: ['messages', 'prompt', 'input'],
  response: ['response', 'output', 'completion', 'answer'],
  promptTokens: ['prompt_tokens', 'promptTokens', 'input_tokens', 'inputTokens'],
  completionTokens: ['completion_tokens', 'completionTokens', 'output_tokens', 'outputTokens'],
  cachedTokens: ['cached_tokens', 'cachedTokens', 'cache_read_input_tokens'],
  latencyMs: [
    'latency_ms',
    'latencyMs',
    'response_time_ms',
    'responseTimeMs',
    'duration_ms',
    'durationMs',
    'time_ms',
    'timeMs',
  ],
  latencySeconds: ['latency_s', 'latency_seconds', 'duration_s', 'duration_seconds'],
  firstTokenMs: ['first_token_ms', 'firstTokenMs', 'ttft_ms', 'time_to_first_token_ms'],
  costUsd: ['cost_usd', 'costUsd', 'cost', 'spend', 'total_cost'],
  userId: ['user_id', 'userId', 'user', 'end_user'],
  sessionId: ['session_id', 'sessionId', 'conversation_id', 'conversationId', 'thread_id'],
  roomId: ['room_id', 'roomId', 'room', 'channel'],
  detectedIntent: ['detected_intent', 'detectedIntent', 'intent'],
  routingRule: ['routing_rule', 'routingRule'],
  priority: ['priority'],
  success: ['success', 'ok'],
  error: ['error', 'error_message', 'errorMessage', 'exception'],
  status: ['status', 'status_code', 'statusCode'],
  feedback: ['feedback', 'rating', 'satisfaction', 'thumbs'],
  importedScore: ['score', 'quality', 'eval_score'],
  isStream: ['stream', 'is_stream', 'isStream'],
} as const;

const PROMPT_LENGTH_MAX = 1_000_000;

/**
 * Reads one past request.
 *
 * @throws {ImportFault} why the line cannot be taken
 */
export function parseImportRow(value: unknown): ImportedRow {
  if (!isFields(value)) throw new ImportFault('not a JSON object');
  const model = text(find(value, NAMES.model));
  if (!model) throw new ImportFault('no model: give "model"');
  const messages = find(value, NAMES.messages);
  const isConversation = Array.isArray(messages);
  const prompt = isConversation
    ? toPromptText(messages as PromptMessage[])
    : toPromptText(text(find(value, NAMES.prompt)) ?? '');
  if (prompt.prompt.trim() === '') throw new ImportFault('no prompt: give "prompt" (text) or "messages"');
  if (prompt.prompt.length > PROMPT_LENGTH_MAX)
    throw new ImportFault(`prompt longer than ${PROMPT_LENGTH_MAX} characters`);
  return {
    sourceId: text(find(value, NAMES.sourceId)),
    startedAtMs: momentOf(find(value, NAMES.time)),
    model,
    text: prompt,
    conversation: isConversation ? JSON.stringify(messages) : null,
    response: responseOf(find(value, NAMES.response)),
    usage: usageOf(value),
    latencyMs: latencyOf(value),
    firstTokenMs: amount(value, 'firstTokenMs'),
    costUsd: amount(value, 'costUsd'),
    isStream: find(value, NAMES.isStream) === true,
    error: errorOf(value),
    statusCode: statusOf(find(value, NAMES.status)),
    context: contextOf(value),
    feedback: feedbackOf(find(value, NAMES.feedback)),
    importedScore: scoreOf(find(value, NAMES.importedScore)),
  };
}

/** The columns that an import reads, each with every name it goes by; documentation and --help print it. */
export const IMPORT_FIELD_NAMES: Readonly<Record<string, readonly string[]>> = NAMES;

function usageOf(row: Fields): TokenUsage {
  const nested = row['usage'];
  const usage: Fields = isFields(nested) ? { ...nested, ...row } : row;
  return {
    promptTokens: amount(usage, 'promptTokens'),
    completionTokens: amount(usage, 'completionTokens'),
    cachedTokens: amount(usage, 'cachedTokens'),
    cacheWriteTokens: null,
    reasoningTokens: null,
    isEstimated: false,
  };
}

function contextOf(row: Fields): RequestContext {
  const name = (key: 'userId' | 'sessionId' | 'roomId' | 'detectedIntent' | 'routingRule'): string | null =>
    text(find(row, NAMES[key]))?.slice(0, 512) ?? null;
  const tags = row['tags'];
  const priority = find(row, NAMES.priority);
  return {
    ...NO_CONTEXT,
    userId: name('userId'),
    sessionId: name('sessionId'),
    roomId: name('roomId'),
    detectedIntent: name('detectedIntent'),
    routingRule: name('routingRule'),
    priority: typeof priority === 'number' && Number.isInteger(priority) ? priority : null,
    tags: Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
    externalId: text(find(row, NAMES.sourceId)),
  };
}

function latencyOf(row: Fields): number | null {
  const ms = amount(row, 'latencyMs');
  if (ms !== null) return ms;
  const seconds = amount(row, 'latencySeconds');
  return seconds === null ? null : seconds * 1000;
}

function errorOf(row: Fields): string | null {
  const error = find(row, NAMES.error);
  if (typeof error === 'string' && error !== '') return error;
  if (isFields(error)) return text(error['message']) ?? 'error';
  if (error === true || find(row, NAMES.success) === false) return 'reported as failed';
  const status = find(row, NAMES.status);
  if (typeof status === 'number' && status >= 400) return `status ${status}`;
  if (typeof status === 'string' && /^(error|fail|failed|failure)$/i.test(status)) return `status ${status}`;
  return null;
}

function statusOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 100 && value < 600 ? value : null;
}

function responseOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** 1-5, thumbs as words or booleans; 0 and -1 are thumbs down. */
function feedbackOf(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  if (value === true || value === 'up' || value === 'good' || value === 'like') return 1;
  if (value === false || value === 'down' || value === 'bad' || value === 'dislike') return 0;
  const score = Number(value);
  if (score === -1 || score === 0) return 0;
  if (score >= 1 && score <= 5) return (score - 1) / 4;
  throw new ImportFault(`feedback ${JSON.stringify(value)?.slice(0, 40)} is neither 1 to 5 nor thumbs`);
}

function scoreOf(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  const score = Number(value);
  if (score >= 0 && score <= 1) return score;
  throw new ImportFault(`score ${JSON.stringify(value)?.slice(0, 40)} does not lie between 0 and 1`);
}

function momentOf(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  const isEpoch =
    typeof value === 'number' || (typeof value === 'string' && /^\d{9,19}(\.\d+)?$/.test(value));
  const ms = isEpoch ? epochMs(Number(value)) : Date.parse(String(value));
  if (!(ms >= Date.UTC(2015, 0) && ms <= Date.UTC(2100, 0))) {
    throw new ImportFault(
      `time ${JSON.stringify(value)?.slice(0, 40)} is not a moment between 2015 and 2100`,
    );
  }
  return ms;
}

/** Seconds, milliseconds, microseconds or nanoseconds, told by size: each range is a thousand times the last. */
function epochMs(epoch: number): number {
  if (epoch < 1e11) return epoch * 1e3;
  if (epoch < 1e14) return epoch;
  return epoch < 1e17 ? epoch / 1e3 : epoch / 1e6;
}

function amount(row: Fields, key: keyof typeof NAMES): number | null {
  const value = find(row, NAMES[key]);
  if (value === undefined || value === null || value === '') return null;
  const number = Number(value);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new ImportFault(
    `${NAMES[key][0]} ${JSON.stringify(value)?.slice(0, 40)} is not a number of 0 or more`,
  );
}

function find(row: Fields, names: readonly string[]): unknown {
  for (const name of names) if (row[name] !== undefined && row[name] !== null) return row[name];
  return undefined;
}

function text(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' ? String(value) : null;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
