import { randomFillSync } from 'node:crypto';

const ID_BYTES = 10;
const IDS_AT_ONCE = 512;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * UUIDs of version 7 (RFC 9562, 5.7): 48 bits of milliseconds, then random bits. Random bytes are drawn for many ids at
 * once, since asking for them costs as much as all the rest of an id.
 */
export class RequestIds {
  readonly #random = new Uint8Array(ID_BYTES * IDS_AT_ONCE);
  #at = this.#random.length;

  /** @param atMs  milliseconds since 1970; a fraction is cut off */
  next(atMs: number): string {
    if (this.#at >= this.#random.length) {
      randomFillSync(this.#random);
      this.#at = 0;
    }
    const bytes = this.#random;
    const at = this.#at;
    this.#at += ID_BYTES;
    const byte = (k: number): number => bytes[at + k] as number;
    const hex = (k: number): string => HEX[byte(k)] as string;
    const time = Math.floor(atMs).toString(16).padStart(12, '0');
    const version = HEX[0x70 | (byte(0) & 0x0f)] as string;
    const variant = HEX[0x80 | (byte(2) & 0x3f)] as string;
    const node = hex(4) + hex(5) + hex(6) + hex(7) + hex(8) + hex(9);
    return `${time.slice(0, 8)}-${time.slice(8)}-${version}${hex(1)}-${variant}${hex(3)}-${node}`;
  }
}
