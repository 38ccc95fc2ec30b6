type Fields = Readonly<Record<string, unknown>>;

/**
 * Places of a document that are compared with a schema. Fewer would leave large answers unchecked; more would
 * let one answer hold up all others for longer than a millisecond or two.
 */
const STEPS_MAX = 20_000;

/** A schema that refers to itself without end is given up here; no document of use lies deeper. */
const DEPTH_MAX = 100;

interface Walk {
  readonly root: unknown;
  stepsLeft: number;
}

/** The document in a JSON text; undefined (which JSON cannot hold) when it holds none. */
export function tryParseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Where a document breaks a JSON schema, as a JSON pointer ("" is the whole); null when it keeps it, as far as
 * is looked at: type, enum, const, required, properties, additionalProperties, items, prefixItems, anyOf,
 * oneOf, allOf, local $ref, minimum, maximum, minItems, maxItems. Other words (patterns above all, by which a
 * caller could keep us busy) are passed over, so a breach is certain and its absence is not.
 */
export function breachOfSchema(document: unknown, schema: unknown): string | null {
  return breachAt(document, schema, '', 0, { root: schema, stepsLeft: STEPS_MAX });
}

function breachAt(value: unknown, schema: unknown, path: string, depth: number, walk: Walk): string | null {
  if (schema === false) return path;
  if (!isFields(schema) || depth > DEPTH_MAX || walk.stepsLeft-- <= 0) return null;
  if (!hasType(value, schema['type']) || !isListed(value, schema) || !isInRange(value, schema)) return path;
  const within = (part: unknown, under: unknown, at: string): string | null =>
    breachAt(part, under, at, depth + 1, walk);
  const referred = schema['$ref'];
  if (typeof referred === 'string') {
    const breach = within(value, resolve(walk.root, referred), path);
    if (breach !== null) return breach;
  }
  for (const each of listOf(schema['allOf'])) {
    const breach = within(value, each, path);
    if (breach !== null) return breach;
  }
  for (const word of ['anyOf', 'oneOf']) {
    const choices = listOf(schema[word]);
    if (choices.length > 0 && choices.every((each) => within(value, each, path) !== null)) return path;
  }
  if (Array.isArray(value)) return breachOfItems(value, schema, path, within);
  return isFields(value) ? breachOfProperties(value, schema, path, within) : null;
}

type Within = (part: unknown, schema: unknown, path: string) => string | null;

function breachOfItems(
  items: readonly unknown[],
  schema: Fields,
  path: string,
  within: Within,
): string | null {
  const first = listOf(schema['prefixItems']);
  for (const [at, item] of items.entries()) {
    const breach = within(item, first[at] ?? schema['items'], `${path}/${at}`);
    if (breach !== null) return breach;
  }
  return null;
}

function breachOfProperties(value: Fields, schema: Fields, path: string, within: Within): string | null {
  for (const name of listOf(schema['required'])) {
    if (typeof name === 'string' && !Object.hasOwn(value, name)) return `${path}/${name}`;
  }
  const known = isFields(schema['properties']) ? schema['properties'] : {};
  const others = schema['additionalProperties'];
  for (const [name, part] of Object.entries(value)) {
    const isKnown = Object.hasOwn(known, name);
    // A name that the schema does not know is the answer's own text and stays out of the log.
    const breach = isKnown ? within(part, known[name], `${path}/${name}`) : within(part, others, path);
    if (breach !== null && (isKnown || schema['patternProperties'] === undefined)) return breach;
  }
  return null;
}

function hasType(value: unknown, type: unknown): boolean {
  if (Array.isArray(type)) return type.length === 0 || type.some((each) => hasType(value, each));
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isFields(value);
    case 'integer':
      return Number.isInteger(value);
    case 'string':
    case 'boolean':
    case 'number':
      return typeof value === type;
    default:
      return true;
  }
}

function isListed(value: unknown, schema: Fields): boolean {
  const allowed = 'const' in schema ? [schema['const']] : schema['enum'];
  if (!Array.isArray(allowed)) return true;
  const written = JSON.stringify(value);
  return allowed.some((each) => each === value || JSON.stringify(each) === written);
}

function isInRange(value: unknown, schema: Fields): boolean {
  const isBetween = (size: number, min: unknown, max: unknown): boolean =>
    !(typeof min === 'number' && size < min) && !(typeof max === 'number' && size > max);
  if (typeof value === 'number') return isBetween(value, schema['minimum'], schema['maximum']);
  return !Array.isArray(value) || isBetween(value.length, schema['minItems'], schema['maxItems']);
}

/** The part of the schema that a local reference names; undefined (anything goes) for all others. */
function resolve(root: unknown, reference: string): unknown {
  if (!reference.startsWith('#')) return undefined;
  let part = root;
  for (const step of reference.slice(1).split('/').slice(1)) {
    const name = step.replace(/~1/g, '/').replace(/~0/g, '~');
    part = isFields(part) && Object.hasOwn(part, name) ? part[name] : undefined;
  }
  return part;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
