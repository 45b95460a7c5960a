#!/usr/bin/env bash
# Writes every file that is made from code. The tests fail when one is out of date.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --quiet -p userengine-api --features kinds --example generate
brain/prepare.sh
cargo run --quiet -p userengine-engine -- openapi > engine/openapi.json
cargo run --quiet -p userengine-engine -- catalog-schema > engine/catalog.schema.json
