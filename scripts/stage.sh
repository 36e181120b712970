#!/usr/bin/env bash
# Run one stage of `make test`: `stage.sh NAME COMMAND [ARGUMENT …]` prints its name and its seconds.
set -uo pipefail

name=$1
shift
printf '\n== %s ==\n' "$name"
SECONDS=0
"$@"
status=$?
if ((status)); then
    printf '== %s FAILED after %d s ==\n' "$name" "$SECONDS"
else
    printf '== %s passed in %d s ==\n' "$name" "$SECONDS"
fi
exit "$status"
