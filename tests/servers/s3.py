"""An S3 with one bucket, which supports nothing but listing it page by page.

Requests without a signature are refused; whose it is, and whether it is right, is for
``tests.servers.signature`` to say.
"""

from __future__ import annotations

import time
import urllib.parse
from typing import TYPE_CHECKING

from tests.servers.base import Answer, Server
from tests.servers.signature import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.servers.base import Recorded

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class S3Server(Server):
    """S3 on loopback, as much of it as a listing needs; every attribute may be changed."""

    product = "AmazonS3"

    def __init__(
        self,
        bucket: str = "bucket",
        pages: int = 1,
        clock: Callable[[], float] = time.time,
        *,
        port: int = 0,
    ) -> None:
        self.bucket = bucket
        #: How many requests a whole listing takes.
        self.pages = pages
        #: Access keys that have expired.
        self.expired: set[str] = set()
        super().__init__(clock=clock, port=port)

    def labels(self, request: Recorded) -> Iterable[str]:
        return (request.method,)

    def answer(self, request: Recorded) -> Answer:
        if not key_of(request):
            return _xml(
                "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", 403
            )
        if key_of(request) in self.expired:
            return _xml("<Error><Code>ExpiredToken</Code><Message>expired</Message></Error>", 400)
        path, _, query = request.path.partition("?")
        parameters = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if "location" in parameters:
            place = f'<LocationConstraint xmlns="{NAMESPACE}">eu-central-1</LocationConstraint>'
            return _xml(place)
        if path == "/":
            return _xml(self._buckets())
        if path.rstrip("/") == f"/{self.bucket}":
            return Answer(200) if request.method == "HEAD" else _xml(self._listing(parameters))
        missing = "<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>"
        return Answer(404) if request.method == "HEAD" else _xml(missing, 404)

    def _buckets(self) -> str:
        bucket = f"<Name>{self.bucket}</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate>"
        return (
            f'<ListAllMyBucketsResult xmlns="{NAMESPACE}"><Owner><ID>1</ID></Owner>'
            f"<Buckets><Bucket>{bucket}</Bucket></Buckets></ListAllMyBucketsResult>"
        )

    def _listing(self, parameters: dict[str, str]) -> str:
        """Return a page; each has one object, whose key is the page's number."""
        token = parameters.get("continuation-token") or parameters.get("marker") or "00000"
        page = int(token) + 1 if token.isdigit() else 1
        more = page < self.pages
        name = f"{page:05}"
        following = (
            f"<NextContinuationToken>{name}</NextContinuationToken><NextMarker>{name}</NextMarker>"
        )
        return (
            f'<ListBucketResult xmlns="{NAMESPACE}"><Name>{self.bucket}</Name><Prefix/>'
            f"<KeyCount>1</KeyCount><MaxKeys>1</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            '<ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag><Size>0</Size>'
            f"<StorageClass>STANDARD</StorageClass></Contents>{following if more else ''}"
            "</ListBucketResult>"
        )


def _xml(body: str, status: int = 200) -> Answer:
    return Answer(
        status, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode(), "application/xml"
    )
