import type { EvidenceBook } from './evidence.ts';
import { noEvidence } from './evidence.ts';

/** How a map is written: an object that no evidence has by itself. */
const MAP_KEY = '#map';

/** An evidence book as JSON: numbers, texts, objects and maps, whatever fields evidence has. */
export function encodeBook(book: EvidenceBook): string {
  return JSON.stringify(book, (_key, value: unknown) =>
    value instanceof Map ? { [MAP_KEY]: [...value] } : value,
  );
}

/** What {@link encodeBook} wrote; fields that the program which wrote it did not know are those of no evidence. */
export function decodeBook(text: string): EvidenceBook {
  const book = JSON.parse(text, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && MAP_KEY in value
      ? new Map(value[MAP_KEY] as [unknown, unknown][])
      : value,
  ) as EvidenceBook;
  return new Map(
    [...book].map(([useCase, models]) => [
      useCase,
      new Map([...models].map(([modelId, evidence]) => [modelId, { ...noEvidence(modelId), ...evidence }])),
    ]),
  );
}
