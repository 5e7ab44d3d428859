"""DuckDB, and so the C++ SDK: looking for a file, for every number on stdin.

The secret names the process and the profile; with the argument "default" it names neither. With
"refresh" it has REFRESH 'auto'; with "list" it has that, too, and the program lists the files.
"""

import os
import sys
from urllib.parse import urlsplit

import duckdb  # type: ignore[import-not-found]  # in an environment of its own
import duckdb_extensions  # type: ignore[import-not-found]

chain = f"CHAIN 'process', PROFILE '{os.environ['PROFILE']}',"
words = sys.argv[1:]
if words == ["default"]:
    chain, os.environ["AWS_PROFILE"] = "", os.environ["PROFILE"]
elif words:
    chain += " REFRESH 'auto',"
query = "FROM glob('s3://bucket/*')" if words == ["list"] else "FROM read_text('s3://bucket/file')"
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
            connection.execute(query)
        except duckdb.HTTPException as error:
            if "404" not in str(error):
                raise
    print("done", flush=True)
