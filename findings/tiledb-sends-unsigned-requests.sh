#!/usr/bin/env bash
# TileDB sends S3 unsigned requests when the credential_process of its profile fails.
#
# Versions: tiledb 0.36.1 (with the AWS SDK for C++ inside), Python 3.11, Linux x86-64.
#
# Guess: AWS_PROFILE names a profile, its credential_process exits with status 1, and the request fails
#   with what the process wrote to stderr. At the least, no request is sent.
# Behavior: what the process writes is not shown, and the next provider is tried. If no provider is left,
#   as on a machine that is not an instance with a role, the request is sent without a signature. A
#   public bucket is then read successfully; for any other the error is S3's "403".
#
# Output seen:
#   the process ran, requests to S3 were signed by: none
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet tiledb==0.36.1

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

# One server is the instance's metadata service and S3. It notes the key that signed each request to S3.
cat >"$work/server.py" <<'PY'
import http.server, json, re, sys

ROLES = "/latest/meta-data/iam/security-credentials/"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body, status = b"", 200
        if self.path == "/latest/api/token":
            body = b"token"
        elif self.path == ROLES or self.path == ROLES.rstrip("/"):
            body = b"app"
        elif self.path.startswith(ROLES):
            keys = {"AccessKeyId": "ASIAINSTANCEROLE", "SecretAccessKey": "s", "Token": "t"}
            times = {"LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z"}
            body = json.dumps({"Code": "Success", "Type": "AWS-HMAC", **keys, **times}).encode()
        elif not self.path.startswith("/latest/"):
            signed = re.search("Credential=([^/]+)", self.headers.get("Authorization", ""))
            with open(sys.argv[2], "a") as signers:
                print(signed[1] if signed else "none", file=signers)
            body, status = b"<Error><Code>NoSuchKey</Code></Error>", 404
        self.send_response(status)
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_GET = do_HEAD = do_PUT = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1], "w") as port:
    print(server.server_port, file=port, flush=True)
server.serve_forever()
PY
python3 "$work/server.py" "$work/port" "$work/signers" &
server=$!
for _ in $(seq 100); do [ -s "$work/port" ] && break; sleep 0.1; done
[ -s "$work/port" ] || { echo "the server did not start" >&2; exit 2; }
port=$(cat "$work/port")

cat >"$work/look.py" <<'PY'
import os

import tiledb

options = {
    "vfs.s3.endpoint_override": os.environ["S3"],
    "vfs.s3.scheme": "http",
    "vfs.s3.use_virtual_addressing": "false",
    "vfs.s3.region": "eu-central-1",
}
print(tiledb.VFS(config=options).is_file("s3://bucket/file"))
PY
: >"$work/runs"
env -i PATH="$PATH" HOME="$work" AWS_PROFILE=app RUNS="$work/runs" S3="127.0.0.1:$port" \
    "$work/venv/bin/python" "$work/look.py" >/dev/null
signers=$(sort -u "$work/signers")
echo "the process ran$([ -s "$work/runs" ] || echo " not"), requests to S3 were signed by: $signers"
[ -s "$work/runs" ] && [ "$signers" = none ]
