"""icechunk, and so the Rust SDK: looking for a repository, for every number on stdin."""

import os
import sys

import icechunk  # type: ignore[import-not-found]  # in an environment of its own

storage = icechunk.s3_storage(
    bucket="bucket",
    prefix="folder",
    region="eu-central-1",
    endpoint_url=os.environ["S3"],
    allow_http=True,
    force_path_style=True,
    from_env=True,
)
for line in sys.stdin:
    for _ in range(int(line)):
        icechunk.Repository.exists(storage)
    print("done", flush=True)
