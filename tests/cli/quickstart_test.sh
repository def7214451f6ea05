#!/usr/bin/env bash
# scripts/quickstart --fast from the corpus to the report.   FOLDER
cd "$1" || exit 1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
scripts/quickstart --fast --no-setup --out "$out" >"$out/log" 2>&1
code=$?
if ((code == 2)) && grep -q 'apt-get' "$out/log"; then
  echo "skipped: the corpus packages cannot be downloaded here"
  exit 77
fi
tail -n 60 "$out/log"
((code == 0)) || exit 1
for file in report.html run/model/model.safetensors run/metrics.jsonl run/config.toml results/csc.json \
  results/strategies.json results/rows.jsonl; do
  [[ -s $out/$file ]] || { echo "missing: $file"; exit 1; }
done
