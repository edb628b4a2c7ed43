#!/bin/sh
# Makes the virtual environment DIR with the first Python found that will do, and installs uv into it (pinned, by hash).
# Usage: requirements/setup.sh DIR   (PYTHON=/path/to/python takes that one)
set -eu
directory=$1
here=$(dirname "$0")

python=
without_venv=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
        python=$candidate
        break
    fi
    without_venv=${without_venv:-$candidate}
done

if [ -z "$python" ] && [ -n "$without_venv" ]; then
    echo "$without_venv cannot make virtual environments: install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2
    exit 1
elif [ -z "$python" ]; then
    found=$("${PYTHON:-python3}" -V 2>/dev/null || echo "no ${PYTHON:-python3}")
    echo "Mortis needs Python 3.11 or newer; found $found, and none under another name. Name one: make PYTHON=/path/to/python3.13" >&2
    exit 1
fi

echo "Setting up $directory with $("$python" -V), once ..."
"$python" -m venv "$directory"
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/bootstrap.txt"
