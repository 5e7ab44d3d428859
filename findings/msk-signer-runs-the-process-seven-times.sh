#!/usr/bin/env bash
# The MSK IAM signer runs a credential_process seven times for one token shortly before the credentials expire.
#
# Versions: aws-msk-iam-sasl-signer-python 1.0.2, boto3 and botocore 1.44.8, Python 3.11, Linux x86-64.
#
# Guess: one token takes one run of the process. botocore keeps the credentials of a process, and
#   runs it again if less than 15 minutes are left: two runs at most.
# Behavior: the signer creates a new session for each token, so nothing is kept from one to the next. For
#   each token it reads the access key, the secret key and the session token one by one, more than once. Each
#   read makes botocore refresh credentials that have less than 15 minutes left, and the new ones have
#   no more.
#
# Output seen:
#   60 minutes left: 1 run for a token
#   14 minutes left: 7 runs for a token
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet aws-msk-iam-sasl-signer-python==1.0.2 boto3==1.44.8 \
    botocore==1.44.8

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

cat >"$work/sign.py" <<'PY'
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

MSKAuthTokenProvider.generate_auth_token_from_profile("eu-central-1", "app")
PY
runs() {
    : >"$work/runs"
    env -i PATH="$PATH" HOME="$work" RUNS="$work/runs" LEFT="$1" \
        "$work/venv/bin/python" "$work/sign.py"
    wc -l <"$work/runs"
}
early=$(runs 3600)
late=$(runs 840)
echo "60 minutes left: $early run for a token"
echo "14 minutes left: $late runs for a token"
[ "$early" -eq 1 ] && [ "$late" -eq 7 ]
