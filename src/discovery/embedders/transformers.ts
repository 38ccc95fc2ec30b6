import { TallyrankError } from '../../core/errors.ts';
import type { Embedder } from './embedder.ts';

export interface TransformersEmbedderOptions {
  /** Name on the hub, or of a folder in `folder`, e.g. "Xenova/all-MiniLM-L6-v2". */
  readonly model: string;
  /** Folder that holds `<model>/`; with it nothing is fetched. */
  readonly folder?: string | undefined;
  /** Loads the library; default: the optional package. */
  readonly load?: (() => Promise<unknown>) | undefined;
}

/** Texts of one pass: more fill the memory with padding, fewer leave the cores idle. */
const BATCH_SIZE = 16;
/** What is asked stands before this many characters; the models read 256 to 512 tokens. */
const TEXT_LENGTH_MAX = 2_000;

/** Not a literal: the package is optional, and the compiler would ask for its types. */
const PACKAGE: string = '@huggingface/transformers';

interface Tensor {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

type Extractor = (texts: readonly string[], options: object) => Promise<Tensor>;

/** The part of the library that is used. */
interface Transformers {
  readonly env: { localModelPath: string; allowRemoteModels: boolean };
  pipeline(task: string, model: string, options: object): Promise<Extractor>;
}

/** Vectors of a sentence-transformers model on this machine, through an optional package. */
export class TransformersEmbedder implements Embedder {
  readonly id: string;
  #dims: number | null = null;
  readonly #extract: Extractor;

  private constructor(model: string, extract: Extractor) {
    this.id = `transformers:${model}`;
    this.#extract = extract;
  }

  get dims(): number | null {
    return this.#dims;
  }

  /**
   * Loads library and model.
   *
   * @throws {TallyrankError} `bad_config` when the package is not installed or the model cannot be loaded
   */
  static async open({ model, folder, load }: TransformersEmbedderOptions): Promise<TransformersEmbedder> {
    let library: Transformers;
    try {
      library = (await (load ?? (() => import(PACKAGE)))()) as Transformers;
    } catch (cause) {
      throw new TallyrankError(
        'bad_config',
        `discovery.embedder: kind "transformers" needs the package ${PACKAGE}. Install it beside Tallyrank ` +
          `(npm install ${PACKAGE}), or choose the kind "http" or "distilled".`,
        { cause },
      );
    }
    if (folder !== undefined) {
      library.env.localModelPath = folder;
      library.env.allowRemoteModels = false;
    }
    try {
      return new TransformersEmbedder(model, await library.pipeline('feature-extraction', model, {}));
    } catch (cause) {
      const where = folder === undefined ? 'from the hub' : `from ${folder}`;
      throw new TallyrankError(
        'bad_config',
        `discovery.embedder: the model ${model} cannot be loaded ${where}. ` +
          (folder === undefined
            ? 'Where the hub is out of reach, set discovery.embedder.folder.'
            : 'The folder must hold <model>/config.json, tokenizer.json and onnx/.'),
        { cause },
      );
    }
  }

  /** @throws {TallyrankError} `internal` when the model gives other vectors than were asked for */
  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const vectors: Float32Array[] = [];
    for (let begin = 0; begin < texts.length; begin += BATCH_SIZE) {
      signal?.throwIfAborted();
      const batch = texts
        .slice(begin, begin + BATCH_SIZE)
        .map((text) => text.slice(0, TEXT_LENGTH_MAX) || ' ');
      const { dims, data } = await this.#extract(batch, { pooling: 'mean', normalize: true });
      const [count = 0, length = 0] = dims;
      this.#dims ??= length;
      if (dims.length !== 2 || count !== batch.length || length === 0 || length !== this.#dims) {
        throw new TallyrankError(
          'internal',
          `The embedding model gave ${dims.join(' x ')} numbers for ${batch.length} texts.`,
        );
      }
      for (let at = 0; at < count; at++) {
        vectors.push(Float32Array.from({ length }, (_, i) => data[at * length + i] as number));
      }
    }
    return vectors;
  }
}
