"""boto3: GetCallerIdentity, with the profile of the only argument or with what botocore finds."""

import sys

import boto3

session = boto3.Session(profile_name=sys.argv[1] if sys.argv[1:] else None)
print(session.client("sts", region_name="eu-central-1").get_caller_identity()["Arn"])
