#!/usr/bin/env bash
# pyarrow uses the role of the instance when the credential_process of its profile fails.
#
# Versions: pyarrow 26.0.1 (with the AWS SDK for C++ inside), Python 3.11, Linux x86-64.
#
# Guess: AWS_PROFILE names a profile, the profile's credential_process exits with status 1, so the
#   request fails. boto3 and the SDKs for Go and Rust do that.
# Behavior: the default credentials chain of the C++ SDK ignores the failure. It continues with the
#   instance metadata service, and S3FileSystem signs with the credentials of the instance's role.
#   There is no error and no warning. AWS_EC2_METADATA_DISABLED=true prevents it.
#
# Output seen:
#   the process ran: 1 time(s)
#   requests to S3 were signed by: ASIAINSTANCEROLE
#   with AWS_EC2_METADATA_DISABLED=true: OSError
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pyarrow==26.0.1

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

from pyarrow import fs

files = fs.S3FileSystem(
    endpoint_override=os.environ["S3"], scheme="http", region="eu-central-1"
)
try:
    files.get_file_info("bucket/file")
    print("success")
except OSError as error:
    print(type(error).__name__)
PY
look() {
    env -i PATH="$PATH" HOME="$work" AWS_PROFILE=app RUNS="$work/runs" S3="127.0.0.1:$port" \
        AWS_EC2_METADATA_SERVICE_ENDPOINT="http://127.0.0.1:$port" "$@" \
        "$work/venv/bin/python" "$work/look.py"
}
look >/dev/null
runs=$(grep -c run "$work/runs")
signers=$(sort -u "$work/signers")
without=$(look AWS_EC2_METADATA_DISABLED=true)
echo "the process ran: $runs time(s)"
echo "requests to S3 were signed by: $signers"
echo "with AWS_EC2_METADATA_DISABLED=true: $without"
[ "$runs" -ge 1 ] && [ "$signers" = ASIAINSTANCEROLE ] && [ "$without" = OSError ]
