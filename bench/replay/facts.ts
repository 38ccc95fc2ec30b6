import type { CastModel } from './cast.ts';
import type { KnownPrompt } from './data.ts';

export interface SentRequest {
  readonly prompt: KnownPrompt;
  readonly model: CastModel;
  readonly outcome: number;
  readonly costUsd: number;
  readonly addedLatencyMs: number;
  readonly isReAsk: boolean;
}

export interface Phase {
  readonly requests: readonly SentRequest[];
  readonly feedbackCount: number;
  readonly failedCount: number;
}

export interface AnalysisAnswer {
  readonly categories: readonly {
    readonly categorySlug: string;
    readonly sampleCount: number;
    readonly keywords: readonly string[];
  }[];
}

export interface Ranking {
  readonly useCase: string;
  readonly best: {
    readonly modelId: string;
    readonly score: number | null;
    readonly totalRequests: number;
  } | null;
  readonly note: string | null;
}
