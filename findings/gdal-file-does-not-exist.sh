#!/usr/bin/env bash
# GDAL says that a file does not exist when the credential_process of its profile fails.
#
# Versions: rasterio 1.5.2 (with GDAL inside), Python 3.13, Linux x86-64. It needs Python 3.12 or newer.
#
# Guess: opening /vsis3/bucket/file.tif with a credential_process that exits with status 1 gives an error
#   about credentials, with what the process wrote to stderr.
# Behavior: if the driver is given, the error is that of a missing file. It does not mention credentials,
#   and no request is sent. GDAL runs the process several times for one file: it does not remember
#   that it failed.
#
# Output seen:
#   '/vsis3/bucket/file.tif' does not exist in the file system, and is not recognized as a supported dataset name.
#   the process ran 5 times
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for python in "${PYTHON:-python3}" python3.13 python3.12 python3.14; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && break
    python=
done
[ "$python" ] || { echo "rasterio 1.5.2 needs Python 3.12 or newer: set PYTHON" >&2; exit 2; }
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet rasterio==1.5.2

cat >"$work/process" <<'SH'
#!/bin/sh
echo run >>"$RUNS"
echo "the role is refused" >&2
exit 1
SH
chmod +x "$work/process"
mkdir "$work/.aws"
printf '[profile app]\nregion = eu-central-1\ncredential_process = %s\n' "$work/process" \
    >"$work/.aws/config"

cat >"$work/look.py" <<'PY'
import rasterio

try:
    rasterio.open("/vsis3/bucket/file.tif", driver="GTiff")
except rasterio.RasterioIOError as error:
    print(error)
PY
said=$(env -i PATH="$PATH" HOME="$work" AWS_PROFILE=app RUNS="$work/runs" \
    GDAL_DISABLE_READDIR_ON_OPEN=EMPTY_DIR AWS_S3_ENDPOINT=127.0.0.1:9 AWS_HTTPS=NO \
    "$work/venv/bin/python" "$work/look.py")
runs=$(wc -l <"$work/runs")
echo "$said"
echo "the process ran $runs times"
case $said in *"does not exist"*) [ "$runs" -gt 1 ] ;; *) exit 1 ;; esac
