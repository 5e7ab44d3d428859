#!/usr/bin/env bash
# Daft ignores the parameter profile_name of its S3Config, and uses the instance's role.
#
# Versions: daft 0.7.26, Python 3.11, Linux x86-64.
#
# Guess: S3Config(profile_name="app") does what the parameter of that name does in boto3's Session.
# Behavior: Daft does not read the profile, whether it exists or not. Its credential_process is not run,
#   and on an instance Daft signs with the credentials of the instance's role. The profile in
#   AWS_PROFILE is used.
#
# Output seen:
#   profile_name="app": the process ran 0 times, requests to S3 were signed by ASIAINSTANCEROLE
#   AWS_PROFILE=app: the process ran, requests to S3 were signed by ASIAPROCESS
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet daft==0.7.26

cat >"$work/process" <<'SH'
#!/bin/sh
echo run >>"$RUNS"
printf '{"Version": 1, "AccessKeyId": "ASIAPROCESS", "SecretAccessKey": "s", "SessionToken": "t", '
printf '"Expiration": "%s"}' "$(date -u -d "+$LEFT seconds" +%Y-%m-%dT%H:%M:%SZ)"
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
import sys

import daft
from daft.io import IOConfig, S3Config

named = {"profile_name": sys.argv[1]} if len(sys.argv) > 1 else {}
config = S3Config(
    endpoint_url=os.environ["S3"], region_name="eu-central-1", use_ssl=False, num_tries=1, **named
)
try:
    daft.from_glob_path("s3://bucket/file", io_config=IOConfig(s3=config)).collect()
except Exception as error:  # this S3 has no file
    print(type(error).__name__)
PY
look() {
    : >"$work/runs"
    : >"$work/signers"
    env -i PATH="$PATH" HOME="$work" RUNS="$work/runs" LEFT=3600 S3="http://127.0.0.1:$port" \
        AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:$port" "$1" \
        "$work/venv/bin/python" "$work/look.py" "${@:2}" >/dev/null 2>&1 || true
    runs=$(wc -l <"$work/runs")
    signers=$(sort -u "$work/signers")
}
look A=a app
named="$runs $signers"
echo "profile_name=\"app\": the process ran $runs times, requests to S3 were signed by $signers"
look AWS_PROFILE=app
ran=$([ "$runs" -gt 0 ] && echo ran || echo "did not run")
echo "AWS_PROFILE=app: the process $ran, requests to S3 were signed by $signers"
[ "$named" = "0 ASIAINSTANCEROLE" ] && [ "$runs" -gt 0 ] && [ "$signers" = ASIAPROCESS ]
