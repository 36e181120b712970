#!/usr/bin/env bash
# Run the kernel tests with every array index checked: compiled code reads past an array's end in silence.
# The flag changes the compiled code, hence a cache of its own. A cached function does not notice a change in
# another one that it inlines, hence one cache for each state of the kernels.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t folders < <(find tests -type d -name kernels | LC_ALL=C sort)
if [[ ${#folders[@]} -eq 0 ]]; then
    echo "bounds: no folder named kernels below tests/, so nothing would be checked" >&2
    exit 1
fi
state=$(find device_models circuits cost_model cosim -path '*/kernels/*.py' -print0 \
    | LC_ALL=C sort -z | xargs -0 cat | sha256sum | cut -c1-16)
cache="$PWD/.numba_cache/boundscheck-$state"
if [[ ! -d $cache ]]; then
    rm -rf .numba_cache/boundscheck-*
    mkdir -p "$cache"
fi
set -x
NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR="$cache" .venv/bin/pytest "${folders[@]}"
