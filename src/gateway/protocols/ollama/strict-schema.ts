import type { Fields } from '../fields.ts';
import { isFields, toFields } from '../fields.ts';

/** Levels that are looked at; OpenAI's own limit is 10 levels of objects. */
const DEPTH_MAX = 40;

/** Keywords whose values are schemas, or lists or maps of schemas. */
const INNER = ['properties', '$defs', 'definitions', 'items', 'anyOf'] as const;

/**
 * Whether OpenAI takes a schema as one to be kept to strictly: the root is an object, every object names all of its
 * properties as required and allows no others. The rest of its subset is OpenAI's to judge.
 */
export function isStrictSchema(schema: Fields): boolean {
  return schema['type'] === 'object' && isStrict(schema, 0);
}

function isStrict(schema: unknown, depth: number): boolean {
  if (depth > DEPTH_MAX) return false;
  if (Array.isArray(schema)) return schema.every((each) => isStrict(each, depth + 1));
  if (!isFields(schema)) return true;
  // What strict schemas may not hold.
  if (schema['allOf'] || schema['oneOf'] || schema['not'] || schema['patternProperties']) return false;
  const isObject = schema['type'] === 'object' || schema['properties'] !== undefined;
  if (isObject && !isClosed(schema)) return false;
  return INNER.every((keyword) => {
    const inner = schema[keyword];
    const isMap = keyword === 'properties' || keyword === '$defs' || keyword === 'definitions';
    return isStrict(isMap ? Object.values(toFields(inner)) : inner, depth + 1);
  });
}

function isClosed(schema: Fields): boolean {
  const { additionalProperties, required } = schema;
  const names = Object.keys(toFields(schema['properties']));
  return (
    additionalProperties === false &&
    Array.isArray(required) &&
    names.every((name) => required.includes(name))
  );
}
