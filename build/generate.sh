#!/usr/bin/env bash
# Writes every file that is made from code. The tests fail when one is out of date.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --quiet -p userengine-api --features kinds --example generate
brain/prepare.sh
cargo run --quiet -p userengine-engine -- openapi > engine/openapi.json
cargo run --quiet -p userengine-engine -- catalog-schema > engine/catalog.schema.json
# The tables of faults, as the tests last accepted them (INSTA_UPDATE=always).
for table in engine/tests/faults/snapshots/*.snap; do
  name=$(basename "$table" .snap)
  name=${name#main__faults__}
  awk -v name="$name" -v table="$table" '
    $0 == "<!-- end -->" { skipping = 0 }
    !skipping { print }
    $0 == "<!-- " name " -->" {
      skipping = 1
      print ""
      while ((getline line < table) > 0) { if (line ~ /^\|/) print line }
      print ""
    }
  ' docs/reliability.md > docs/reliability.md.new
  mv docs/reliability.md.new docs/reliability.md
done
