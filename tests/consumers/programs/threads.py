"""boto3 in many threads: each asks GetCallerIdentity at once, for every line on stdin."""

import os
import sys
import threading
from typing import Any

import boto3

count = int(sys.argv[1])
# A client of each thread's own, as tools with workers have it: each runs credproc for itself.
clients = [
    boto3.Session(profile_name=os.environ["PROFILE"]).client(
        "sts", region_name="eu-central-1", endpoint_url=os.environ["STS"]
    )
    for _ in range(count)
]
together = threading.Barrier(count + 1)
failures: list[BaseException] = []


def work(client: Any) -> None:
    while True:
        together.wait()
        try:
            client.get_caller_identity()
        except Exception as error:
            failures.append(error)
        together.wait()


for each in clients:
    threading.Thread(target=work, args=(each,), daemon=True).start()
for _ in sys.stdin:
    together.wait()
    together.wait()
    print(failures or "done", flush=True)
