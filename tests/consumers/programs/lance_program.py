"""pylance, and so Lance: looking for a dataset, for every number on stdin."""

import os
import sys

import lance  # type: ignore[import-not-found]  # in an environment of its own

options = {
    "endpoint": os.environ["S3"],
    "allow_http": "true",
    "region": "eu-central-1",
    "virtual_hosted_style_request": "false",
}
for line in sys.stdin:
    for _ in range(int(line)):
        try:
            lance.dataset("s3://bucket/folder.lance", storage_options=options)
        except ValueError as error:
            if "not found" not in str(error):
                raise
    print("done", flush=True)
