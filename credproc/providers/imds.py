"""The instance's role, from IMDSv2: token, role, credentials; one connection, one deadline."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from typing import TYPE_CHECKING, TypeVar

from credproc import credentials, limits, windows
from credproc.errors import ProviderFailed, ProviderUnavailable, clean
from credproc.providers.connection import Connection, Fault
from credproc.providers.endpoint import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.providers import Deadline, Run
    from credproc.providers.endpoint import Settings

    Read = TypeVar("Read")

TOKEN = "/latest/api/token"  # noqa: S105  # a path
ROLES = "/latest/meta-data/iam/security-credentials/"
REGION = "/latest/meta-data/placement/region"
TOKEN_SECONDS = "21600"  # noqa: S105  # what every SDK asks for, and the most there is

#: Tries of one request, and the seconds that the first pause between them may last.
ATTEMPTS = 4
PAUSE = 0.1

#: Variables that give a container an identity of its own.
CONTAINER_IDENTITIES = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


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
                    return _credentials(answer, role)
        raise ProviderFailed(f"IMDS lists the role {role} but has no credentials for it")


def role_name(run: Run) -> str:
    """Return the name of the instance's role."""
    with _conversation(run) as service:
        return service.role()


def region(run: Run) -> str:
    """Return the instance's region, "" if IMDS does not say."""
    with _conversation(run) as service:
        return service.region()


def _check_container(environ: Mapping[str, str]) -> None:
    for name in CONTAINER_IDENTITIES:
        if environ.get(name):
            raise ProviderUnavailable(
                f"{name} gives this container an identity of its own, and the instance's role is "
                "the node's: name the role (--imds ROLE) if you mean the node's"
            )


@contextlib.contextmanager
def _conversation(run: Run) -> Iterator[_Service]:
    chosen = settings(run.environ, run.log)
    service = _Service(chosen, run.deadline.within(chosen.seconds), run.log)
    try:
        yield service
    finally:
        service.close()


def _credentials(answer: Any, role: str) -> Credentials:
    where = f"IMDS (role {role})"
    code = answer.get("Code", "Success") if isinstance(answer, dict) else "Success"
    if code != "Success":
        hint = ""
        if code == "AssumeRoleUnauthorizedAccess":
            hint = ": the role's trust policy must let ec2.amazonaws.com assume it"
        message = clean(f"{code} {answer.get('Message') or ''}")
        raise ProviderFailed(f"{where} answered {message}{hint}")
    return credentials.from_answer(
        answer, ("AccessKeyId", "SecretAccessKey", "Token", "Expiration"), "imds", where
    )


class _Service:
    """One conversation with IMDS."""

    def __init__(self, chosen: Settings, deadline: Deadline, log: Callable[[str], None]) -> None:
        self.settings = chosen
        self.deadline = deadline
        self.log = log
        self.connection = Connection(chosen.host, chosen.port, deadline)
        self.token = ""

    def close(self) -> None:
        self.connection.close()

    def role(self) -> str:
        """Return the name of the role; unavailable if there is none."""
        status, name = self._get(ROLES, _read_role)
        if status == 404:
            raise ProviderUnavailable(
                "this instance has no role: attach an instance profile with a role to it"
            )
        if name is None:
            raise self._refused("the list of roles", status)
        if limits.role_name(name):
            raise ProviderFailed(f"IMDS names a role that no role can have: {clean(name)[:80]}")
        return name

    def credentials(self, role: str) -> Any:
        """Return the parsed answer for the role; None if IMDS does not know it (any more)."""
        status, answer = self._get(ROLES + role, _read_json)
        if status == 404:
            return None
        if status != 200:
            raise self._refused(f"the credentials of {role}", status)
        return answer

    def region(self) -> str:
        """Return the region's name, "" if IMDS does not say."""
        status, name = self._get(REGION, _read_role)
        return name if status == 200 and name and not limits.sts_region(name) else ""

    def _refused(self, what: str, status: int) -> ProviderFailed:
        hint = " with a redirect, as a captive portal does" if 300 <= status < 400 else ""
        return ProviderFailed(f"IMDS answered {status} for {what}{hint}")

    def _get(self, path: str, read: Callable[[bytes], Read]) -> tuple[int, Read | None]:
        """GET with a token; a token that is not accepted (any more) is replaced once."""
        if not self.token:
            self.token = self._new_token()
        status, answer = self._request("GET", path, self._token_header(), read)
        if status == 401:
            self.token = self._new_token()
            status, answer = self._request("GET", path, self._token_header(), read)
        return status, answer

    def _token_header(self) -> dict[str, str]:
        return {"X-aws-ec2-metadata-token": self.token}

    def _new_token(self) -> str:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": TOKEN_SECONDS}
        status, token = self._request("PUT", TOKEN, headers, _read_token)
        if status == 403:
            raise ProviderUnavailable(
                "IMDS refuses to give a token (403): it is turned off for this instance"
            )
        if status in (400, 404, 405):
            raise ProviderUnavailable(
                f"{self.settings.url} does not offer IMDSv2 ({status} for a token)"
            )
        if token is None:
            raise self._refused("a token", status)
        return token

    def _request(
        self, method: str, path: str, headers: dict[str, str], read: Callable[[bytes], Read]
    ) -> tuple[int, Read | None]:
        """Return the status and, for 200, what ``read`` makes of the body; try again on faults."""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._pause(attempt)
            try:
                status, body = self.connection.exchange(method, self.settings.path + path, headers)
                self.log(f"imds: {method} {path}: {status}")
                if status == 429 or status >= 500:
                    raise Fault(f"status {status}")
                return status, read(body) if status == 200 else None
            except TimeoutError:
                self.connection.close()
                raise self._silence(path) from None
            except (Fault, OSError, http.client.HTTPException) as error:
                self.connection.close()
                fault = clean(str(error)) or type(error).__name__
                self.log(f"imds: {method} {path}: {fault}")
        raise ProviderFailed(f"IMDS gave no good answer in {ATTEMPTS} tries: {fault}")

    def _pause(self, attempt: int) -> None:
        pause = PAUSE * 2 ** (attempt - 1) * windows.jitter()
        if self.deadline.left() <= pause:
            raise ProviderFailed(f"IMDS gave no good answer within {self.deadline.seconds:g} s")
        time.sleep(pause)

    def _silence(self, path: str) -> Exception:
        seconds = f"{self.deadline.seconds:g} s"
        if path != TOKEN or self.connection.heard:
            return ProviderFailed(f"IMDS did not answer in full within {seconds}")
        if self.connection.connected:
            return ProviderUnavailable(
                f"{self.settings.url} took the connection but sent no token within {seconds}: in a "
                "container, the instance's metadata hop limit must be 2 or more "
                "(aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2)",
                doubt=True,
            )
        return ProviderUnavailable(
            f"no connection to {self.settings.url} within {seconds}: this is no EC2 instance, or a "
            "firewall is in the way",
            doubt=True,
        )


def _read_token(body: bytes) -> str:
    token = _text(body)
    if len(token) > 1024 or not all("!" <= letter <= "~" and letter != "<" for letter in token):
        raise Fault("something else than a token")
    return token


def _read_role(body: bytes) -> str:
    name = _text(body).split("\n")[0].strip()
    if name.startswith("<"):
        raise Fault("a web page instead of a name")
    return name


def _text(body: bytes) -> str:
    text = body.decode("utf-8", "replace").strip()
    if not text:
        raise Fault("an empty answer")
    return text


def _read_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Fault("an answer that is not JSON") from None
