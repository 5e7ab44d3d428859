"""AWS as the commands use it: clients, errors in words, and patience with what is new."""

from __future__ import annotations

import functools
import re
import time
from typing import TYPE_CHECKING, Any

from credproc import windows
from credproc.ctl.steps import Failed
from credproc.errors import CredprocError, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeVar

    from credproc.ctl.output import Console

    Answer = TypeVar("Answer")

#: Seconds that AWS gets to pass on what was just made, and that the first pause may last.
PATIENCE, PAUSE, LONGEST_PAUSE = 60.0, 0.5, 5.0

#: What EC2 and IAM answer about something that was just made and is not known everywhere yet. IAM
#: has NoSuchEntity for it; EC2 has a code that also stands for other mistakes, so its words count.
NOT_YET = (
    ("NoSuchEntity", ""),
    ("InvalidParameterValue", "Invalid IAM Instance Profile"),
)

HINTS = {
    "ExpiredToken": "log in again, or let credproc give the credentials",
    "InvalidClientTokenId": "AWS does not know the access key in use",
}

#: What IAM, STS and EC2 answer to a caller that is not allowed to do something.
DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_ACTION = re.compile(r"not authorized to perform: (\w[\w-]*:\w+)")
_ENCODED = re.compile(r"\s*Encoded authorization failure message: \S+")
#: Operations that give an instance a role.
PASSING = ("AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation")


NOBODY = "there are no AWS credentials that may do this: give --profile, or `aws configure`"


class Refused(CredprocError):
    """AWS answered no; ``code`` is its own word for why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.is_denied = code in DENIED
        self.is_new = any(code == known and words in text for known, words in NOT_YET)


class Aws:
    """Clients of one account, for whoever ``--profile`` or the environment names.

    What must not be shown is added to ``secrets``.
    """

    def __init__(
        self,
        profile: str | None,
        region: str | None,
        environ: Mapping[str, str],
        secrets: list[str],
    ) -> None:
        import boto3
        from botocore.config import Config

        # boto3 ignores AWS_REGION, which every other SDK and credproc honour.
        chosen = region or environ.get("AWS_REGION") or None
        self.config = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})
        self.session = ask(boto3.Session, profile_name=profile, region_name=chosen)
        self.region: str = self.session.region_name or ""
        self._secrets = secrets

    @functools.cached_property
    def iam(self) -> Any:
        """IAM, which is the same in all regions of a partition."""
        return self._client("iam")

    @functools.cached_property
    def ec2(self) -> Any:
        """EC2 of the region."""
        if not self.region:
            raise RequestError(
                "no region: give --region, set AWS_REGION, or add a region to the profile"
            )
        return self._client("ec2")

    @functools.cached_property
    def partition(self) -> str:
        """The partition of the account (aws, aws-cn, ...)."""
        arn = str(ask(self._client("sts").get_caller_identity)["Arn"])
        if arn.count(":") < 5:
            raise Refused("", f"STS answered GetCallerIdentity with {arn}, which is not an ARN")
        return arn.split(":")[1]

    def _client(self, service: str) -> Any:
        found = ask(self.session.get_credentials)
        if found is None:
            raise RequestError(NOBODY)
        keys = ask(found.get_frozen_credentials)
        self._secrets += [text for text in (keys.secret_key, keys.token) if text]
        # IAM, and STS for this, are everywhere the same; a client wants a region all the same.
        region = self.region or "us-east-1"
        return ask(self.session.client, service, region_name=region, config=self.config)


class Told(dict[str, Any]):
    """An object in an answer of AWS; what it lacks is the fault of the answer."""

    def __missing__(self, key: str) -> Any:
        raise Refused("", f"AWS answered without {key} (is the endpoint AWS's own?)")


def _told(value: Any) -> Any:
    """Return an answer with all objects in it as Told."""
    if isinstance(value, dict):
        return Told({key: _told(each) for key, each in value.items()})
    return [_told(each) for each in value] if isinstance(value, list) else value


def ask(operation: Callable[..., Any], *args: Any, **parameters: Any) -> Any:
    """Call something of boto3's; its errors become ours, each one line."""
    from botocore import exceptions

    try:
        return _told(operation(*args, **parameters))
    except exceptions.ClientError as error:
        raise refused(error) from error
    except exceptions.NoCredentialsError:
        raise RequestError(NOBODY) from None
    except exceptions.ProfileNotFound as error:
        raise RequestError(str(error)) from None
    except (exceptions.BotoCoreError, ValueError) as error:
        raise Refused("", f"{type(error).__name__}: {error}") from error


def refused(error: Any) -> Refused:
    """Return an answer of AWS that is an error, in our words."""
    said = error.response.get("Error", {})
    code, text = str(said.get("Code", "")), str(said.get("Message", ""))
    text = _ENCODED.sub("", f"{code}: {text}" if text else code)
    hint = _permission(code, text, error.operation_name) if code in DENIED else HINTS.get(code, "")
    return Refused(code, f"{text.rstrip('.')}: {hint}" if hint else text)


def _permission(code: str, text: str, operation: str) -> str:
    """Return which action the caller is not allowed, and whose policy has to change."""
    named = _ACTION.search(text)
    service = "ec2" if code == "UnauthorizedOperation" else "iam"
    action = named[1] if named else f"{service}:{operation}"
    if "explicit deny" in text:
        return f"a policy denies {action} explicitly, and has to be changed"
    if not named and operation in PASSING:
        return f"a policy of the caller must allow {action}, and iam:PassRole for the role"
    return f"a policy of the caller must allow {action}"


def allowed(call: Callable[[], Answer], denials: list[str]) -> Answer | None:
    """Return what the call returns; None if the caller is not allowed it, which goes to denials."""
    try:
        return call()
    except Refused as error:
        if not error.is_denied:
            raise
        denials.append(str(error))
        return None


class Unchecked:
    """The checks before a change: what the caller is not allowed to look up ends the command; in a
    dry run it is noted, and taken for unknown."""

    def __init__(self, dry_run: bool) -> None:
        self.dry_run = dry_run
        #: What could not be looked up, and the action that is missing.
        self.denials: list[str] = []

    def look(self, call: Callable[[], Answer]) -> Answer | None:
        """Return what the call returns; None if that is not allowed to be known."""
        return allowed(call, self.denials) if self.dry_run else call()


def pages(client: Any, operation: str, key: str, **parameters: Any) -> Iterator[Any]:
    """Go through all items of a list that AWS hands out in pages."""
    answers = iter(client.get_paginator(operation).paginate(**parameters))
    while True:
        answer = ask(next, answers, None)
        if answer is None:
            return
        yield from answer[key]


def settled(console: Console, subject: str, call: Callable[[], Answer]) -> Answer:
    """Return what the call does once AWS knows, everywhere, what was made a moment ago."""

    def attempt() -> tuple[Answer | None, str]:
        try:
            return call(), ""
        except Refused as error:
            if not error.is_new:
                raise
            return None, str(error)

    return waited(console, f"{subject}: AWS does not know it everywhere yet", attempt)


def waited(
    console: Console,
    progress: str,
    attempt: Callable[[], tuple[Answer | None, str]],
    patience: float = PATIENCE,
) -> Answer:
    """Try until there is an answer; the attempts say what is missing, the console that we wait."""
    begin = time.monotonic()
    pause = PAUSE
    told = False
    while True:
        answer, missing = attempt()
        if answer is not None:
            return answer
        passed = time.monotonic() - begin
        if passed + pause > patience:
            raise Failed(f"not within {patience:g} s: {missing}")
        if not told:
            console.note(f"{progress}: waiting, up to {patience:g} s")
            told = True
        time.sleep(pause * (0.5 + windows.jitter() / 2))
        pause = min(pause * 1.5, LONGEST_PAUSE)
