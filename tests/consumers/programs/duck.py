"""DuckDB, and so the C++ SDK: looking for a file, for every number on stdin.

The secret names the process and the profile, or with an argument neither.
"""

import os
import sys
from urllib.parse import urlsplit

import duckdb  # type: ignore[import-not-found]  # in an environment of its own
import duckdb_extensions  # type: ignore[import-not-found]

chain = f"CHAIN 'process', PROFILE '{os.environ['PROFILE']}',"
if len(sys.argv) > 1:
    chain, os.environ["AWS_PROFILE"] = "", os.environ["PROFILE"]
connection = duckdb.connect()
for name in ("httpfs", "aws"):
    duckdb_extensions.import_extension(name, con=connection)
    connection.execute(f"LOAD {name}")
connection.execute(
    f"CREATE SECRET (TYPE s3, PROVIDER credential_chain, {chain} "
    f"ENDPOINT '{urlsplit(os.environ['S3']).netloc}', USE_SSL false, URL_STYLE 'path', "
    "REGION 'eu-central-1')"
)
for line in sys.stdin:
    for _ in range(int(line)):
        try:
            connection.execute("FROM read_text('s3://bucket/file')")
        except duckdb.HTTPException as error:
            if "404" not in str(error):
                raise
    print("done", flush=True)
