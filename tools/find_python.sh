#!/bin/sh
# Prints the interpreter to build .venv with, or says what to install and stops.
#
#     tools/find_python.sh [INTERPRETER]
#
# Without a name it takes the first that really runs (a version manager's shim may not), oldest supported first: the
# older a Python, the more ready-made wheels there are for it.
set -eu

needs='Install Python 3.11, 3.12 or 3.13 (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install
python@3.12; conda: conda create -n course python=3.12), or name one that you have: make lab PYTHON=/path/to/python3.12'

# Is $1 a supported Python that can make a virtual environment? Says nothing.
suits() {
    "$1" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

# One line on what is wrong with $1.
fault() {
    version=$("$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || version=
    case $version in
        '') echo "'$1' does not run." ;;
        3.11.*|3.12.*|3.13.*) echo "'$1' is Python $version, but has no venv module." ;;
        *) echo "'$1' is Python $version; the course runs on 3.11, 3.12 and 3.13." ;;
    esac
}

for candidate in ${1:-python3.11 python3.12 python3.13 python3 python}; do
    if suits "$candidate"; then
        echo "$candidate"
        exit 0
    fi
done

if [ -n "${1:-}" ]; then
    fault "$1" >&2
else
    echo 'No suitable Python was found. Tried python3.11, python3.12, python3.13, python3 and python.' >&2
    for candidate in python3.11 python3.12 python3.13 python3 python; do
        if command -v "$candidate" >/dev/null; then fault "$candidate" >&2; fi
    done
fi
echo "$needs" >&2
exit 1
