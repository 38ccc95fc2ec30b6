import { DistilledTable } from './distilled-table.ts';
import type { Embedder } from './embedder.ts';
import { HttpEmbedder, type HttpEmbedderOptions } from './http.ts';

/** Which embedder to use, as plain data: it comes from the configuration and goes to the worker. */
export type EmbedderChoice =
  | { readonly kind: 'distilled' }
  | ({ readonly kind: 'http' } & HttpEmbedderOptions);

export async function openEmbedder(choice: EmbedderChoice = { kind: 'distilled' }): Promise<Embedder> {
  return choice.kind === 'http' ? new HttpEmbedder(choice) : await DistilledTable.open();
}
