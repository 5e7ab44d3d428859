"""botocore and boto3: GetCallerIdentity for every number on stdin."""

import os
import sys

import boto3

client = boto3.Session(profile_name=os.environ["PROFILE"]).client(
    "sts", region_name="eu-central-1", endpoint_url=os.environ["STS"]
)
for line in sys.stdin:
    for _ in range(int(line)):
        client.get_caller_identity()
    print("done", flush=True)
