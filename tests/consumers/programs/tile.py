"""TileDB, and so the C++ SDK: looking for a file, for every number on stdin."""

import os
import sys
from urllib.parse import urlsplit

import tiledb  # type: ignore[import-not-found]  # in an environment of its own

options = {
    "vfs.s3.endpoint_override": urlsplit(os.environ["S3"]).netloc,
    "vfs.s3.scheme": "http",
    "vfs.s3.use_virtual_addressing": "false",
    "vfs.s3.region": "eu-central-1",
}
files = tiledb.VFS(config=options)
for line in sys.stdin:
    for _ in range(int(line)):
        files.is_file("s3://bucket/file")
    print("done", flush=True)
