#!/usr/bin/env bash
# gsutil does not sign requests to S3 with the keys of the user until keys for Google are configured, too.
#
# Versions: gsutil 5.38 (with its own copy of boto 2.49.0), Python 3.11, Linux x86-64.
#
# Guess: `gsutil ls s3://bucket` finds the keys in ~/.aws/credentials or in AWS_ACCESS_KEY_ID, where the boto
#   inside it looks for them, and has no use for keys of Google.
# Behavior: if its configuration file (~/.boto) has no keys, gsutil loads a plug-in for access without keys, so
#   that public buckets of Google can be read. The plug-in also takes the requests to S3, which are then sent
#   without a signature. Any keys of Google in the file, even invalid ones, keep gsutil from
#   loading it, and the requests to S3 are signed with the keys for AWS. AWS_SESSION_TOKEN is not sent;
#   AWS_SECURITY_TOKEN is.
#
# Output seen:
#   keys in ~/.aws/credentials: signed by none
#   the same, and keys of Google in ~/.boto: signed by ASIAFILE
#   keys in variables: signed by none
#   the same, and keys of Google in ~/.boto: signed by ASIAVARIABLE
#   the same, and AWS_SECURITY_TOKEN: signed by ASIAVARIABLE, with a session token
set -euo pipefail

work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet gsutil==5.38

# A server that notes the key that signed each request to S3, and whether a session token came with it.
cat >"$work/server.py" <<'PY'
import http.server, re, sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        signed = re.match("AWS ([^:]+):", self.headers.get("Authorization", ""))
        key = signed[1] if signed else "none"
        token = ", with a session token" if "X-Amz-Security-Token" in self.headers else ""
        with open(sys.argv[2], "a") as signers:
            print(key + token, file=signers)
        body = b"<Error><Code>AccessDenied</Code></Error>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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

keys() { printf '%s_access_key_id = %s\n%s_secret_access_key = s\n' "$1" "$2" "$1"; }
mkdir "$work/.aws"
# The keys of Google, if any, and variables.
list() {
    : >"$work/signers"
    cat >"$work/.boto" <<BOTO
[Credentials]
s3_host = 127.0.0.1
s3_port = $(cat "$work/port")
$1
[Boto]
is_secure = False
num_retries = 0
metadata_service_num_attempts = 0
[GSUtil]
state_dir = $work/state
[s3]
calling_format = boto.s3.connection.OrdinaryCallingFormat
BOTO
    env -i PATH="$PATH" HOME="$work" "${@:2}" "$work/venv/bin/gsutil" ls s3://bucket >/dev/null 2>&1 || true
    signers=$(sort -u "$work/signers")
}
google=$(keys gs GOOGLE)
variables=(AWS_ACCESS_KEY_ID=ASIAVARIABLE AWS_SECRET_ACCESS_KEY=s AWS_SESSION_TOKEN=t)

printf '[default]\n%s\n' "$(keys aws ASIAFILE)" >"$work/.aws/credentials"
list "" A=a
seen="$signers"
echo "keys in ~/.aws/credentials: signed by $signers"
list "$google" A=a
seen+=" $signers"
echo "the same, and keys of Google in ~/.boto: signed by $signers"
rm "$work/.aws/credentials"
list "" "${variables[@]}"
seen+=" $signers"
echo "keys in variables: signed by $signers"
list "$google" "${variables[@]}"
seen+=" $signers"
echo "the same, and keys of Google in ~/.boto: signed by $signers"
list "$google" "${variables[@]}" AWS_SECURITY_TOKEN=t
seen+=" $signers"
echo "the same, and AWS_SECURITY_TOKEN: signed by $signers"
[ "$seen" = "none ASIAFILE none ASIAVARIABLE ASIAVARIABLE, with a session token" ]
