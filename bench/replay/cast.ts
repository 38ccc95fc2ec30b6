import type { FakeKind } from '../../tests/kit/fake-provider.ts';

/** A model of the replay: who plays it, what it costs, how fast it is. Prices are invented. */
export interface CastModel {
  /** The data set's name, whose outcomes it has. */
  readonly outcomeName: string;
  readonly provider: string;
  readonly kind: FakeKind;
  /** The provider's name of it. */
  readonly name: string;
  /** Dollars per million tokens; 0: local. */
  readonly inputUsdPerMtok: number;
  readonly outputUsdPerMtok: number;
  /** Tokens of its answers, so that a talkative model costs more. */
  readonly answerTokens: number;
  /** Whose measured latencies it has. */
  readonly latencyOf: string;
  /** Share of the explicit requests of phase one. */
  readonly share: number;
}

/** Seven models of RouterDC as a small team might have them: three local and free, four paid by invented prices. */
export const CAST: readonly CastModel[] = [
  {
    outcomeName: 'Chinese-Mistral-7B-v0.1',
    provider: 'ollama',
    kind: 'ollama',
    name: 'chinese-mistral:7b',
    inputUsdPerMtok: 0,
    outputUsdPerMtok: 0,
    answerTokens: 220,
    latencyOf: 'anyscale/llama-2-7b-chat',
    share: 0.06,
  },
  {
    outcomeName: 'Mistral-7B-v0.1',
    provider: 'ollama',
    kind: 'ollama',
    name: 'mistral:7b',
    inputUsdPerMtok: 0,
    outputUsdPerMtok: 0,
    answerTokens: 180,
    latencyOf: 'fireworks/llama-2-13b-chat',
    share: 0.08,
  },
  {
    outcomeName: 'zephyr-7b-beta',
    provider: 'ollama',
    kind: 'ollama',
    name: 'zephyr:7b',
    inputUsdPerMtok: 0,
    outputUsdPerMtok: 0,
    answerTokens: 260,
    latencyOf: 'replicate/llama-2-7b-chat',
    share: 0.1,
  },
  {
    outcomeName: 'MetaMath-Mistral-7B',
    provider: 'mathhost',
    kind: 'openai',
    name: 'metamath-mistral-7b',
    inputUsdPerMtok: 0.4,
    outputUsdPerMtok: 1.2,
    answerTokens: 200,
    latencyOf: 'fireworks/llama-2-7b-chat',
    share: 0.08,
  },
  {
    outcomeName: 'dolphin-2.6-mistral-7b',
    provider: 'paidhost',
    kind: 'openai',
    name: 'dolphin-2.6-mistral-7b',
    inputUsdPerMtok: 1,
    outputUsdPerMtok: 3,
    answerTokens: 240,
    latencyOf: 'anyscale/llama-2-13b-chat',
    share: 0.1,
  },
  {
    outcomeName: 'dolphin-2.9-llama3-8b',
    provider: 'paidhost',
    kind: 'openai',
    name: 'dolphin-2.9-llama3-8b',
    inputUsdPerMtok: 2.5,
    outputUsdPerMtok: 10,
    answerTokens: 240,
    latencyOf: 'anyscale/llama-2-70b-chat',
    share: 0.2,
  },
  {
    outcomeName: 'Meta-Llama-3-8B',
    provider: 'bighost',
    kind: 'anthropic',
    name: 'llama-3-8b',
    inputUsdPerMtok: 10,
    outputUsdPerMtok: 30,
    answerTokens: 300,
    latencyOf: 'perplexity/llama-2-70b-chat',
    share: 0.38,
  },
];

export function modelIdOf(model: CastModel): string {
  return `${model.provider}:${model.name}`;
}

/** Tokens of a prompt as the fake providers count them. */
export function promptTokensOf(prompt: string): number {
  return Math.ceil(prompt.length / 4);
}

/** Dollars of an answer of `model` to `prompt`. */
export function costUsdOf(model: CastModel, prompt: string): number {
  return (promptTokensOf(prompt) * model.inputUsdPerMtok + model.answerTokens * model.outputUsdPerMtok) / 1e6;
}
