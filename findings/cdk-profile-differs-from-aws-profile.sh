#!/usr/bin/env bash
# aws-cdk uses the instance's role if the profile in AWS_PROFILE fails, but not if the one in --profile does.
#
# Versions: aws-cdk 2.1148.1, Node.js 20, Linux x86-64.
#
# Guess: `AWS_PROFILE=app cdk ...` and `cdk ... --profile app` are the same, as in the AWS CLI.
# Behavior: --profile reads that profile and nothing else, so a credential_process that fails is an error.
#   AWS_PROFILE only names the profile in the default chain of the AWS SDK for JavaScript. The chain
#   continues after the failure with the instance metadata service, and cdk calls AWS with the
#   credentials of the instance's role, without a warning.
#   The script sets AWS_EC2_METADATA_DISABLED=false because cdk turns the metadata service off if the
#   machine does not look like an instance and the variable is not set.
#
# Output seen:
#   AWS_PROFILE=app: the process ran, keys that signed requests: ASIAINSTANCEROLE
#   --profile app: the process ran, keys that signed requests: none
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
npm install --silent --no-fund --no-audit --prefix "$work" aws-cdk@2.1148.1

cat >"$work/process" <<'SH'
#!/bin/sh
echo run >>"$RUNS"
echo "the role is refused" >&2
exit 1
SH
chmod +x "$work/process"
mkdir "$work/.aws" "$work/app"
printf '[profile app]\nregion = eu-central-1\ncredential_process = %s\n' "$work/process" \
    >"$work/.aws/config"

# One server is the metadata service, STS and CloudFormation. It notes the key that signed each request to AWS.
cat >"$work/server.py" <<'PY'
import http.server, json, re, sys

ROLES = "/latest/meta-data/iam/security-credentials"
IDENTITY = """<GetCallerIdentityResponse><GetCallerIdentityResult>
<Arn>arn:aws:sts::123456789012:assumed-role/app/i</Arn><UserId>A:i</UserId><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
DENIED = """<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>
</ErrorResponse>"""


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        request = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body, status = "", 200
        if self.path == "/latest/api/token":
            body = "token"
        elif self.path.rstrip("/") == ROLES:
            body = "app"
        elif self.path.startswith(ROLES):
            keys = {"AccessKeyId": "ASIAINSTANCEROLE", "SecretAccessKey": "s", "Token": "t"}
            times = {"LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z"}
            body = json.dumps({"Code": "Success", "Type": "AWS-HMAC", **keys, **times})
        elif not self.path.startswith("/latest/"):
            signed = re.search("Credential=([^/]+)", self.headers.get("Authorization", ""))
            with open(sys.argv[2], "a") as signers:
                print(signed[1] if signed else "no signature", file=signers)
            known = b"GetCallerIdentity" in request
            body, status = (IDENTITY, 200) if known else (DENIED, 403)
        self.send_response(status)
        self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PUT = answer

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
url="http://127.0.0.1:$(cat "$work/port")"

bootstrap() {
    : >"$work/runs"
    : >"$work/signers"
    (cd "$work/app" && env -i PATH="$PATH" HOME="$work" CI=1 CDK_DISABLE_CLI_TELEMETRY=true \
        RUNS="$work/runs" AWS_ENDPOINT_URL="$url" \
        AWS_EC2_METADATA_SERVICE_ENDPOINT="$url" AWS_EC2_METADATA_DISABLED=false "$1" \
        "$work/node_modules/.bin/cdk" bootstrap aws://123456789012/eu-central-1 --no-notices "${@:2}") \
        >/dev/null 2>&1 || true
    ran=$([ -s "$work/runs" ] && echo ran || echo "did not run")
    signers=$(sort -u "$work/signers")
    seen="the process $ran, keys that signed requests: ${signers:-none}"
}
bootstrap AWS_PROFILE=app
variable=$seen
echo "AWS_PROFILE=app: $variable"
bootstrap A=a --profile app
option=$seen
echo "--profile app: $option"
[ "$variable" = "the process ran, keys that signed requests: ASIAINSTANCEROLE" ]
[ "$option" = "the process ran, keys that signed requests: none" ]
