import { PriceBook } from '../core/price-book.ts';
import type { Config } from './schema.ts';

/** The prices of the configured providers' models. */
export function priceBookOf({ providers, prices }: Pick<Config, 'providers' | 'prices'>): PriceBook {
  const listProviders = providers.flatMap(({ id, kind, priceList }) => {
    const name = priceList ?? (kind === 'azure' ? 'azure' : undefined);
    return name === undefined ? [] : [[id, name] as const];
  });
  const listNames = providers.flatMap(({ id, models = [] }) =>
    models.flatMap((given) =>
      typeof given === 'string' || given.model === undefined
        ? []
        : [[`${id}:${given.name}`, given.model] as const],
    ),
  );
  return new PriceBook({
    overrides: prices,
    freeProviders: providers.filter(({ kind, isLocal }) => isLocal ?? kind === 'ollama').map(({ id }) => id),
    listProviders: Object.fromEntries(listProviders),
    listNames: Object.fromEntries(listNames),
  });
}
