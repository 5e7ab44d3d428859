"""The instance metadata service (IMDS) in one run: its token, its responses, its retries."""

from __future__ import annotations

import contextlib
import json

from credproc import limits, windows
from credproc.errors import NO_INSTANCE, DeadlineExceeded, ProviderFailed, ProviderUnavailable
from credproc.providers.connection import Connection
from credproc.providers.http import HttpError
from credproc.providers.imdssettings import Settings, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar

    from credproc.run import Run

    Read = TypeVar("Read")

TOKEN = "/latest/api/token"  # noqa: S105  # a path
ROLES = "/latest/meta-data/iam/security-credentials/"
TOKEN_SECONDS = "21600"  # noqa: S105  # what every SDK requests, and the maximum

#: Seconds. The longest first pause between two tries, and the longest of all.
PAUSE, LONGEST_PAUSE = 0.1, 1.0

#: What to do if a service other than EC2's answers at its address.
DISABLE = "set AWS_EC2_METADATA_DISABLED=true to skip it"


@contextlib.contextmanager
def conversation(run: Run, profile: str = "") -> Iterator[Service]:
    """Talk to IMDS; all conversations of one run share a token and a time limit.

    So a chain that needs the region and then the role waits only once for a service that does not
    answer.
    """
    memo = f"imds {profile}".rstrip()
    if memo not in run.shared:
        run.shared[memo] = Service(run, profile)
    service: Service = run.shared[memo]
    clock = run.deadline.clock
    started = clock.monotonic()
    service.run = run
    service.deadline = run.deadline.within(service.left)
    try:
        yield service
    finally:
        service.left -= clock.monotonic() - started
        service.connection.close()


def where(run: Run, profile: str = "") -> Settings:
    """Return where IMDS is, as the run first read it; unavailable if it is turned off."""
    memo = f"imds settings {profile}".rstrip()
    if memo not in run.shared:
        run.shared[memo] = settings(run.environ, run.log, profile)
    found: Settings = run.shared[memo]
    return found


class Service:
    """IMDS in one run."""

    def __init__(self, run: Run, profile: str = "") -> None:
        self.run = run
        self.log = run.log
        self.secrets = run.secrets
        self.settings = where(run, profile)
        #: Seconds that all conversations of the run may still take; only the run's deadline limits
        #: them once credproc has begun to wait for a service that is starting or busy.
        self.left = self.settings.seconds
        self.limit = min(self.settings.seconds, run.deadline.seconds)
        self.deadline = run.deadline
        self.connection = Connection(self.settings, run.log)
        self.token = ""
        #: How often the token was replaced, and how often the role was looked up again.
        self.renewed = self.relisted = 0

    def role(self) -> str:
        """Return the name of the role; ProviderUnavailable if the instance has none."""
        status, name = self._get(ROLES, "the list of roles", _read_role)
        if status == 404:
            raise ProviderUnavailable(
                "this instance has no role: attach an instance profile with a role to it"
            )
        if name is None:
            raise self._refused("the list of roles", status)
        return name

    def credentials(self, role: str) -> dict[str, Any] | None:
        """Return the parsed response for the role; None if IMDS does not know it (any more)."""
        what = f"the credentials of {role}"
        status, answer = self._get(ROLES + role, what, _read_object)
        if status != 404 and answer is None:
            raise self._refused(what, status)
        return answer

    def may_list_again(self) -> bool:
        """Wait, and return whether to look up a role again that IMDS listed but did not know.

        It may have been replaced between the two requests, once. A role that was just attached
        takes some seconds to appear.
        """
        self.relisted += 1
        return self.relisted == 1 or self._waited(self.relisted - 1)

    def value(self, path: str, what: str) -> str:
        """Return the one line of a metadata path, "" if IMDS does not have it."""
        return self._get(path, what, _read_name, essential=False)[1] or ""

    def _get(
        self, path: str, what: str, read: Callable[[bytes], Read], essential: bool = True
    ) -> tuple[int, Read | None]:
        """GET with a token; a rejected token is replaced, once in a run.

        A service that has just started issues tokens before it accepts them.
        """
        while True:
            self.token = self.token or self._new_token()
            header = {"X-aws-ec2-metadata-token": self.token}
            status, answer = self._request("GET", path, header, what, read, essential)
            if status != 401 or (self.renewed and not (essential and self._waited(self.renewed))):
                return status, answer
            self.renewed += 1
            self.token = ""

    def _new_token(self) -> str:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": TOKEN_SECONDS}
        status, token = self._request("PUT", TOKEN, headers, "a token", _read_token)
        is_other = self.connection.other_server()
        if status == 403 and not is_other:
            raise ProviderUnavailable(
                "IMDS refuses to issue a token (403): IMDS is turned off for this instance "
                "(aws ec2 modify-instance-metadata-options --http-endpoint enabled)"
            )
        if status in (400, 403, 404, 405):  # the metadata services of other clouds return these
            raise ProviderUnavailable(
                f"{self.settings.url} does not offer IMDSv2 ({status} for a token{is_other}): "
                f"{NO_INSTANCE}, or a VPN or a proxy answers in its place; {DISABLE}"
            )
        if token is None:
            raise self._refused("a token", status)
        self.secrets.append(token)
        return token

    def _request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        what: str,
        read: Callable[[bytes], Read],
        essential: bool = True,
    ) -> tuple[int, Read | None]:
        """Return the status and, for 200, what ``read`` makes of the body; retry after faults.

        A service that is starting or busy sends anything: errors, web pages, parts of a response.
        """
        tries = 0
        while True:
            self.connection.deadline = self.deadline.within(self.settings.patience)
            started = self.log.clock()
            try:
                status, body = self.connection.exchange(method, self.settings.path + path, headers)
                self.log(f"imds: {method} {path}: {status} in {self.log.took(started)}")
                if status == 429 or status >= 500:
                    raise HttpError(f"status {status}")
                return status, read(body) if status == 200 else None
            except (TimeoutError, HttpError) as error:
                self.connection.close()
                if self.deadline.left() <= 0:
                    raise self._timed_out(what, str(error)) from None
                fault = error
                self.log(f"imds: {method} {path}: {fault} after {self.log.took(started)}")
            tries += 1
            # Without any response there may be no such service, and another provider may apply.
            is_there = self.token or self.connection.received
            if is_there and essential and self.run.patient:
                can_retry = self._waited(tries)
            else:
                can_retry = tries < self.settings.attempts and self._paused(tries)
            if not can_retry:
                raise self._unusable(what, f"in {tries} tries ({fault})")

    def _waited(self, number: int) -> bool:
        """Pause for a service that is starting or busy; after that, only the run's deadline counts.

        False if no time is left, or if valid credentials are cached.
        """
        if not self.run.patient:
            return False
        self.left, self.deadline = float("inf"), self.run.deadline
        self.limit = self.deadline.seconds
        return self._paused(number)

    def _paused(self, number: int) -> bool:
        """Pause before the next try; False if no time is left for it."""
        pause = min(PAUSE * 2 ** min(number - 1, 10), LONGEST_PAUSE) * windows.jitter()
        if self.deadline.left() <= pause:
            return False
        self.deadline.clock.sleep(pause)
        return True

    def failure(self, text: str) -> ProviderFailed:
        """Return the error for a service that did not give what was requested; a run with more time
        may still get it if this one has waited until its deadline."""
        has_waited = self.left == float("inf")
        return DeadlineExceeded(text) if has_waited else ProviderFailed(text)

    def _unusable(self, what: str, how: str) -> ProviderFailed:
        hint = "try again, or run with -v to see its responses"
        if not self.token:  # nothing has shown yet that this is EC2's service
            hint += (
                f"; if this is not an EC2 instance, and a VPN, a proxy or another cloud answers at "
                f"{self.settings.url}{self.connection.other_server()}, {DISABLE}"
            )
        return self.failure(f"IMDS gave no usable answer for {what} {how}: {hint}")

    def _timed_out(self, what: str, fault: str) -> Exception:
        """Return the error for a conversation that ran out of time."""
        seconds = f"{self.limit:g} s"
        if self.connection.received:
            return self._unusable(what, f"within {seconds} ({fault})")
        if self.connection.connected:
            return ProviderUnavailable(
                f"{self.settings.url} accepted the connection but sent no token within {seconds}: "
                "in a container, the instance's metadata hop limit must be 2 or more "
                "(aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2)",
            )
        return ProviderUnavailable(
            f"no connection to {self.settings.url} within {seconds}: {NO_INSTANCE}, or a firewall "
            "blocks it",
        )

    def _refused(self, what: str, status: int) -> ProviderFailed:
        hint = " with a redirect, which is not followed" if 300 <= status < 400 else ""
        if not self.token:
            hint += (
                f"{self.connection.other_server()}: a VPN, a proxy or another cloud may answer at "
                f"{self.settings.url}; if this is not an EC2 instance, {DISABLE}"
            )
        return self.failure(f"IMDS answered {status} for {what}{hint}")


def _read_token(body: bytes) -> str:
    token = _text(body)
    if len(token) > 1024 or not all("!" <= letter <= "~" and letter != "<" for letter in token):
        raise HttpError("a response that is not a token")
    return token


def _read_name(body: bytes) -> str:
    name = _text(body).split("\n")[0].strip()
    if name.startswith("<"):
        raise HttpError("a web page instead of a name")
    return name


def _read_role(body: bytes) -> str:
    name = _read_name(body)
    if limits.role_name(name):
        raise HttpError("a response that is not a role name")
    return name


def _text(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    if not text:
        raise HttpError("an empty response")
    return text


def _read_object(body: bytes) -> dict[str, Any]:
    _text(body)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise HttpError("a response that is not JSON") from None
    if not isinstance(answer, dict):
        raise HttpError("JSON that is not an object")
    return answer
