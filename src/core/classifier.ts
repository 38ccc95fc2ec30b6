/** What the hot path says of a prompt. */
export interface Classification {
  readonly useCase: string;
  /** Calibrated probability 0..1; null where the classifier has none (keywords). */
  readonly confidence: number | null;
  /**
   * Where the first answer is far from sure: the use cases that it may be, the likeliest first, with their
   * probabilities, which add up to 1 or less. The rest is spread over many. Left out where the first is sure.
   */
  readonly mix?: readonly PossibleUseCase[];
}

export interface PossibleUseCase {
  readonly useCase: string;
  /** 0..1. */
  readonly probability: number;
}

/** Text to use case, in microseconds; pure and immutable. `classifiedText` of prompt-text.ts makes the text. */
export interface PromptClassifier {
  classify(text: string): Classification;
}
