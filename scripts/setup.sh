#!/usr/bin/env bash
# Make .venv and install the package in it, editable: `setup.sh run` with what a run needs,
# `setup.sh dev` with the development tools as well. PYTHON selects the interpreter.
# Exit 2: something is missing that only the user can provide; the message says what to run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stop() {
    printf 'setup: %s\n' "$1" >&2
    (($# == 1)) || printf '%s\n' "${@:2}" >&2
    exit 2
}

level=${1:-dev}
case "$level" in
    run) requirement="." ;;
    dev) requirement=".[dev]" ;;
    *) stop "given '$level'; allowed: run, dev" ;;
esac
python=${PYTHON:-python3}
read -r oldest newest < <(
    sed -nE 's/^requires-python = ">=3\.([0-9]+),<3\.([0-9]+)"$/\1 \2/p' pyproject.toml) \
    || stop 'pyproject.toml: requires-python is not of the form ">=3.N,<3.M".'
newest=$((newest - 1))

supported() {
    "$1" -c "import sys; sys.exit(not (3, $oldest) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null
}

check_version() {
    command -v "$python" >/dev/null \
        || stop "no interpreter '$python' found; Python 3.$oldest to 3.$newest is needed." \
                "Name one with: make PYTHON=/path/to/python3 setup"
    supported "$python" && return
    local minor candidate
    local advice="Install one of them, then name it with: make PYTHON=/path/to/python3 setup"
    for ((minor = newest; minor >= oldest; minor--)); do
        candidate="python3.$minor"
        if supported "$candidate"; then
            advice="This machine has one; name it with: make PYTHON=$candidate setup"
            break
        fi
    done
    stop "'$python' is $("$python" --version 2>&1); Python 3.$oldest to 3.$newest is needed." "$advice"
}

# Debian keeps ensurepip, without which no virtual environment has pip, in a package of its own.
provide_ensurepip() {
    "$python" -c 'import ensurepip' 2>/dev/null && return
    local package=python3-venv
    if [[ $(readlink -f "$(command -v "$python")") != "$(readlink -f /usr/bin/python3)" ]]; then
        package=$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')
    fi
    command -v apt-get >/dev/null \
        || stop "'$python' has no ensurepip module, so it cannot make a virtual environment." \
                "Install your system's package with Python's venv and ensurepip, then call make again."
    local commands="apt-get update && apt-get install -y $package"
    if [[ $(id -u) != 0 ]]; then
        local as_root="su -c '$commands'"
        ! command -v sudo >/dev/null || as_root="sudo sh -c '$commands'"
        stop "the system package $package is missing and only root can install it. Run" \
             "    $as_root" "and call make again."
    fi
    echo "setup: installing the system package $package"
    apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
    "$python" -c 'import ensurepip' 2>/dev/null \
        || stop "$package is installed, yet '$python' still has no ensurepip module." \
                "Name another interpreter with: make PYTHON=/path/to/python3 setup"
}

# The tests compare circuits with ngspice; without it they say so and skip.
provide_ngspice() {
    command -v ngspice >/dev/null && return
    local packages="ngspice libngspice0"
    if command -v apt-get >/dev/null && [[ $(id -u) == 0 ]]; then
        echo "setup: installing the system packages $packages"
        apt-get update -qq >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null && return
    fi
    echo "setup: ngspice is missing, so the tests against it will be skipped. Install it as root, for example with" >&2
    echo "    apt-get install -y $packages" >&2
}

if ! { supported .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    check_version
    provide_ensurepip
    echo "setup: making .venv with $("$python" --version 2>&1)"
    "$python" -m venv --clear .venv
fi

echo "setup: installing the package and what it needs into .venv (minutes the first time)"
# A build backend warns about every editable installation, which is what is wanted here.
PYTHONWARNINGS=ignore .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$requirement"

touch .venv/.ready-run
if [[ $level == dev ]]; then
    provide_ngspice
    # Transistor cards, text files only: the packages that theirs depends on would replace PySpice.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "c4m-pdk-freepdk45>=0.0.1"
    touch .venv/.ready-dev
fi
