import { TallyrankError } from '../core/errors.ts';
import type { RoutingRule } from '../core/routing-rules.ts';
import { routingRules } from './schema-routing.ts';
import { readYaml } from './use-case-settings.ts';

/**
 * Routing rules as `routingRules` has them, from outside the configuration.
 *
 * @throws {TallyrankError} `bad_request` with every fault, each with the name of its rule
 */
export function parseRoutingRules(value: unknown): readonly RoutingRule[] {
  const parsed = routingRules.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path: [at, ...field], message }) => {
    const name = Array.isArray(value)
      ? (value[Number(at)] as { name?: unknown } | undefined)?.name
      : undefined;
    const where = typeof name === 'string' ? `rule "${name.slice(0, 80)}"` : `rules[${String(at)}]`;
    return [
      ...(at === undefined ? [] : [where]),
      ...(field.length > 0 ? [field.map(String).join('.')] : []),
      message,
    ].join(': ');
  });
  throw new TallyrankError('bad_request', `The rules have faults. ${faults.join('; ')}.`, { param: 'rules' });
}

/**
 * The same from a file, YAML or JSON: a list, or the configuration's form with `routingRules` (or an answer's, `rules`).
 *
 * @throws {TallyrankError} `not_found`, `bad_request`
 */
export function readRoutingRules(file: string): readonly RoutingRule[] {
  const read = readYaml(file);
  if (typeof read !== 'object' || read === null || Array.isArray(read)) return parseRoutingRules(read ?? []);
  const { routingRules: configured, rules } = read as { routingRules?: unknown; rules?: unknown };
  return parseRoutingRules(configured ?? rules ?? read);
}
