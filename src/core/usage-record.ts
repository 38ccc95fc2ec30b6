import type { Fault } from './errors.ts';

/**
 * Token counts of one exchange. `promptTokens` includes cached and cache-written ones and
 * `completionTokens` includes reasoning (the OpenAI convention; providers that count apart are added up at
 * their protocol), so that nothing is counted twice. null: nobody said.
 */
export interface TokenUsage {
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
  readonly cachedTokens: number | null;
  readonly cacheWriteTokens: number | null;
  readonly reasoningTokens: number | null;
  /** True when we counted the text ourselves because the provider gave no usage. */
  readonly isEstimated: boolean;
}

export const NO_TOKEN_USAGE: TokenUsage = {
  promptTokens: null,
  completionTokens: null,
  cachedTokens: null,
  cacheWriteTokens: null,
  reasoningTokens: null,
  isEstimated: false,
};

/**
 * `shadow`: nobody asked for it and nobody saw its answer; it tells of the model, and of no person. `embedding`: vectors
 * were asked for, which is no question and has no answer that could serve a person well or badly. `cache`: somebody asked
 * and got the answer to an equal request of before; it tells of the person, and of no model.
 */
export type RecordSource = 'gateway' | 'library' | 'import' | 'shadow' | 'embedding' | 'cache';

/** Why an answer ended, in the words of the OpenAI protocol; null when the provider did not say. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'refusal';

/** Who asked, and in which surroundings; null where the client did not say. */
export interface RequestContext {
  readonly userId: string | null;
  readonly sessionId: string | null;
  readonly roomId: string | null;
  readonly keyId: string | null;
  readonly tags: readonly string[];
  readonly priority: number | null;
  readonly detectedIntent: string | null;
  readonly routingRule: string | null;
  /** The client's own id of the request. */
  readonly externalId: string | null;
}

export const NO_CONTEXT: RequestContext = {
  userId: null,
  sessionId: null,
  roomId: null,
  keyId: null,
  tags: [],
  priority: null,
  detectedIntent: null,
  routingRule: null,
  externalId: null,
};

/** What a provider says of its own time, in milliseconds; all of it lies inside the latency. null: not said. */
export interface ProviderTimings {
  /** A local model was loaded into memory; Ollama counts waiting for that into it. */
  readonly loadMs: number | null;
  /** The request waited for its turn before anything was computed. */
  readonly queueMs: number | null;
  /** The answer was written, from its first to its last token. */
  readonly generationMs: number | null;
}

export const NO_TIMINGS: ProviderTimings = { loadMs: null, queueMs: null, generationMs: null };

/** How the exchange ended; all that is known only at the end. */
export interface RequestOutcome extends ProviderTimings {
  /** Text of the answer; null when there was none or texts are not kept. */
  readonly response: string | null;
  readonly usage: TokenUsage;
  /** From the request's arrival to the end of the answer. */
  readonly latencyMs: number | null;
  /** From the request's arrival to the first byte of content; null for answers that are not streamed. */
  readonly firstTokenMs: number | null;
  /** Part of the latency that was ours and not the provider's. */
  readonly overheadMs: number | null;
  readonly finishReason: FinishReason | null;
  /** The provider's own name of the model that answered. */
  readonly modelReported: string | null;
  /** The provider's id of the answer, e.g. "chatcmpl-…". */
  readonly responseId: string | null;
  readonly statusCode: number | null;
  readonly attemptCount: number;
  /** Models that were tried before and failed by their own or their provider's fault; it counts against them. */
  readonly failedAttempts: readonly FailedAttempt[];
  readonly failure: RequestFailure | null;
}

/** A model that failed a request which another one then answered. */
export interface FailedAttempt {
  readonly modelId: string;
  readonly code: string;
}

export interface RequestFailure {
  readonly fault: Fault;
  readonly code: string;
  /** Never holds a prompt or a key. */
  readonly message: string;
}

/** One finished request. Immutable: what is learnt later (feedback, assignments) lives beside it. */
export interface UsageRecord extends RequestContext, RequestOutcome {
  /** UUID version 7 whose time is `startedAtMs`, so that a look-up by id opens one partition. */
  readonly requestId: string;
  readonly startedAtMs: number;
  readonly source: RecordSource;
  /** Of a shadow: the request that another model answered for the caller; null for all others. */
  readonly shadowOf: string | null;
  /** The name the client asked for, e.g. "auto" or "gpt-4o". */
  readonly modelAsked: string;
  /** Canonical `provider:name`. */
  readonly modelId: string;
  readonly isStream: boolean;
  /** The user's last turn; '' when texts are not kept. */
  readonly prompt: string;
  /** Up to two user turns before it; '' for none. */
  readonly context: string;
  /** Characters of `prompt`. */
  readonly promptLength: number;
  readonly promptHash: string;
  /** The whole conversation as JSON; null for plain prompts and where texts are not kept. */
  readonly conversation: string | null;
  /** Equal for equal answers, kept where texts are not; null: there was no answer. */
  readonly responseHash: string | null;
  /** Estimated share of the answer, 0..1, that stands word for word in the prompt; null: no answer. */
  readonly echoShare: number | null;
  /** null: no price is known. 0: declared free. */
  readonly costUsd: number | null;
  readonly priceVersion: string | null;
  /** Dollars that an answer from the cache would have cost anew; null or left out: not known, or no such answer. */
  readonly avoidedUsd?: number | null | undefined;
  /** The use case that the hot path gave it. */
  readonly useCase: string;
  readonly useCaseConfidence: number | null;
  /** The hand-written rule that gave the use case, which then holds in every run; null: the classifier gave it. */
  readonly useCaseRule: string | null;
  /** The discovery run that the use case was given under. */
  readonly runId: string;
  readonly snapshotVersion: string | null;
}

/** Faults that count against the model that answered. */
export function countsAgainstModel(fault: Fault): boolean {
  return fault === 'provider' || fault === 'model';
}

/** The provider part of a canonical model id. */
export function providerOf(modelId: string): string {
  const colon = modelId.indexOf(':');
  return colon < 0 ? '' : modelId.slice(0, colon);
}

/**
 * One row of the log as the store takes it: a JSON object of its columns, without a line end. What nobody said is left
 * out, since a column that a row lacks is stored as just that; most of a row's columns are.
 */
export function encodeUsageRecord(record: UsageRecord): string {
  const hasFailed = record.failedAttempts.length > 0;
  return JSON.stringify({
    request_id: record.requestId,
    started_at: storedMoment(record.startedAtMs),
    source: record.source,
    shadow_of: record.shadowOf ?? undefined,
    model_asked: record.modelAsked,
    model_id: record.modelId,
    provider: providerOf(record.modelId),
    model_reported: record.modelReported ?? undefined,
    is_stream: record.isStream || undefined,
    prompt: record.prompt,
    context: record.context || undefined,
    prompt_length: record.promptLength,
    prompt_hash: record.promptHash,
    conversation: record.conversation ?? undefined,
    response: record.response ?? undefined,
    response_length: record.response?.length,
    response_hash: record.responseHash ?? undefined,
    echo_share: record.echoShare ?? undefined,
    response_id: record.responseId ?? undefined,
    prompt_tokens: record.usage.promptTokens ?? undefined,
    completion_tokens: record.usage.completionTokens ?? undefined,
    cached_tokens: record.usage.cachedTokens ?? undefined,
    cache_write_tokens: record.usage.cacheWriteTokens ?? undefined,
    reasoning_tokens: record.usage.reasoningTokens ?? undefined,
    tokens_estimated: record.usage.isEstimated || undefined,
    latency_ms: record.latencyMs ?? undefined,
    first_token_ms: record.firstTokenMs ?? undefined,
    load_ms: record.loadMs ?? undefined,
    queue_ms: record.queueMs ?? undefined,
    generation_ms: record.generationMs ?? undefined,
    overhead_ms: record.overheadMs ?? undefined,
    cost_usd: record.costUsd ?? undefined,
    price_version: record.priceVersion ?? undefined,
    avoided_usd: record.avoidedUsd ?? undefined,
    user_id: record.userId ?? undefined,
    session_id: record.sessionId ?? undefined,
    room_id: record.roomId ?? undefined,
    key_id: record.keyId ?? undefined,
    tags: record.tags.length > 0 ? record.tags : undefined,
    priority: record.priority ?? undefined,
    routing_rule: record.routingRule ?? undefined,
    external_id: record.externalId ?? undefined,
    detected_intent: record.detectedIntent ?? undefined,
    success: record.failure === null,
    fault: record.failure?.fault,
    error_code: record.failure?.code,
    error_message: record.failure?.message,
    finish_reason: record.finishReason ?? undefined,
    status_code: record.statusCode ?? undefined,
    attempt_count: record.attemptCount,
    failed_model_ids: hasFailed ? record.failedAttempts.map(({ modelId }) => modelId) : undefined,
    failed_codes: hasFailed ? record.failedAttempts.map(({ code }) => code) : undefined,
    use_case: record.useCase,
    use_case_confidence: record.useCaseConfidence ?? undefined,
    use_case_rule: record.useCaseRule ?? undefined,
    run_id: record.runId,
    snapshot_version: record.snapshotVersion ?? undefined,
  });
}

/** "YYYY-MM-DD HH:MM:SS.mmm" in UTC: the one form that the engine reads with its milliseconds. */
export function storedMoment(ms: number): string {
  return new Date(ms).toISOString().slice(0, 23).replace('T', ' ');
}
