import { AnyLanguageEmbedder } from './any-language.ts';
import { DistilledTable } from './distilled-table.ts';
import type { Embedder } from './embedder.ts';
import { HttpEmbedder, type HttpEmbedderOptions } from './http.ts';
import { TransformersEmbedder } from './transformers.ts';

interface StorageChoice {
  /** Keep vectors in the store; default: all but the table's, which are computed faster than read. */
  readonly storesVectors?: boolean | undefined;
}

/** Which embedder to use, as plain data: it comes from the configuration and goes to the worker. */
export type EmbedderChoice = StorageChoice &
  (
    | { readonly kind: 'distilled' }
    | ({ readonly kind: 'http' } & HttpEmbedderOptions)
    | {
        readonly kind: 'transformers';
        readonly model: string;
        readonly folder?: string | undefined;
      }
  );

/** `discovery.embedder` of the configuration. */
export interface EmbedderSetting extends StorageChoice {
  readonly kind: 'distilled' | 'http' | 'transformers';
  readonly url?: string | undefined;
  readonly protocol?: 'openai' | 'ollama' | undefined;
  readonly model?: string | undefined;
  readonly folder?: string | undefined;
}

/** The choice that a setting means; the configuration has seen to it that what a kind needs is there. */
export function embedderChoiceOf(setting: EmbedderSetting, apiKey: string | null = null): EmbedderChoice {
  const { kind, url = '', model = '', folder, storesVectors } = setting;
  if (kind === 'distilled') return { kind, storesVectors };
  if (kind === 'transformers') return { kind, model, folder, storesVectors };
  return {
    kind,
    storesVectors,
    protocol: setting.protocol ?? protocolOf(url),
    baseUrl: url,
    model,
    ...(apiKey === null ? {} : { apiKey }),
  };
}

/**
 * @throws {TallyrankError} `internal` when the package's table is missing, `bad_config` when the optional
 *   package or its model is
 */
export async function openEmbedder(choice: EmbedderChoice = { kind: 'distilled' }): Promise<Embedder> {
  if (choice.kind === 'http') return new HttpEmbedder(choice);
  if (choice.kind === 'transformers') return await TransformersEmbedder.open(choice);
  return new AnyLanguageEmbedder(await DistilledTable.open());
}

/**
 * Whether vectors are kept in the store. Not the table's: on two cores it gives 12,000 vectors a second, while the
 * embedded store reads 6,700 of that length and writes 3,900.
 */
export function storesVectorsOf({ kind, storesVectors }: EmbedderChoice): boolean {
  return storesVectors ?? kind !== 'distilled';
}

/** Which embedder it is and why, in a sentence for report and log. */
export function describeChoice(choice: EmbedderChoice): string {
  if (choice.kind === 'distilled') {
    return 'The table of the package embeds the prompts: it is the default, works offline and reads English best; other languages are compared by their words.';
  }
  const where =
    choice.kind === 'http'
      ? `The server at ${hostOf(choice.baseUrl)} (${choice.protocol === 'ollama' ? 'Ollama' : 'OpenAI-compatible'})`
      : `This machine, from ${choice.folder === undefined ? 'the hub' : 'a local folder'},`;
  return `${where} embeds the prompts with ${choice.model}, as discovery.embedder says.`;
}

/** OpenAI's paths hang below /v1 or another path; Ollama's own begin at the root. */
function protocolOf(url: string): 'openai' | 'ollama' {
  return URL.canParse(url) && new URL(url).pathname !== '/' ? 'openai' : 'ollama';
}

/** Without user, password and query: the sentence is shown. */
function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an unreadable URL';
}
