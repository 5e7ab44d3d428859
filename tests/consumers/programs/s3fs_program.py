"""s3fs, and so aiobotocore: listings for every number on stdin."""

import os
import sys

import s3fs  # type: ignore[import-not-found]  # in an environment of its own

files = s3fs.S3FileSystem(
    profile=os.environ["PROFILE"],
    endpoint_url=os.environ["S3"],
    client_kwargs={"region_name": "eu-central-1"},
    use_listings_cache=False,
)
for line in sys.stdin:
    for _ in range(int(line)):
        files.ls("bucket", refresh=True)
    print("done", flush=True)
