import * as fs from 'node:fs';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { TallyrankError } from '../core/errors.ts';
import type { UseCaseSettings } from '../core/policy.ts';
import { configSchema } from './schema.ts';

/**
 * Settings by use case as `ranking.useCases` has them, from outside the configuration.
 *
 * @throws {TallyrankError} `bad_request` with every fault
 */
export function parseUseCaseSettings(value: unknown): Readonly<Record<string, UseCaseSettings>> {
  const parsed = configSchema.shape.ranking.safeParse({ useCases: value ?? {} });
  if (parsed.success) return parsed.data.useCases;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`);
  throw new TallyrankError('bad_request', `The settings have faults: ${faults.join('; ')}`, {
    param: 'useCases',
  });
}

/**
 * The same from a file, YAML or JSON.
 *
 * @throws {TallyrankError} `not_found`, `bad_request`
 */
export function readUseCaseSettings(file: string): Readonly<Record<string, UseCaseSettings>> {
  return parseUseCaseSettings(readYaml(file));
}

/**
 * What a YAML or JSON file holds.
 *
 * @throws {TallyrankError} `not_found`, `bad_request`
 */
export function readYaml(file: string): unknown {
  if (!fs.existsSync(file)) throw new TallyrankError('not_found', `There is no file ${file}.`);
  try {
    return parseYaml(fs.readFileSync(file, 'utf8')) as unknown;
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new TallyrankError('bad_request', `${file} is not valid YAML: ${error.message}`, { cause: error });
  }
}
