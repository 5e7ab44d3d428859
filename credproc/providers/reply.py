"""One reply of a service, the call that it answers, and the fault that results."""

from __future__ import annotations

import datetime
import email.utils
import re
import time
from typing import TYPE_CHECKING

from credproc.errors import ProviderFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from credproc.credentials import Credentials

#: Seconds by which the clocks of two machines may normally differ.
SKEW = 60
#: Characters of a message that are shown; the longest of STS have some hundreds.
MOST_SHOWN = 700

# The invalid value may be an external ID or a tag.
_BROKEN = re.compile(r"Value '.*?' at '", re.DOTALL)
# The service's time, as in "(20261124T010203Z - 15 min.)".
_NOW = re.compile(r"\((\d{8}T\d{6})Z [+-]")


class Reply:
    """A service's response: HTTP status, headers (lower-case names), error code, message."""

    def __init__(
        self,
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        code: str = "",
        message: str = "",
    ) -> None:
        self.status = status
        self.headers = headers or {}
        self.code = code
        self.message = message

    def text(self) -> str:
        """Return the code and the message, without web pages and without values that we sent."""
        message = _BROKEN.sub("Value '...' at '", self.message).strip().rstrip(".")
        if is_page(message):
            message = "a web page (from a proxy or a portal?)"
        message = message[:MOST_SHOWN]
        return f"{self.code}: {message}" if message and self.code else message or self.code

    def pause(self) -> float:
        """Return the pause that the service requests, in seconds; 0 if it requests none."""
        milliseconds = self.headers.get("x-amz-retry-after", "")
        if milliseconds.isdecimal():
            return int(milliseconds[:9]) / 1000
        after = self.headers.get("retry-after", "")
        if after.isdecimal():
            return float(after[:9])
        try:
            moment = email.utils.parsedate_to_datetime(after).timestamp()
        except (TypeError, ValueError):
            return 0
        return max(moment - (time.time() - self.skew()), 0)

    def skew(self) -> int:
        """Return how many seconds the local clock is ahead of the service's, 0 if unknown."""
        try:
            date = self.headers.get("date", "")
            then = email.utils.parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            match = _NOW.search(self.message)
            if not match:
                return 0
            moment = datetime.datetime.strptime(match[1] + "+0000", "%Y%m%dT%H%M%S%z")
            then = moment.timestamp()
        return round(time.time() - then)


class Call:
    """A call of a service (STS) in a region, for a role, by a caller.

    Without ``caller`` the call is not signed, and exchanges the ``token`` of a web identity.
    ``given`` are the names of the parameters that were sent.
    """

    def __init__(
        self,
        region: str,
        role_arn: str = "",
        caller: Credentials | None = None,
        token: str = "",
        given: Collection[str] = (),
        service: str = "STS",
    ) -> None:
        self.region = region
        self.service = service
        self.role_arn = role_arn
        self.caller = caller
        self.token = token
        self.given = given

    @property
    def where(self) -> str:
        """The service and its region."""
        return f"{self.service} in {self.region}" if self.region else self.service


class Fault:
    """A failed try: its message, the exception to raise, the first pause before a retry (0: none).

    ``hint`` is what to do when all tries have failed. ``least`` is the pause in seconds that the
    service requests. ``busy`` says that the service is only starting or busy: if nothing valid is
    cached, the call is retried until the deadline.
    """

    def __init__(
        self,
        message: str,
        kind: type[ProviderFailed] = ProviderFailed,
        pause: float = 0,
        hint: str = "",
        least: float = 0,
        busy: bool = False,
    ) -> None:
        self.message = message
        self.kind = kind
        self.pause = pause
        self.hint = hint
        self.least = least
        self.busy = busy

    def error(self) -> ProviderFailed:
        """Return the exception to raise when there are no more tries."""
        return self.kind(self.words())

    def words(self) -> str:
        """Return the message with its hint."""
        return f"{self.message}: {self.hint}" if self.hint else self.message


class Failed(Exception):
    """A call without credentials in its response; the fault says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def is_page(text: str) -> bool:
    """Whether a message is a web page, which is useless in one line."""
    start = text.lstrip("\ufeff \t\r\n'\"b")[:200].lower()
    return start.startswith(("<!doctype", "<html", "<head", "<body")) or "<html" in start
