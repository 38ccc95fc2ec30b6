import type { Classification } from '../core/classifier.ts';
import { TallyrankError } from '../core/errors.ts';
import type { PriceBook } from '../core/price-book.ts';
import type { PromptMessage, PromptText } from '../core/prompt-text.ts';
import { toPromptText } from '../core/prompt-text.ts';
import type { RecordSource, RequestContext, RequestOutcome, UsageRecord } from '../core/usage-record.ts';
import { NO_CONTEXT } from '../core/usage-record.ts';
import { marksOfAnswer } from './outcome/answer-marks.ts';

/** What is known of a request before it is made. Everything but model and prompt may be left out. */
export interface RequestFacts extends Partial<RequestContext> {
  /** The name asked for. */
  readonly model: string;
  readonly prompt: string | readonly PromptMessage[] | PromptText;
  /** Canonical id of the model that is called; derived from `model` when left out. */
  readonly modelId?: string | undefined;
  /** The whole conversation as JSON, for the log. */
  readonly conversation?: string | null | undefined;
  readonly isStream?: boolean | undefined;
  readonly startedAtMs?: number | undefined;
  /** Request whose answer this one is compared with; nobody sees this one's. */
  readonly shadowOf?: string | null | undefined;
  /** What it is in place of a question; left out: a question, or the shadow of one. */
  readonly source?: 'embedding' | 'cache' | undefined;
  /** What the router found already; classified here when left out. */
  readonly classification?: LabelledClassification | undefined;
}

export interface LabelledClassification extends Classification {
  /** The hand-written rule that decided; left out or null: the classifier did. */
  readonly ruleName?: string | null | undefined;
  readonly runId: string;
  readonly snapshotVersion: string | null;
}

/** A request between its beginning and its end. */
export interface OpenRequest {
  readonly facts: RequestFacts;
  readonly text: PromptText;
  readonly promptHash: string;
  readonly startedAtMs: number;
  readonly classification: LabelledClassification;
}

/** How the tracker makes a row of a request. */
export interface RecordSettings {
  readonly source: RecordSource;
  readonly keepTexts: boolean;
  readonly canonicalId: (name: string) => string;
  readonly prices: PriceBook;
}

/** The finished row of a request. */
export function recordOf(
  requestId: string,
  open: OpenRequest,
  outcome: RequestOutcome & { readonly modelId?: string },
  settings: RecordSettings,
): UsageRecord {
  const { facts, text, classification } = open;
  const modelId = outcome.modelId ?? facts.modelId ?? settings.canonicalId(facts.model);
  const price = settings.prices.price(
    modelId,
    outcome.usage,
    new Date(open.startedAtMs),
    outcome.modelReported,
  );
  const isCached = facts.source === 'cache';
  const { responseHash, echoShare } = marksOfAnswer(outcome.response, text.prompt);
  // Field by field: spreading objects into one of this size costs more than all the rest of a row.
  return {
    userId: facts.userId ?? null,
    sessionId: facts.sessionId ?? null,
    roomId: facts.roomId ?? null,
    keyId: facts.keyId ?? null,
    tags: facts.tags ?? NO_CONTEXT.tags,
    priority: facts.priority ?? null,
    detectedIntent: facts.detectedIntent ?? null,
    routingRule: facts.routingRule ?? null,
    externalId: facts.externalId ?? null,
    response: settings.keepTexts ? outcome.response : null,
    usage: outcome.usage,
    latencyMs: outcome.latencyMs,
    firstTokenMs: outcome.firstTokenMs,
    loadMs: outcome.loadMs,
    queueMs: outcome.queueMs,
    generationMs: outcome.generationMs,
    overheadMs: outcome.overheadMs,
    finishReason: outcome.finishReason,
    modelReported: outcome.modelReported,
    responseId: outcome.responseId,
    statusCode: outcome.statusCode,
    attemptCount: outcome.attemptCount,
    failedAttempts: outcome.failedAttempts,
    failure: outcome.failure,
    responseHash,
    echoShare,
    requestId,
    startedAtMs: open.startedAtMs,
    source: facts.source ?? (facts.shadowOf ? 'shadow' : settings.source),
    shadowOf: facts.shadowOf ?? null,
    modelAsked: facts.model,
    modelId,
    isStream: facts.isStream ?? false,
    prompt: settings.keepTexts ? text.prompt : '',
    context: settings.keepTexts ? text.context : '',
    promptLength: text.prompt.length,
    promptHash: open.promptHash,
    conversation: settings.keepTexts ? (facts.conversation ?? null) : null,
    // The answer of before costs nothing again; what it would have cost is what the cache is worth.
    costUsd: isCached ? 0 : (price?.costUsd ?? null),
    avoidedUsd: isCached ? (price?.costUsd ?? null) : null,
    priceVersion: isCached ? null : (price?.version ?? null),
    useCase: classification.useCase,
    useCaseConfidence: classification.confidence,
    useCaseRule: classification.ruleName ?? null,
    runId: classification.runId,
    snapshotVersion: classification.snapshotVersion,
  };
}

/**
 * Prompt and context of whatever form a caller has the prompt in.
 *
 * @throws {TallyrankError} `bad_request`
 */
export function promptTextOf(prompt: RequestFacts['prompt']): PromptText {
  if (typeof prompt === 'string' || Array.isArray(prompt)) return toPromptText(prompt);
  if (typeof prompt === 'object' && prompt !== null && 'prompt' in prompt) return prompt;
  throw new TallyrankError('bad_request', 'logRequest needs a prompt: a string or an array of messages.', {
    param: 'prompt',
  });
}
