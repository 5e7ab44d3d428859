"""The instance's role, from IMDSv2: token, role, credentials; one connection, one deadline."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, TypeVar

from credproc import credentials, limits, windows
from credproc.errors import NO_INSTANCE, ProviderFailed, ProviderUnavailable, clean
from credproc.identity import CONTAINER_IDENTITIES
from credproc.providers.connection import Connection
from credproc.providers.endpoint import settings
from credproc.providers.http import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.run import Run

    Read = TypeVar("Read")

TOKEN = "/latest/api/token"  # noqa: S105  # a path
ROLES = "/latest/meta-data/iam/security-credentials/"
REGION = "/latest/meta-data/placement/region"
INSTANCE = "/latest/meta-data/instance-id"
TOKEN_SECONDS = "21600"  # noqa: S105  # what every SDK asks for, and the most there is

#: Seconds that the first pause between two tries may last, and the longest.
PAUSE, LONGEST_PAUSE = 0.1, 1.0

HINTS = {
    "AssumeRoleUnauthorizedAccess": "the role's trust policy must let ec2.amazonaws.com assume it",
}


class Imds:
    """The EC2 instance's role; with ``role``, only if the instance's role has that name."""

    name = "imds"

    def __init__(self, role: str = "") -> None:
        self.role = role

    def retrieve(self, run: Run) -> Credentials:
        """Return what IMDS answers now; it is not cached here."""
        if not self.role:
            _check_container(run.environ)
        with _conversation(run) as service:
            for _ in range(2):  # the role may be exchanged between the two requests, once
                role = service.role()
                if self.role and role != self.role:
                    raise ProviderUnavailable(f"this instance's role is {role}, not {self.role}")
                answer = service.credentials(role)
                if answer is not None:
                    run.log(f"imds: the role is {role}")
                    return _credentials(answer, role, run.secrets)
        raise ProviderFailed(
            f"IMDS lists the role {role} but has no credentials for it, as for some seconds after "
            "a role was attached or exchanged: try again"
        )


def role_name(run: Run) -> str:
    """Return the name of the instance's role."""
    with _conversation(run) as service:
        return service.role()


def region(run: Run) -> str:
    """Return the instance's region, "" if IMDS does not say."""
    with _conversation(run) as service:
        name = service.value(REGION, "the region")
    return "" if limits.sts_region(name) else name


def instance_id(run: Run) -> str:
    """Return the instance's id, "" if IMDS does not say."""
    with _conversation(run) as service:
        name = service.value(INSTANCE, "the instance's id")
    return name if name.startswith("i-") and name[2:].isalnum() and name.isascii() else ""


def _check_container(environ: Mapping[str, str]) -> None:
    for name in CONTAINER_IDENTITIES:
        if environ.get(name):
            raise ProviderUnavailable(
                f"{name} gives this container an identity of its own, and the instance's role is "
                "the node's: name the role (--imds ROLE) if you mean the node's"
            )


@contextlib.contextmanager
def _conversation(run: Run) -> Iterator[Service]:
    """Talk to IMDS; whoever does so in one run shares a token, and the time that there is for it.

    So a chain that asks for the region, and then for the role, waits for a service that is not
    there only once.
    """
    if "imds" not in run.shared:
        run.shared["imds"] = Service(run)
    service: Service = run.shared["imds"]
    started = time.monotonic()
    service.deadline = run.deadline.within(service.left)
    try:
        yield service
    finally:
        service.left -= time.monotonic() - started
        service.connection.close()


def _credentials(answer: dict[str, Any], role: str, secrets: list[str]) -> Credentials:
    where = f"IMDS (role {role})"
    code = answer.get("Code", "Success")  # stand-ins for IMDS leave it out
    if code != "Success":
        said = [text for text in (code, answer.get("Message")) if isinstance(text, str) and text]
        known = secrets + [
            value
            for value in map(answer.get, ("SecretAccessKey", "Token"))
            if isinstance(value, str)
        ]
        message = clean(" ".join(said), known) or "an unreadable Code"
        hint = HINTS.get(str(code), "try again in some minutes, and look at the instance's profile")
        raise ProviderFailed(f"{where} answered {message} ({hint})")
    return credentials.from_answer(
        answer, ("AccessKeyId", "SecretAccessKey", "Token", "Expiration"), "imds", where
    )


class Service:
    """IMDS as one run meets it."""

    def __init__(self, run: Run) -> None:
        self.log = run.log
        self.secrets = run.secrets
        self.settings = settings(run.environ, run.log)
        #: Seconds that all conversations of the run may still take.
        self.left = self.settings.seconds
        self.limit = min(self.settings.seconds, run.deadline.seconds)
        self.deadline = run.deadline
        self.connection = Connection(self.settings, run.log)
        self.token = ""
        self.renewed = False

    def role(self) -> str:
        """Return the name of the role; unavailable if there is none."""
        status, name = self._get(ROLES, "the list of roles", _read_name)
        if status == 404:
            raise ProviderUnavailable(
                "this instance has no role: attach an instance profile with a role to it"
            )
        if name is None:
            raise _refused("the list of roles", status)
        if limits.role_name(name):
            shown = clean(name, self.secrets)[:80]
            raise ProviderFailed(f"IMDS names a role that no role can have: {shown}")
        return name

    def credentials(self, role: str) -> dict[str, Any] | None:
        """Return the parsed answer for the role; None if IMDS does not know it (any more)."""
        what = f"the credentials of {role}"
        status, answer = self._get(ROLES + role, what, _read_object)
        if status != 404 and answer is None:
            raise _refused(what, status)
        return answer

    def value(self, path: str, what: str) -> str:
        """Return the one line that a path has, "" if IMDS does not say."""
        return self._get(path, what, _read_name)[1] or ""

    def _get(self, path: str, what: str, read: Callable[[bytes], Read]) -> tuple[int, Read | None]:
        """GET with a token; one that is not accepted (any more) is replaced, once in a run."""
        self.token = self.token or self._new_token()
        status, answer = self._request("GET", path, self._token_header(), what, read)
        if status == 401 and not self.renewed:
            self.renewed = True
            self.token = self._new_token()
            status, answer = self._request("GET", path, self._token_header(), what, read)
        return status, answer

    def _token_header(self) -> dict[str, str]:
        return {"X-aws-ec2-metadata-token": self.token}

    def _new_token(self) -> str:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": TOKEN_SECONDS}
        status, token = self._request("PUT", TOKEN, headers, "a token", _read_token)
        if status == 403:
            raise ProviderUnavailable(
                "IMDS refuses to give a token (403): it is turned off for this instance "
                "(aws ec2 modify-instance-metadata-options --http-endpoint enabled)"
            )
        if status in (400, 404, 405):  # what other clouds' services answer at the same address
            raise ProviderUnavailable(
                f"{self.settings.url} does not offer IMDSv2 ({status} for a token): {NO_INSTANCE}"
            )
        if token is None:
            raise _refused("a token", status)
        self.secrets.append(token)
        return token

    def _request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        what: str,
        read: Callable[[bytes], Read],
    ) -> tuple[int, Read | None]:
        """Return the status and, for 200, what ``read`` makes of the body; try again on faults."""
        last = self.settings.attempts
        for attempt in range(1, last + 1):  # pragma: no branch - the last one breaks
            self.connection.deadline = self.deadline.within(self.settings.patience)
            try:
                status, body = self.connection.exchange(method, self.settings.path + path, headers)
                self.log(f"imds: {method} {path}: {status}")
                if status == 429 or status >= 500:
                    raise Fault(f"status {status}")
                return status, read(body) if status == 200 else None
            except (TimeoutError, Fault) as error:
                self.connection.close()
                if self.deadline.left() <= 0:
                    raise self._silence(what, str(error)) from None
                fault = str(error)
                self.log(f"imds: {method} {path}: {fault}")
            pause = min(PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE) * windows.jitter()
            if attempt == last or self.deadline.left() <= pause:
                break
            time.sleep(pause)
        raise ProviderFailed(
            f"IMDS gave no good answer for {what} in {attempt} tries ({fault}): try again, or ask "
            "with -v what it answers"
        )

    def _silence(self, what: str, fault: str) -> Exception:
        """Return what it means that the time is over."""
        seconds = f"{self.limit:g} s"
        if self.connection.heard:
            return ProviderFailed(
                f"IMDS gave no good answer for {what} within {seconds} ({fault}): try again, or "
                "ask with -v what it answers"
            )
        if self.connection.connected:
            return ProviderUnavailable(
                f"{self.settings.url} took the connection but sent no token within {seconds}: in a "
                "container, the instance's metadata hop limit must be 2 or more "
                "(aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2)",
                doubt=True,
            )
        return ProviderUnavailable(
            f"no connection to {self.settings.url} within {seconds}: {NO_INSTANCE}, or a firewall "
            "is in the way",
            doubt=True,
        )


def _refused(what: str, status: int) -> ProviderFailed:
    hint = " with a redirect, which is not followed" if 300 <= status < 400 else ""
    return ProviderFailed(f"IMDS answered {status} for {what}{hint}")


def _read_token(body: bytes) -> str:
    token = _text(body)
    if len(token) > 1024 or not all("!" <= letter <= "~" and letter != "<" for letter in token):
        raise Fault("something else than a token")
    return token


def _read_name(body: bytes) -> str:
    name = _text(body).split("\n")[0].strip()
    if name.startswith("<"):
        raise Fault("a web page instead of a name")
    return name


def _text(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    if not text:
        raise Fault("an empty answer")
    return text


def _read_object(body: bytes) -> dict[str, Any]:
    _text(body)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise Fault("an answer that is not JSON") from None
    if not isinstance(answer, dict):
        raise Fault("JSON that is no object")
    return answer
