import { classifiedText, type PromptText } from '../core/prompt-text.ts';
import type { Embedder } from './embedders/embedder.ts';

const EMBED_BATCH = 512;

/** What is embedded and classified of a prompt. */
export function textOf(prompt: PromptText): string {
  return classifiedText(prompt);
}

/** A vector per text, in order, a batch at a time. */
export async function embedAll(
  embedder: Embedder,
  texts: readonly string[],
  signal: AbortSignal | undefined,
  onBatch: (done: number) => void,
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (let begin = 0; begin < texts.length; begin += EMBED_BATCH) {
    onBatch(begin);
    vectors.push(...(await embedder.embed(texts.slice(begin, begin + EMBED_BATCH), signal)));
  }
  return vectors;
}
