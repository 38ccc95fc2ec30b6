#!/usr/bin/env bash
# One turn of the loop with curl. Start the product (npm start), then: bash examples/curl.sh
set -euo pipefail
address="${TALLYRANK_URL:-http://localhost:5001}"
json='content-type: application/json'
key="authorization: Bearer ${TALLYRANK_ADMIN_KEY:-not-needed-on-localhost}"

echo '== ask; the headers say what was chosen and why'
headers="$(mktemp)"
curl -sS -D "$headers" "$address/v1/chat/completions" -H "$json" -H "$key" -H 'x-session-id: example' \
  -d '{"model": "auto", "messages": [{"role": "user", "content": "What time does Starbucks open?"}]}'
echo
grep -i '^x-tallyrank' "$headers" || true
request_id="$(grep -i '^x-request-id:' "$headers" | tr -d '\r' | cut -d ' ' -f 2)"
rm "$headers"

echo '== say how well it served'
curl -sS "$address/api/feedback" -H "$json" -H "$key" -d "{\"requestId\": \"$request_id\", \"score\": 5}"
echo
echo '== which model would a prompt get'
curl -sS "$address/api/route/explain" -H "$json" -H "$key" -d '{"prompt": "Translate good morning to German"}'
echo
echo '== rank anew, and see'
curl -sS -X POST "$address/api/rankings/refresh" -H "$key"
echo
curl -sS "$address/api/usage/stats?timeframe=1%20hour" -H "$key"
echo
curl -sS "$address/api/savings" -H "$key"
echo
