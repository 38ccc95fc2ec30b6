import type { Decision } from '../core/decision.ts';
import { NO_TIMINGS } from '../core/usage-record.ts';
import type { Attempts } from './attempts.ts';
import type { AnswerPart, ChatAnswer } from './chat.ts';
import { EMPTY_PART } from './chat.ts';
import type { Provider, ProviderCall } from './providers/provider.ts';
import type { CachedAnswer } from './response-cache.ts';

/** What a provider is asked for an answer by. */
export type Answering = Pick<Provider, 'complete' | 'stream'>;

/** Where the answer of a request comes from: {@link Attempts} at providers, or the cache. */
export interface AnswerSource
  extends Readonly<Pick<Attempts, 'modelId' | 'count' | 'failed'>>,
    Pick<Attempts, 'upstreamMs' | 'noteEnd'> {
  run<T>(
    attempt: (answering: Answering, call: ProviderCall) => Promise<T>,
    isEmpty: (result: T) => boolean,
  ): Promise<T>;
}

/**
 * An answer as the cache keeps it: without the bytes of a protocol, the provider's id and the times of the call, and
 * with the decision that it came from, which is drawn no more.
 */
export function toCachedAnswer(answer: ChatAnswer, modelId: string, decision: Decision): CachedAnswer {
  return {
    answer: { ...answer, responseId: null, timings: NO_TIMINGS, wire: null },
    modelId,
    decision: { ...decision, modelIds: [modelId], candidates: [], shadowModelId: null, abTest: undefined },
  };
}

/** Gives an answer of before, as its model would again; nobody is called. */
export class Replay implements AnswerSource {
  readonly modelId: string;
  readonly count = 0;
  readonly failed: Attempts['failed'] = [];
  /** Time in which somebody else's call was waited for. */
  upstreamMs: number;
  readonly #answer: ChatAnswer;
  readonly #call: ProviderCall;

  constructor(
    { answer, modelId }: CachedAnswer,
    waitedMs: number,
    call: Omit<ProviderCall, 'modelName' | 'source'>,
  ) {
    this.upstreamMs = waitedMs;
    this.modelId = modelId;
    this.#answer = answer;
    this.#call = { ...call, modelName: modelId, source: null };
  }

  async run<T>(attempt: (answering: Answering, call: ProviderCall) => Promise<T>): Promise<T> {
    const answer = this.#answer;
    const answering: Answering = {
      complete: async () => answer,
      async *stream() {
        yield partsOf(answer);
      },
    };
    return await attempt(answering, this.#call);
  }

  noteEnd(): void {
    // Nobody was called.
  }
}

/** A whole answer as the parts of a stream, in the order in which a model would say them; all come at once. */
function partsOf(answer: ChatAnswer): readonly AnswerPart[] {
  const { text, reasoning, refusal, thinkingBlocks, finishReason, stopSequence, usage, modelReported } =
    answer;
  const toolCalls = answer.toolCalls.map((call, index) => ({ index, ...call }));
  const parts: AnswerPart[] = [
    { ...EMPTY_PART, reasoning, thinkingBlocks },
    { ...EMPTY_PART, text, refusal },
    { ...EMPTY_PART, toolCalls },
    { ...EMPTY_PART, finishReason, stopSequence, usage },
  ];
  return parts.map((part) => ({ ...part, modelReported }));
}
