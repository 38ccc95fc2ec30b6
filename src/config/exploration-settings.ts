import { TallyrankError } from '../core/errors.ts';
import type { Config } from './schema.ts';
import { exploration } from './schema-routing.ts';

/**
 * Exploration as the configuration has it, from outside of it. What is left out has its default.
 *
 * @throws {TallyrankError} `bad_request` with every fault
 */
export function parseExploration(value: unknown): Config['exploration'] {
  const parsed = exploration.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
  throw new TallyrankError('bad_request', `Exploration cannot be set so. ${faults.join('; ')}.`, {
    param: 'exploration',
  });
}
