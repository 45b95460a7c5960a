#!/bin/sh
# Brings brain/.sqlx up to date: the checked form of every query, with which it builds
# without a database. Run it after a change of a query or a migration, and commit the result.
# Needs the sqlite3 command line (Debian: `apt-get install sqlite3`). Takes about a minute.
set -eu
cd "$(dirname "$0")"

command -v sqlite3 >/dev/null || { echo "prepare.sh: sqlite3 is not installed" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for migration in migrations/*.sql; do
    sqlite3 "$work/brain.sqlite" <"$migration"
done

# The compiler writes one file a query; a query that is gone must not leave its file behind.
mkdir -p "$work/sqlx"
touch src/lib.rs
DATABASE_URL="sqlite://$work/brain.sqlite" SQLX_OFFLINE=false SQLX_OFFLINE_DIR="$work/sqlx" cargo check --quiet --lib
rm -rf .sqlx
mkdir .sqlx
cp "$work"/sqlx/query-*.json .sqlx/
touch src/lib.rs
echo "prepare.sh: $(ls .sqlx | wc -l) queries in brain/.sqlx"
