#!/bin/sh
# Build the data set of scenes, or fetch that of COCO captions: ./get_datasets.sh --help
set -eu
cd "$(dirname "$0")"

# $PYTHON, if it is set; else that of the course's own environment; else what there is.
python=${PYTHON:-}
for candidate in .venv/bin/python .venv/Scripts/python.exe python3 python; do
    if [ -z "$python" ] && command -v "$candidate" >/dev/null; then python=$candidate; fi
done

if [ -z "$python" ] || ! "$python" -c 'import h5py, imageio, numpy, tqdm'; then
    printf '%s\n' "get_datasets: there is no Python with the packages of the course${python:+ ('$python' lacks some)}." \
        "              Set them up as README.md says, and try again." >&2
    exit 1
fi
exec "$python" -m coursekit.get_datasets "$@"
