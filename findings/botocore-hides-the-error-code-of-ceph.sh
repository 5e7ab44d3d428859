#!/usr/bin/env bash
# botocore's client of STS reports "Unknown" for errors in the form of S3, which Ceph's gateway sends.
#
# Versions: botocore 1.44.8, Python 3.11, Linux x86-64. The answer is what radosgw 16.2.15 of Debian sent for
#   a role that does not exist (HTTP 404, recorded on 28 November 2026); a server on loopback repeats it.
#
# Guess: the answer contains <Code>NoSuchEntity</Code>, so ClientError.response["Error"]["Code"] is
#   "NoSuchEntity" and code that checks for it works. The S3 client of the same botocore does that.
# Behavior: the parser of the query protocol looks for <Error> inside <ErrorResponse>. S3's root element is
#   <Error> itself. Then there is no "Error" in the response at all, the message says "Unknown", and the code
#   is one level higher, in ClientError.response["Code"].
#
# Output seen:
#   sts: An error occurred (Unknown) when calling the AssumeRole operation: Unknown
#   sts: response["Error"]: None, response["Code"]: NoSuchEntity
#   s3: An error occurred (NoSuchEntity) when calling the ListBuckets operation: None
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet botocore==1.44.8

cat >"$work/look.py" <<'PY'
import http.server
import threading

import botocore.session
from botocore.exceptions import ClientError

BODY = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchEntity</Code><Message></Message>'
    b"<RequestId>tx0-default</RequestId><HostId>1012-default-default</HostId></Error>"
)


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(404)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()


def failed(service, call):
    client = botocore.session.Session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="secret",
    )
    try:
        call(client)
    except ClientError as error:
        print(f"{service}: {error}")
        return error.response
    raise SystemExit(f"{service}: no error")


role = {"RoleArn": "arn:aws:iam:::role/missing", "RoleSessionName": "me"}
sts = failed("sts", lambda client: client.assume_role(**role))
print(f'sts: response["Error"]: {sts.get("Error")}, response["Code"]: {sts.get("Code")}')
s3 = failed("s3", lambda client: client.list_buckets())
assert "Error" not in sts, "STS's errors are read now"
assert sts["Code"] == s3["Error"]["Code"] == "NoSuchEntity"
PY
AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null "$work/venv/bin/python" "$work/look.py"
