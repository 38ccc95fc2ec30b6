"""Distils the teacher into a table: one vector per word piece and per frequent pair of pieces, averaged.

  venv/bin/python distill_table.py --sentences sentences.txt --teacher teacher.npy --version 1 \
      --out ../../assets/embedder-1.bin

Steps: teacher vectors are centred and reduced to 256 dimensions by PCA; every sentence becomes a sparse row
of its pieces and pairs of pieces, each counting 1 / sqrt(number of pieces); ridge regression from rows to
vectors by conjugate gradients, started from the teacher's own single-piece vectors under Zipf weights; pairs
that explain least are dropped and the rest is fitted again; rows become int8 with one scale each.

The file, little-endian: "TRET", uint32 length of the header, the header (JSON: format, version, dims,
pieceCount, pairCount, vocabularyBytes, teacher), the vocabulary (UTF-8, one piece a line), float32 scales of pieces,
float32 scales of pairs, uint32 keys of pairs (first * 65536 + second, ascending), int8 rows of pieces, int8
rows of pairs.
"""

import argparse
import json
import struct
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from embed_teacher import TOKENS_MAX, load_tokenizer

DIMS = 256
# A pair seen less often is learnt by heart, not learnt from.
PAIR_COUNT_MIN = 4
# 16 MiB for the whole file: what an install can carry without anybody asking why.
PAIRS_MAX = 31_000
PENALTY = 1.0


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def tokenise(sentences):
    tokenizer = load_tokenizer()
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=TOKENS_MAX)
    encoded = tokenizer.encode_batch(sentences, add_special_tokens=False)
    return tokenizer, [np.array(row.ids, dtype=np.int64) for row in encoded]


def design(token_rows, piece_count, pair_keys):
    """Sparse matrix: pieces first, then the given pairs (sorted keys)."""
    indices, values, pointers = [], [], [0]
    for ids in token_rows:
        columns = ids
        if len(ids) > 1 and len(pair_keys):
            keys = ids[:-1] * 65536 + ids[1:]
            at = np.searchsorted(pair_keys, keys)
            at[at == len(pair_keys)] = 0
            columns = np.concatenate([ids, piece_count + at[pair_keys[at] == keys]])
        indices.append(columns)
        values.append(np.full(len(columns), 1 / np.sqrt(max(1, len(ids))), dtype=np.float32))
        pointers.append(pointers[-1] + len(columns))
    matrix = sp.csr_matrix((np.concatenate(values), np.concatenate(indices), pointers), shape=(len(token_rows), piece_count + len(pair_keys)))
    matrix.sum_duplicates()
    return matrix


def ridge(matrix, targets, start, penalty, passes):
    """Conjugate gradients on the normal equations, all dimensions at once (one step length per dimension)."""
    transposed = matrix.T.tocsr()
    weights = start.copy()
    residual = transposed @ (targets - matrix @ weights) - penalty * weights
    direction = residual.copy()
    square = (residual**2).sum(axis=0)
    for step in range(passes):
        image = matrix @ direction
        curved = (image**2).sum(axis=0) + penalty * (direction**2).sum(axis=0)
        length = square / np.maximum(curved, 1e-12)
        weights += length * direction
        residual -= length * (transposed @ image + penalty * direction)
        following = (residual**2).sum(axis=0)
        direction = residual + (following / np.maximum(square, 1e-20)) * direction
        square = following
        if step % 5 == 4:
            say(f"  step {step + 1}: gradient {np.sqrt(square.sum()):.3f}")
    return weights


def explained(matrix, targets, weights):
    return 1 - ((targets - matrix @ weights) ** 2).sum() / (targets**2).sum()


def quantise(rows):
    scales = np.abs(rows).max(axis=1) / 127
    safe = np.where(scales == 0, 1, scales)
    return np.clip(np.rint(rows / safe[:, None]), -127, 127).astype(np.int8), scales.astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--penalty", type=float, default=PENALTY)
    parser.add_argument("--pairs", type=int, default=PAIRS_MAX)
    options = parser.parse_args()
    started = time.monotonic()
    sentences = options.sentences.read_text(encoding="utf-8").splitlines()
    teacher = np.load(options.teacher).astype(np.float32)
    tokenizer, token_rows = tokenise(sentences)
    piece_count = tokenizer.get_vocab_size()
    kept = np.array([at for at, ids in enumerate(token_rows) if len(ids)])
    token_rows, teacher = [token_rows[at] for at in kept], teacher[kept]
    say(f"{len(token_rows)} sentences tokenised, {time.monotonic() - started:.0f} s")

    mean = teacher.mean(axis=0)
    centred = teacher - mean
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :DIMS]
    targets = centred @ axes

    # The pieces' own vectors, weighted by log rank (Zipf): frequent pieces say little.
    singles = np.load(options.teacher.with_name("pieces.npy")).astype(np.float32)
    frequency = np.bincount(np.concatenate(token_rows), minlength=piece_count)
    rank = np.empty(piece_count)
    rank[np.argsort(-frequency, kind="stable")] = np.arange(piece_count)
    norms = np.maximum(np.linalg.norm(singles, axis=1, keepdims=True), 1e-9)
    start = ((singles / norms - mean) @ axes) * (np.log1p(rank)[:, None] / np.log1p(piece_count)) * 0.3

    keys, counts = np.unique(np.concatenate([ids[:-1] * 65536 + ids[1:] for ids in token_rows if len(ids) > 1]), return_counts=True)
    candidates = keys[counts >= PAIR_COUNT_MIN]
    candidate_counts = counts[counts >= PAIR_COUNT_MIN]
    say(f"{len(candidates)} pairs seen {PAIR_COUNT_MIN} times or more")
    matrix = design(token_rows, piece_count, candidates)
    held_out = np.arange(matrix.shape[0]) % 50 == 0
    both = np.vstack([start, np.zeros((len(candidates), DIMS), dtype=np.float32)]).astype(np.float32)
    weights = ridge(matrix[~held_out], targets[~held_out], both, options.penalty, 12)
    say(f"all pairs: explains {explained(matrix[held_out], targets[held_out], weights):.3f} held out, {time.monotonic() - started:.0f} s")

    energy = candidate_counts * (weights[piece_count:] ** 2).sum(axis=1)
    chosen = np.sort(np.argsort(-energy)[: options.pairs])
    pair_keys = candidates[chosen]
    matrix = design(token_rows, piece_count, pair_keys)
    first = np.vstack([weights[:piece_count], weights[piece_count:][chosen]])
    weights = ridge(matrix[~held_out], targets[~held_out], first, options.penalty, 25)
    say(f"{len(pair_keys)} pairs: explains {explained(matrix[held_out], targets[held_out], weights):.3f} held out, {time.monotonic() - started:.0f} s")

    vocabulary = [tokenizer.id_to_token(at) for at in range(piece_count)]
    # Pieces that no text can contain need no row.
    for at, piece in enumerate(vocabulary):
        if piece.startswith("[unused") or piece in ("[PAD]", "[CLS]", "[SEP]", "[MASK]"):
            weights[at] = 0
    named = "\n".join(vocabulary).encode()
    piece_rows, piece_scales = quantise(weights[:piece_count])
    pair_rows, pair_scales = quantise(weights[piece_count:])
    header = json.dumps({
        "format": 1, "version": options.version, "dims": DIMS, "pieceCount": piece_count, "pairCount": len(pair_keys),
        "vocabularyBytes": len(named), "teacher": "all-MiniLM-L6-v2", "sentenceCount": len(token_rows),
    }).encode()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with open(options.out, "wb") as out:
        out.write(b"TRET" + struct.pack("<I", len(header)) + header + named)
        for block in (piece_scales, pair_scales, pair_keys.astype(np.uint32), piece_rows, pair_rows):
            out.write(block.tobytes())
    say(f"{options.out.stat().st_size / 2**20:.1f} MiB in {options.out}, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
