/** What the hot path says of a prompt. */
export interface Classification {
  readonly useCase: string;
  /** Calibrated probability 0..1; null where the classifier has none (keywords). */
  readonly confidence: number | null;
}

/** Text to use case, in microseconds; pure and immutable. `classifiedText` of prompt-text.ts makes the text. */
export interface PromptClassifier {
  classify(text: string): Classification;
}
