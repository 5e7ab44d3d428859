#!/usr/bin/env bash
# DuckDB rejects the document of a credential_process that succeeds if it also writes to stderr.
#
# Versions: duckdb 1.5.5, duckdb-extension-aws 1.5.5 (with the AWS SDK for C++ inside), Python 3.11,
#   Linux x86-64.
#
# Guess: stdout is the document, and stderr is for people. A warning there does no harm.
# Behavior: DuckDB reads both as one text, which is not JSON. The error is "Secret Validation Failure" and
#   does not mention the process. pyarrow 26.0.1, with the same SDK inside, ignores stderr.
#
# Output seen:
#   silent process: created
#   a warning on stderr: Secret Validation Failure
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet duckdb==1.5.5 duckdb-extensions==1.5.5 \
    duckdb-extension-aws==1.5.5 duckdb-extension-httpfs==1.5.5

cat >"$work/process" <<'SH'
#!/bin/sh
echo run >>"$RUNS"
[ -z "${NOISE:-}" ] || echo "warning: the session ends soon" >&2
printf '{"Version": 1, "AccessKeyId": "ASIAPROCESS", "SecretAccessKey": "s", "SessionToken": "t", '
printf '"Expiration": "%s"}' "$(date -u -d "+$LEFT seconds" +%Y-%m-%dT%H:%M:%SZ)"
SH
chmod +x "$work/process"
mkdir "$work/.aws"
printf '[profile app]\nregion = eu-central-1\ncredential_process = %s\n' "$work/process" \
    >"$work/.aws/config"

cat >"$work/create.py" <<'PY'
import duckdb
import duckdb_extensions

connection = duckdb.connect()
for name in ("httpfs", "aws"):
    duckdb_extensions.import_extension(name, con=connection)
    connection.execute(f"LOAD {name}")
try:
    connection.execute(
        "CREATE SECRET (TYPE s3, PROVIDER credential_chain, CHAIN 'process', PROFILE 'app')"
    )
    print("created")
except duckdb.Error as error:
    print("Secret Validation Failure" if "Secret Validation Failure" in str(error) else error)
PY
create() {
    env -i PATH="$PATH" HOME="$work" RUNS="$work/runs" LEFT=3600 "$@" \
        "$work/venv/bin/python" "$work/create.py"
}
silent=$(create A=a)
noisy=$(create NOISE=1)
echo "silent process: $silent"
echo "a warning on stderr: $noisy"
[ "$silent" = created ] && [ "$noisy" = "Secret Validation Failure" ]
