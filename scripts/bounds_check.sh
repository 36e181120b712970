#!/usr/bin/env bash
# Run the kernel tests with every array index checked: compiled code reads past an array's end in silence.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t folders < <(find tests -type d -name kernels | LC_ALL=C sort)
if [[ ${#folders[@]} -eq 0 ]]; then
    echo "bounds: no folder named kernels below tests/, so nothing would be checked" >&2
    exit 1
fi
set -x
NUMBA_BOUNDSCHECK=1 .venv/bin/pytest "${folders[@]}"
