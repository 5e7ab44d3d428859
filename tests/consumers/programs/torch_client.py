"""s3torchconnector's client, and so awscrt: listings for every number on stdin.

The profile is named in the program, or with an argument in AWS_PROFILE.
"""

import os
import sys

# In an environment of its own.
from s3torchconnectorclient._mountpoint_s3_client import (  # type: ignore[import-not-found]
    MountpointS3Client,
)

named = len(sys.argv) == 1
if not named:
    os.environ["AWS_PROFILE"] = os.environ["PROFILE"]
client = MountpointS3Client(
    region="eu-central-1",
    user_agent_prefix="test",
    endpoint=os.environ["S3"],
    force_path_style=True,
    profile=os.environ["PROFILE"] if named else None,
)
for line in sys.stdin:
    for _ in range(int(line)):
        list(client.list_objects("bucket"))
    print("done", flush=True)
