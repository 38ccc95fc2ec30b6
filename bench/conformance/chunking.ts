import { createRandom } from '../../src/stats/random.ts';

/** Longer bodies are not cut at every byte: it would take minutes and find nothing new. */
const BYTEWISE_MAX = 20_000;
const SHORT_PIECE_BYTES = 7;
const RANDOM_PIECE_BYTES_MAX = 3_000;

/** The same bytes in pieces, by the way they are cut. */
export function splitsOf(bytes: Buffer): Readonly<Record<string, readonly Buffer[]>> {
  const short = bytes.length <= BYTEWISE_MAX ? 1 : SHORT_PIECE_BYTES;
  const random = createRandom(bytes.length);
  return {
    'in short pieces': cutAt(bytes, every(bytes, short)),
    'cut inside characters and line ends': cutAt(bytes, awkward(bytes)),
    'in random pieces': cutAt(bytes, (at) => at + 1 + Math.floor(random.next() * RANDOM_PIECE_BYTES_MAX)),
  };
}

function every(_bytes: Buffer, size: number): (at: number) => number {
  return (at) => at + size;
}

/** Cuts before every byte that goes on with a character of several, and between the two line ends of an event. */
function awkward(bytes: Buffer): (at: number) => number {
  return (at) => {
    for (let next = at + 1; next < bytes.length; next++) {
      const byte = bytes[next] ?? 0;
      const isInside = byte >= 0x80 && byte < 0xc0;
      if (isInside || bytes[next - 1] === 0x0a) return next;
    }
    return bytes.length;
  };
}

function cutAt(bytes: Buffer, next: (at: number) => number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, next(at));
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}
