#!/bin/sh
# Print the path of a Python 3.12 or 3.13 that really runs, or say what to install.
# A pyenv shim may be on PATH and refuse to run, so each candidate is tried.
runs() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info < (3, 14))' >/dev/null 2>&1
}

candidates() {
    [ -n "$MOBILEQ_PYTHON" ] && echo "$MOBILEQ_PYTHON"
    for name in python3.12 python3.13 python3 python; do
        command -v "$name"
    done
    for root in "$PYENV_ROOT" "$HOME/.pyenv"; do
        [ -n "$root" ] && ls -d "$root"/versions/3.1[23]*/bin/python3 2>/dev/null
    done
    if command -v uv >/dev/null; then
        uv python find --no-python-downloads '>=3.12,<3.14' 2>/dev/null
    fi
}

for python in $(candidates); do
    if runs "$python"; then
        echo "$python"
        exit 0
    fi
done
echo "mobileq needs Python 3.12 or 3.13 with venv, and none was found." >&2
echo "Install one (apt-get install python3.12-venv, brew install python@3.12, pyenv install 3.12," >&2
echo "or uv python install 3.12), or name yours: make setup MOBILEQ_PYTHON=/path/to/python" >&2
exit 1
