"""Serves the table's teacher (all-MiniLM-L6-v2, int8 ONNX; 256 tokens) as an OpenAI-compatible /v1/embeddings on loopback.

  python3 -m venv venv && venv/bin/pip install -r ../../scripts/distill/requirements.txt
  venv/bin/python embedding_server.py --port 8099
"""

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts" / "distill"))
from embed_teacher import Teacher  # noqa: E402


class Handler(BaseHTTPRequestHandler):
    teacher: Teacher

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        rows = self.teacher.embed(texts).astype(float).round(6).tolist()
        answer = json.dumps({
            "object": "list", "model": body.get("model"),
            "data": [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)],
        }).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    Handler.teacher = Teacher(options.threads)
    # What the model was made for. Distillation cuts earlier, since a table learns nothing from the middle of a long text.
    Handler.teacher.tokenizer.enable_truncation(max_length=256)
    HTTPServer(("127.0.0.1", options.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
