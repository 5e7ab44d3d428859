#!/usr/bin/env bash
# DuckDB's REFRESH 'auto' renews an expired S3 secret to read a file, but not to list files.
#
# Versions: duckdb 1.5.5, duckdb-extension-aws 1.5.5, duckdb-extension-httpfs 1.5.5, Python 3.11,
#   Linux x86-64.
#
# Guess: DuckDB gets new credentials for a secret with REFRESH 'auto' before the old ones expire, or when
#   S3 refuses them.
# Behavior: DuckDB does not look at the expiration. It renews the secret after an error: after any error of
#   a file, even status 404, but for a list only after status 401 or 403. S3 refuses an
#   expired token with 400, so the list of a query such as FROM 's3://bucket/*.parquet' fails, although
#   the same connection would read each of the files.
#
# Output seen:
#   400: file read, list failed, 2 runs for the file, 1 for the list
#   403: file read, list read, 2 runs for the file, 2 for the list
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet duckdb==1.5.5 duckdb-extensions==1.5.5 \
    duckdb-extension-aws==1.5.5 duckdb-extension-httpfs==1.5.5

cat >"$work/process" <<'SH'
#!/bin/sh
echo run >>"$RUNS"
printf '{"Version": 1, "AccessKeyId": "ASIARUN%s", "SecretAccessKey": "s", ' "$(wc -l <"$RUNS")"
printf '"SessionToken": "t", "Expiration": "%s"}' "$(date -u -d '+1 hour' +%Y-%m-%dT%H:%M:%SZ)"
SH
chmod +x "$work/process"
mkdir "$work/.aws"
printf '[profile app]\nregion = eu-central-1\ncredential_process = %s\n' "$work/process" \
    >"$work/.aws/config"

# S3 with one file. It refuses the keys of the first run as expired if the file "expired" has a status.
cat >"$work/server.py" <<'PY'
import http.server
import os
import sys

LIST = (
    "<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated>"
    "<Contents><Key>file</Key><Size>5</Size></Contents></ListBucketResult>"
)
ERROR = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        first = "ASIARUN1/" in self.headers.get("Authorization", "")
        status, body = 200, LIST if "list-type" in self.path else "hello"
        if first and os.path.exists(sys.argv[2]):
            with open(sys.argv[2]) as expired:
                status, body = int(expired.read()), ERROR
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body.encode())

    do_GET = do_HEAD = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w") as port:
    port.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
PY
python3 "$work/server.py" "$work/port" "$work/expired" &
server=$!
for _ in $(seq 100); do [ -e "$work/port" ] && break; sleep 0.1; done
[ -e "$work/port" ] || { echo "the server did not start" >&2; exit 2; }

cat >"$work/query.py" <<'PY'
import os
import sys

import duckdb
import duckdb_extensions

what, status = sys.argv[1:]
connection = duckdb.connect()
for name in ("httpfs", "aws"):
    duckdb_extensions.import_extension(name, con=connection)
    connection.execute(f"LOAD {name}")
connection.execute(
    "CREATE SECRET (TYPE s3, PROVIDER credential_chain, CHAIN 'process', PROFILE 'app', "
    f"REFRESH 'auto', ENDPOINT '127.0.0.1:{os.environ['PORT']}', USE_SSL false, URL_STYLE 'path')"
)
query = {
    "file": "SELECT content FROM read_text('s3://bucket/file')",
    "list": "FROM glob('s3://bucket/*')",
}[what]
connection.execute(query).fetchall()
with open(os.environ["EXPIRED"], "w") as expired:
    expired.write(status)
try:
    connection.execute(query).fetchall()
    print("read")
except duckdb.HTTPException as error:
    print("failed" if f"HTTP {status}" in str(error) else error)
PY
query() {
    rm -f "$work/runs" "$work/expired"
    env -i PATH="$PATH" HOME="$work" RUNS="$work/runs" PORT="$(cat "$work/port")" \
        EXPIRED="$work/expired" "$work/venv/bin/python" "$work/query.py" "$@"
}
runs() { wc -l <"$work/runs"; }
seen=$(for status in 400 403; do
    file=$(query file "$status") && of_file=$(runs)
    list=$(query list "$status") && of_list=$(runs)
    echo "$status: file $file, list $list, $of_file runs for the file, $of_list for the list"
done)
echo "$seen"
[ "$seen" = "400: file read, list failed, 2 runs for the file, 1 for the list
403: file read, list read, 2 runs for the file, 2 for the list" ]
