"""deltalake, and so delta-rs: looking for a table, for every number on stdin."""

import os
import sys

import deltalake  # type: ignore[import-not-found]  # in an environment of its own

options = {
    "endpoint_url": os.environ["S3"],
    "allow_http": "true",
    "aws_force_credential_load": "true",
    "region": "eu-central-1",
    "max_retries": "0",
}
for line in sys.stdin:
    for _ in range(int(line)):
        deltalake.DeltaTable.is_deltatable("s3://bucket/folder", storage_options=options)
    print("done", flush=True)
