#!/usr/bin/env bash
# Builds the tests with guards that can be taken away, and sees whether the isolation suite notices each (ADR 11).
# Usage: scripts/isolation_mutants.sh [--list] [FILTER …]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/env.sh
own_postgres=
[ -n "${SEAM_TEST_DATABASE_URL:-}" ] || own_postgres=1
SEAM_TEST_DATABASE_URL=$(scripts/postgres.sh)
export SEAM_TEST_DATABASE_URL
trap '[ -z "$own_postgres" ] || scripts/postgres.sh stop' EXIT
scripts/isolation_mutants.py "$@"
