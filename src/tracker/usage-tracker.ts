import type { Decision } from '../core/decision.ts';
import { encodeDecision } from '../core/decision.ts';
import { TallyrankError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { canonicalModelName } from '../core/model-names.ts';
import { PriceBook } from '../core/price-book.ts';
import type { PromptText } from '../core/prompt-text.ts';
import { classifiedText, promptHash } from '../core/prompt-text.ts';
import type { Signal } from '../core/signal.ts';
import { encodeSignal } from '../core/signal.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import type { RecordSource, RequestOutcome, TokenUsage, UsageRecord } from '../core/usage-record.ts';
import { encodeUsageRecord, storedMoment } from '../core/usage-record.ts';
import { type UseCaseRule, UseCaseRules } from '../core/use-case-rules.ts';
import type { DeliveryCounters } from './delivery.ts';
import { Delivery } from './delivery.ts';
import type { FsyncPolicy } from './journal.ts';
import { RecentIds } from './recent-ids.ts';
import type { LabelledClassification, OpenRequest, RequestFacts } from './request-facts.ts';
import { promptTextOf, recordOf } from './request-facts.ts';
import { RequestIds } from './request-ids.ts';
import { factsOfResponse, failureOfError, failureOfFacts } from './response-facts.ts';
import { SessionMemory } from './sessions.ts';
import type { UsageSink } from './shipper.ts';
import { stderrLogger } from './stderr-logger.ts';
import { withEstimatedTokens } from './token-estimate.ts';

export interface UnresolvedFeedback {
  readonly referenceKind: 'response_id' | 'external_id';
  readonly reference: string;
  /** Quality 0..1. */
  readonly value: number;
  readonly comment: string | null;
}

/** What the tracker needs of a store; `openDatabase` gives one. */
export interface TrackerDatabase extends UsageSink {
  /** Folder below which the journal lies. */
  readonly dataDir: string;
  /** The last published snapshot: classifies prompts of callers that bring none. */
  latestSnapshot?(): Promise<Snapshot | null>;
}

export interface UsageTrackerOptions {
  readonly db: TrackerDatabase;
  /** Rows that wait before a batch is sent ahead of its time. */
  readonly bufferSize?: number | undefined;
  /** Longest time a row waits for its batch. */
  readonly flushIntervalMs?: number | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: (() => number) | undefined;
  readonly prices?: PriceBook | undefined;
  /** Canonical id of a model's name; the catalog's, or what the name alone tells. */
  readonly canonicalId?: ((name: string) => string) | undefined;
  readonly snapshots?: { readonly current: Snapshot } | undefined;
  /** Hand-written use cases; they see no headers here. Requests that come with a classification are left alone. */
  readonly useCaseRules?: readonly UseCaseRule[] | undefined;
  /** How the rows are marked; the gateway says "gateway". */
  readonly source?: RecordSource | undefined;
  /** False keeps hashes and numbers only. */
  readonly keepTexts?: boolean | undefined;
  readonly fsync?: FsyncPolicy | undefined;
  readonly journalMaxBytes?: number | undefined;
  /** Called with each finished request after it was handed to the journal. */
  readonly onFinished?: ((record: UsageRecord, decision: Decision | null) => void) | undefined;
  /** Called with each signal after it was handed to the journal. */
  readonly onSignal?: ((signal: Signal) => void) | undefined;
}

export interface TrackerCounters extends DeliveryCounters {
  /** Requests that were logged and never answered; the oldest are forgotten at {@link OPEN_COUNT_MAX}. */
  unfinishedCount: number;
  openCount: number;
}

/** Requests under way that are remembered. Small: slow answers go unlogged. Large: forgotten calls cost memory. */
const OPEN_COUNT_MAX = 100_000;

/**
 * Logs model requests: at once in memory and journal, in batches to the store. Used by the gateway, and
 * alone in anybody's code. Never waits for the store; what it cannot keep it counts.
 */
export class UsageTracker implements AsyncDisposable {
  readonly #db: TrackerDatabase;
  readonly #logger: Logger;
  readonly #clock: () => number;
  readonly #prices: PriceBook;
  readonly #canonicalId: (name: string) => string;
  readonly #keepTexts: boolean;
  readonly #source: RecordSource;
  readonly #onFinished: ((record: UsageRecord, decision: Decision | null) => void) | null;
  readonly #onSignal: ((signal: Signal) => void) | null;
  readonly #snapshots: { readonly current: Snapshot };
  readonly #useCaseRules: UseCaseRules;
  readonly #delivery: Delivery;
  readonly #sessions = new SessionMemory();
  readonly #open = new Map<string, OpenRequest>();
  readonly #recentIds = new RecentIds();
  readonly #requestIds = new RequestIds();
  /** Decisions by one plan share one list, and it is the largest part of their rows. */
  readonly #candidateTexts = new WeakMap<Decision['candidates'], string>();
  #unfinishedCount = 0;
  #isClosed = false;
  readonly #pendingFinish = new Set<Promise<void>>();

  constructor(options: UsageTrackerOptions) {
    this.#db = options.db;
    this.#logger = options.logger ?? stderrLogger('UsageTracker');
    this.#clock = options.clock ?? Date.now;
    this.#prices = options.prices ?? new PriceBook();
    this.#canonicalId = options.canonicalId ?? canonicalModelName;
    this.#keepTexts = options.keepTexts ?? true;
    this.#onFinished = options.onFinished ?? null;
    this.#onSignal = options.onSignal ?? null;
    this.#snapshots = options.snapshots ?? this.#followSnapshot();
    this.#useCaseRules = new UseCaseRules(options.useCaseRules);
    this.#source = options.source ?? 'library';
    this.#delivery = new Delivery({
      sink: options.db,
      dataDir: options.db.dataDir,
      logger: this.#logger,
      bufferSize: options.bufferSize,
      flushIntervalMs: options.flushIntervalMs,
      fsync: options.fsync,
      journalMaxBytes: options.journalMaxBytes,
    });
  }

  /**
   * Notes that a request begins. Synchronous; nothing is written yet.
   *
   * @returns the request id, a version-7 UUID
   * @throws {TallyrankError} `bad_request` when model or prompt is missing
   */
  logRequest(facts: RequestFacts): string {
    if (typeof facts.model !== 'string' || facts.model === '') {
      throw new TallyrankError('bad_request', 'logRequest needs a model name.', { param: 'model' });
    }
    const text = promptTextOf(facts.prompt);
    const startedAtMs = facts.startedAtMs ?? this.#clock();
    const requestId = this.#requestIds.next(startedAtMs);
    const hash = promptHash(text);
    this.#open.set(requestId, {
      facts,
      text,
      promptHash: hash,
      startedAtMs,
      classification: facts.classification ?? this.#classify(text, facts),
    });
    if (this.#open.size > OPEN_COUNT_MAX) this.#forgetOldest();
    if (facts.sessionId) this.#observeSession(requestId, facts.sessionId, text.prompt, hash, startedAtMs);
    return requestId;
  }

  /**
   * Logs how a request ended, for callers that make their own calls: a string, an OpenAI, Anthropic or
   * Ollama answer as its SDK returns it, or `{ text, promptTokens, completionTokens, … }`. Token counts that
   * nobody gave are estimated and marked so.
   *
   * @param error  what was thrown instead; `response` may then be null
   */
  logResponse(requestId: string, response: unknown, error?: unknown): void {
    const open = this.#open.get(requestId);
    if (!open) {
      this.#warnUnknown(requestId);
      return;
    }
    const facts = factsOfResponse(response);
    const failure = error === undefined || error === null ? failureOfFacts(facts) : failureOfError(error);
    const outcome: RequestOutcome = {
      ...facts,
      latencyMs: this.#clock() - open.startedAtMs,
      firstTokenMs: null,
      overheadMs: null,
      statusCode: null,
      attemptCount: 1,
      failedAttempts: [],
      failure,
    };
    this.#track(this.finish(requestId, outcome, null));
  }

  /**
   * Logs how a request ended, with every fact known.
   *
   * @param modelId  the model that answered in the end; the one of {@link logRequest} when left out
   * @returns a promise that resolves once the row is with the operating system
   */
  async finish(
    requestId: string,
    outcome: RequestOutcome & { readonly modelId?: string },
    decision: Decision | null,
  ): Promise<void> {
    const open = this.#open.get(requestId);
    if (!open) return this.#warnUnknown(requestId);
    this.#open.delete(requestId);
    const usage = await this.#completeUsage(open, outcome);
    const record = recordOf(
      requestId,
      open,
      { ...outcome, usage },
      {
        source: this.#source,
        keepTexts: this.#keepTexts,
        canonicalId: this.#canonicalId,
        prices: this.#prices,
      },
    );
    const written = this.#delivery.append('usage_log', encodeUsageRecord(record));
    // The decision of a shadow is its request's, and stands there.
    if (decision?.policy && record.shadowOf === null) {
      const candidates = this.#candidatesText(decision.candidates);
      const row = encodeDecision(requestId, open.startedAtMs, decision, candidates);
      void this.#delivery.append('decisions', row);
    }
    if (outcome.failure?.code === 'caller_cancelled') {
      this.addSignal(eventSignal(requestId, 'abandonment', this.#clock()));
    }
    this.#remember(record);
    this.#onFinished?.(record, decision);
    return written;
  }

  /**
   * Notes how well an answer served, 1 (bad) to 5 (good). A later score replaces an earlier one; the request
   * may be long past.
   *
   * @throws {TallyrankError} `bad_request` for a score outside 1..5 or an id that is not one of ours
   */
  markSatisfied(requestId: string, score: number, comment: string | null = null): void {
    if (!(score >= 1 && score <= 5)) {
      throw new TallyrankError('bad_request', `score must lie between 1 and 5, not ${score}.`, {
        param: 'score',
      });
    }
    const value = (score - 1) / 4;
    this.addSignal({ requestId, kind: 'feedback', value, comment, source: 'library', atMs: this.#clock() });
  }

  /** Journals something learnt about a request. */
  addSignal(signal: Signal): void {
    if (!/^[0-9a-f-]{36}$/i.test(signal.requestId)) {
      throw new TallyrankError('bad_request', 'requestId must be the id that logRequest returned (a UUID).', {
        param: 'requestId',
      });
    }
    void this.#delivery.append('signals', encodeSignal(signal));
    this.#onSignal?.(signal);
  }

  /** Journals feedback whose request is not known yet; it is matched when the row arrives. */
  addUnresolvedFeedback(feedback: UnresolvedFeedback): void {
    const row = {
      reference_kind: feedback.referenceKind,
      reference: feedback.reference,
      value: feedback.value,
      comment: feedback.comment,
      at: storedMoment(this.#clock()),
    };
    void this.#delivery.append('unresolved_feedback', JSON.stringify(row));
  }

  /** Id of a recent request by the provider's response id or the client's own id; null when not recent. */
  recentRequestId(reference: string): string | null {
    return this.#recentIds.get(reference);
  }

  /** Dollars of an exchange; null when price or counts are unknown. */
  costOf(modelId: string, usage: TokenUsage, modelReported: string | null = null): number | null {
    return this.#prices.price(modelId, usage, new Date(this.#clock()), modelReported)?.costUsd ?? null;
  }

  get counters(): TrackerCounters {
    return {
      ...this.#delivery.counters,
      unfinishedCount: this.#unfinishedCount,
      openCount: this.#open.size,
    };
  }

  get isStoreAway(): boolean {
    return this.#delivery.isStoreAway;
  }

  /**
   * Sends all finished requests to the store and waits until it has them.
   *
   * @throws {TallyrankError} `store_unavailable` after 30 s; the rows stay in the journal and are sent later
   */
  async flush(): Promise<void> {
    await Promise.all(this.#pendingFinish);
    await this.#delivery.flush();
  }

  /** Sends the rest, as far as the store takes it in ten seconds, and gives the journal back. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await Promise.all(this.#pendingFinish);
    this.#isClosed = true;
    await this.#delivery.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #classify(text: PromptText, facts: RequestFacts): LabelledClassification {
    const snapshot = this.#snapshots.current;
    return {
      ...(this.#useCaseRules.match({ ...facts, prompt: text.prompt }) ??
        snapshot.classifier.classify(classifiedText(text))),
      runId: snapshot.runId,
      snapshotVersion: snapshot.version,
    };
  }

  #candidatesText(candidates: Decision['candidates']): string {
    const known = this.#candidateTexts.get(candidates);
    if (known !== undefined) return known;
    const text = JSON.stringify(candidates);
    this.#candidateTexts.set(candidates, text);
    return text;
  }

  /** The database's last snapshot as soon as it is read; the starter taxonomy until then. */
  #followSnapshot(): { readonly current: Snapshot } {
    const holder = { current: starterSnapshot() };
    this.#db.latestSnapshot?.().then(
      (snapshot) => {
        if (snapshot) holder.current = snapshot;
      },
      (error: unknown) =>
        this.#logger.warn({ err: error }, 'No snapshot could be read; the starter taxonomy classifies.'),
    );
    return holder;
  }

  async #completeUsage(open: OpenRequest, outcome: RequestOutcome): Promise<TokenUsage> {
    const { usage } = outcome;
    const isKnown = usage.promptTokens !== null && usage.completionTokens !== null;
    if (isKnown || outcome.response === null) return usage;
    return withEstimatedTokens(usage, open.facts.conversation ?? classifiedText(open.text), outcome.response);
  }

  #observeSession(requestId: string, sessionId: string, prompt: string, hash: string, atMs: number): void {
    // After this turn: comparing texts must not delay the request that is about to be sent.
    setImmediate(() => {
      const signal = this.#sessions.observe({ requestId, sessionId, prompt, promptHash: hash, atMs });
      if (signal && !this.#isClosed) this.addSignal(signal);
    });
  }

  #remember({ requestId, responseId, externalId }: UsageRecord): void {
    if (responseId !== null) this.#recentIds.add(responseId, requestId);
    if (externalId !== null) this.#recentIds.add(externalId, requestId);
  }

  #forgetOldest(): void {
    const oldest = this.#open.keys().next();
    if (oldest.done) return;
    this.#open.delete(oldest.value);
    this.#unfinishedCount++;
  }

  #warnUnknown(requestId: string): void {
    this.#logger.warn(
      { requestId },
      'An answer came for a request that is not open: it was logged before, or never.',
    );
  }

  #track(finished: Promise<void>): void {
    this.#pendingFinish.add(finished);
    void finished.finally(() => this.#pendingFinish.delete(finished));
  }
}

function eventSignal(requestId: string, kind: Signal['kind'], atMs: number): Signal {
  return { requestId, kind, value: 1, comment: null, source: 'session', atMs };
}
