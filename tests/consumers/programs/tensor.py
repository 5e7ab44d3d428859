"""TensorStore, and so awscrt in C++: looking for a key, for every number on stdin.

The credentials are the profile's, or with an argument those of the default chain.
"""

import os
import sys
from pathlib import Path

import tensorstore  # type: ignore[import-not-found]  # in an environment of its own

folder = Path.home() / ".aws"
files = {"config_file": str(folder / "config"), "credentials_file": str(folder / "credentials")}
kind = {"type": "default"} if len(sys.argv) > 1 else {"type": "profile", **files}
store = tensorstore.KvStore.open(
    {
        "driver": "s3",
        "bucket": "bucket",
        "endpoint": os.environ["S3"],
        "aws_region": "eu-central-1",
        "aws_credentials": {**kind, "profile": os.environ["PROFILE"]},
    }
).result()
for line in sys.stdin:
    for _ in range(int(line)):
        store.read("key").result()
    print("done", flush=True)
