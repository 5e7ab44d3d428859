"""AWS SDK for Python v4: GetCallerIdentity for every number on stdin."""

import asyncio
import os
import sys

from aws_sdk_sts.client import AsyncSTSClient  # type: ignore[import-not-found]  # see install.py
from aws_sdk_sts.config import AsyncSTSConfig  # type: ignore[import-not-found]
from aws_sdk_sts.models import GetCallerIdentityInput  # type: ignore[import-not-found]


async def main() -> None:
    config = await AsyncSTSConfig.resolve(profile=os.environ["PROFILE"])
    client = AsyncSTSClient(config)
    for line in sys.stdin:
        for _ in range(int(line)):
            await client.get_caller_identity(GetCallerIdentityInput())
        print("done", flush=True)


asyncio.run(main())
