"""awscrt, by its Python binding: requests that it signs, for every number on stdin."""

import os
import sys
import urllib.request
from urllib.parse import urlsplit

from awscrt import auth, http, io  # type: ignore[import-not-found]  # in an environment of its own

bootstrap = io.ClientBootstrap.get_or_create_static_default()
provider = auth.AwsCredentialsProvider.new_profile(bootstrap, profile_name=os.environ["PROFILE"])
url = os.environ["STS"]
query = "/?Action=GetCallerIdentity&Version=2011-06-15"


def call() -> None:
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4,
        signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=provider,
        region="eu-central-1",
        service="sts",
    )
    request = http.HttpRequest("GET", query)
    request.headers.add("Host", urlsplit(url).netloc)
    signed = auth.aws_sign_request(request, config).result(60)
    plain = urllib.request.Request(url + query, headers=dict(signed.headers))
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(plain, timeout=10).read()


for line in sys.stdin:
    for _ in range(int(line)):
        call()
    print("done", flush=True)
