import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { AnswerCollector } from '../../src/gateway/answer-collector.ts';
import type { AnswerPart, ChatAnswer } from '../../src/gateway/chat.ts';
import { EMPTY_PART } from '../../src/gateway/chat.ts';
import type { AnswerStream } from '../../src/gateway/protocols/inbound.ts';

/** What is read from a stream or written to one, as JSON has it. */
export type Json = Record<string, unknown>;

/** A recorded answer of a provider, bytes as received. */
export function wire(name: string): Buffer {
  return readFileSync(new URL(`../fixtures/wire/${name}`, import.meta.url));
}

/** Anything that reads a provider's stream. */
export interface StreamReader {
  push(bytes: Buffer): AnswerPart[];
  end(): AnswerPart[];
}

/** All parts of a stream, whose bytes come to the reader in pieces of `size`. */
export function readAll(reader: StreamReader, bytes: Buffer, size = bytes.length): AnswerPart[] {
  const parts: AnswerPart[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(...reader.push(bytes.subarray(at, at + size)));
  return [...parts, ...reader.end()];
}

/** The answer of a recorded stream, whose bytes come to the reader in pieces of `size`. */
export function collect(reader: StreamReader, name: string, size?: number): ChatAnswer {
  const collector = new AnswerCollector();
  for (const part of readAll(reader, wire(name), size)) collector.collect(part);
  return collector.answer();
}

/** A piece of a call of the tool "f"; a piece without an id goes on with a call. */
export function callPart(index: number, id: string | null, text: string): AnswerPart {
  const call = { index, id, name: id === null ? null : 'f', arguments: text };
  return { ...EMPTY_PART, toolCalls: [call] };
}

export interface WrittenStream {
  /** The events that were ready before the end. */
  readonly early: Json[];
  readonly all: Json[];
  /** All of them, as the client gets them. */
  readonly frames: string;
}

/** What a stream of named events writes for these parts. */
export function writeAll(stream: AnswerStream, parts: readonly AnswerPart[]): WrittenStream {
  const collector = new AnswerCollector();
  let frames = '';
  for (const part of parts) {
    collector.collect(part);
    frames += stream.part(part);
  }
  const early = eventsOf(frames);
  const outcome = { latencyMs: 20, firstTokenMs: 10 };
  frames += stream.end({ answer: collector.answer(), usageWire: null, costUsd: () => null, outcome });
  return { early, all: eventsOf(frames), frames };
}

/** The events of a stream; each must be named by its type. */
export function eventsOf(frames: string): Json[] {
  return frames
    .split('\n\n')
    .filter((frame) => frame !== '')
    .map((frame) => {
      const [name, data] = frame.split('\n');
      const event = JSON.parse(data?.slice('data: '.length) ?? '') as Json;
      expect(name).toBe(`event: ${String(event['type'])}`);
      return event;
    });
}

/** A recorded stream goes on to its client as it came, and the event that ends it is held back. */
export function expectForwarded(
  name: string,
  { reader, stream, endType }: { reader: StreamReader; stream: AnswerStream; endType: string },
): void {
  const { early, frames } = writeAll(stream, readAll(reader, wire(name)));
  const sent = wire(name).toString().trim().split(/\n\n+/);
  expect(frames.trim().split('\n\n').map(dataOf)).toEqual(sent.map(dataOf));
  expect(early.map((event) => event['type'])).not.toContain(endType);
}

function dataOf(frame: string): unknown {
  const line = frame.split('\n').find((each) => each.startsWith('data:'));
  return JSON.parse(line?.slice('data:'.length) ?? 'null');
}
