"""One reply of a service, the call that it answers, and the fault that it comes to."""

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

#: Seconds that the clocks of two machines may be apart without a fault of either.
SKEW = 60
#: Characters of a message that are shown; STS's longest have some hundreds.
MOST_SHOWN = 700

# The value that broke a rule may be an external id or a tag.
_BROKEN = re.compile(r"Value '.*?' at '", re.DOTALL)
# The service's time, as in "(20261124T010203Z - 15 min.)".
_NOW = re.compile(r"\((\d{8}T\d{6})Z [+-]")


class Reply:
    """What a service answered: HTTP status, headers (names in lower case), error code, message."""

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
        """Return the code and the message, without a web page and without values sent to it."""
        message = _BROKEN.sub("Value '...' at '", self.message).strip().rstrip(".")
        if is_page(message):
            message = "a web page (from a proxy or a portal?)"
        message = message[:MOST_SHOWN]
        return f"{self.code}: {message}" if message and self.code else message or self.code

    def pause(self) -> float:
        """Return the seconds that the service says to wait at least, 0 if it says nothing."""
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
        """Return by how many seconds the local clock is ahead of the service's, 0 if unknown."""
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
    """What was called: a service of a region (STS), for a role, by a caller.

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
    """What an error means: the words, the exception, the first pause before another try (0: none).

    ``hint`` is what to do when all tries have failed. ``least`` are the seconds that the service
    wants to be left alone. ``busy`` says that the service is only starting or busy: with nothing
    valid cached, tries go on until the deadline.
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
        """Return the exception that ends the tries."""
        return self.kind(self.words())

    def words(self) -> str:
        """Return the message with its hint."""
        return f"{self.message}: {self.hint}" if self.hint else self.message


class Failed(Exception):
    """A call that brought no credentials; its fault says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def is_page(text: str) -> bool:
    """Whether a message is a web page, which says nothing in one line of a terminal."""
    start = text.lstrip("\ufeff \t\r\n'\"b")[:200].lower()
    return start.startswith(("<!doctype", "<html", "<head", "<body")) or "<html" in start
