import { createHash } from 'node:crypto';
import type { CatalogModel } from '../../../core/model-catalog.ts';
import { isEmbeddingModel } from '../../model-facts.ts';
import type { Fields } from '../fields.ts';

/** A model as a client of Ollama sees it. */
export interface OfferedModel {
  /** By which it can be asked for. */
  readonly name: string;
  /** null: a preset of `auto`. */
  readonly model: CatalogModel | null;
  /** What the Ollama that runs it says of it; null: another server runs it. */
  readonly entry: Fields | null;
}

/** What the models that a preset chooses from can do, together. */
export interface PresetAbilities {
  readonly hasImages: boolean;
  /** The largest; null: nobody told us. */
  readonly contextTokens: number | null;
}

/**
 * One model of `/api/tags`. Its clients read names, size and digest as they are, so those are there for models that
 * lie in no folder: a size of 0, and as digest that of the name, by which they are told apart.
 */
export function encodeTag({ name, model, entry }: OfferedModel, knownSince: Date): Fields {
  if (entry !== null) return { ...entry, name, model: name };
  return {
    name,
    model: name,
    modified_at: knownSince.toISOString(),
    size: 0,
    digest: createHash('sha256').update(name).digest('hex'),
    details: detailsOf(model),
  };
}

/** `/api/show` of a model that no Ollama runs: what is known of it. */
export function encodeShow({ model }: OfferedModel, preset: PresetAbilities, knownSince: Date): Fields {
  const architecture = model?.family ?? 'unknown';
  const contextTokens = model === null ? preset.contextTokens : model.contextTokens;
  const billions = model?.parameterBillions ?? null;
  return {
    modelfile: '',
    parameters: '',
    template: '',
    details: detailsOf(model),
    model_info: {
      'general.architecture': architecture,
      ...(billions === null ? {} : { 'general.parameter_count': Math.round(billions * 1e9) }),
      // Clients look for it under the architecture's name.
      ...(contextTokens === null ? {} : { [`${architecture}.context_length`]: contextTokens }),
    },
    capabilities: capabilitiesOf(model, preset),
    modified_at: knownSince.toISOString(),
  };
}

function detailsOf(model: CatalogModel | null): Fields {
  const family = model?.family ?? '';
  const billions = model?.parameterBillions ?? null;
  return {
    parent_model: '',
    format: '',
    family,
    families: family === '' ? null : [family],
    parameter_size: billions === null ? '' : `${billions}B`,
    quantization_level: '',
  };
}

/** Tools as long as nobody says that it has none; images when somebody says so. A preset finds a model that can. */
function capabilitiesOf(model: CatalogModel | null, preset: PresetAbilities): string[] {
  if (model === null) return ['completion', 'tools', ...(preset.hasImages ? ['vision'] : [])];
  if (isEmbeddingModel(model)) return ['embedding'];
  return [
    'completion',
    ...(model.hasTools === false ? [] : ['tools']),
    ...(model.hasImages === true ? ['vision'] : []),
  ];
}
