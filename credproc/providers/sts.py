"""One AssumeRole call: its parameters, its retries, and what each of its errors means."""

from __future__ import annotations

import email.utils
import time
from typing import TYPE_CHECKING

import botocore.session
from botocore import exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError

from credproc import __version__, credentials, windows
from credproc.errors import (
    CredprocError,
    DeadlineExceeded,
    ProviderFailed,
    RequestError,
    SourceRejected,
    masked,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.providers import Run
    from credproc.request import Hop

#: Seconds for connecting and for the answer, of one try.
CONNECT, READ = 3, 5
ATTEMPTS = 4
#: Seconds that the first pause may last after throttling, and after other faults.
THROTTLED_PAUSE, PAUSE, LONGEST_PAUSE = 1.0, 0.05, 20.0

THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "SlowDown",
    "PriorRequestNotComplete",
)
FAULTS = ("InternalFailure", "InternalError", "ServiceUnavailable", "IDPCommunicationError")
SOURCE_REJECTED = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
)
SKEWED = (
    "SignatureDoesNotMatch",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "InvalidSignatureException",
)

HINTS = {
    "AccessDenied": "the role's trust policy must allow this caller (mind its conditions: external "
    "id, MFA, tags) and the caller's policy must allow sts:AssumeRole on it",
    "RegionDisabledException": "activate STS for this region in the IAM console, or give another "
    "--sts-region",
    "MalformedPolicyDocument": "check --policy",
    "PackedPolicyTooLarge": "shorten --policy, --policy-arn and --tag",
}


def new_session(profile: str = "") -> botocore.session.Session:
    """Return a botocore session for the profile; RequestError if the config cannot be read."""
    session = botocore.session.Session(profile=profile or None)
    try:
        session.get_scoped_config()
    except (exceptions.ProfileNotFound, exceptions.ConfigParseError) as error:
        raise RequestError(str(error)) from None
    return session


def configured_region(environ: Mapping[str, str], session: botocore.session.Session) -> str:
    """Return the region that the variables or the profile name; botocore ignores AWS_REGION."""
    return str(
        environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or session.get_scoped_config().get("region")
        or ""
    )


def client_config(run: Run, attempts: int = 1) -> Config:
    """Return timeouts inside the run's deadline; one attempt means no retries of botocore's own."""
    left = run.deadline.remaining()
    return Config(
        connect_timeout=min(CONNECT, left),
        read_timeout=min(READ, left),
        retries={"total_max_attempts": attempts, "mode": "standard"},
        user_agent_extra=f"credproc/{__version__}",
    )


class Sts:
    """STS as one run uses it: one client a region, for all hops and whoever calls."""

    def __init__(self, session: botocore.session.Session) -> None:
        self.session = session
        session.set_credentials("nobody", "nobody")
        self.signer: Any = session.get_credentials()
        self.clients: dict[str, Any] = {}

    def assume(
        self, run: Run, hop: Hop, region: str, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Return the role's credentials; ProviderFailed says what STS said and what to do."""
        client = self._client(run, region, caller)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                answer = client.assume_role(**parameters)
                return _credentials(answer)
            except CredprocError:
                raise
            except Exception as error:  # botocore lets out what an answer of others leads to
                fault = _explain(error, caller, region)
            if not fault.pause or attempt == ATTEMPTS:
                break
            pause = min(LONGEST_PAUSE, fault.pause * 2 ** (attempt - 1)) * windows.jitter()
            run.log(f"sts: {hop.role_arn}: {fault.message}; again in {pause:.2f} s")
            if run.deadline.left() <= pause:
                raise DeadlineExceeded(f"{fault.message}; no time is left to try again")
            time.sleep(pause)
        raise fault.kind(fault.message)

    def _client(self, run: Run, region: str, caller: Credentials) -> Any:
        """Return the region's client, signing for the caller.

        A second client would load the CA bundle again (20 ms), so one signs for every hop, with
        the credentials that the session's object holds at that moment.
        """
        self.signer.access_key, self.signer.secret_key = caller.access_key, caller.secret_key
        self.signer.token = caller.token or None
        client = self.clients.get(region)
        if client is None:
            try:
                client = self.session.create_client(
                    "sts", region_name=region, config=client_config(run)
                )
            except (exceptions.BotoCoreError, ValueError) as error:
                raise RequestError(f"no client for STS in {region}: {error}") from None
            self.clients[region] = client
        return client


class _Garbled(Exception):
    """An answer with status 200 that is not STS's."""


#: What botocore makes of an answer that is somebody else's.
NOT_STS = (ResponseParserError, _Garbled, KeyError, TypeError, ValueError)


class _Fault:
    """What an error means: the words, the exception, the pause before the next try (0: none)."""

    def __init__(
        self, message: str, kind: type[ProviderFailed] = ProviderFailed, pause: float = 0
    ) -> None:
        self.message = message
        self.kind = kind
        self.pause = pause


def _credentials(answer: Any) -> Credentials:
    if not isinstance(answer, dict) or not isinstance(answer.get("Credentials"), dict):
        raise _Garbled
    fields = dict(answer["Credentials"])
    if hasattr(fields.get("Expiration"), "timestamp"):
        fields["Expiration"] = credentials.write_time(int(fields["Expiration"].timestamp()))
    arn = str((answer.get("AssumedRoleUser") or {}).get("Arn", "")).split(":")
    if len(arn) > 4:
        fields["AccountId"] = arn[4]
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    return credentials.from_answer(fields, names, "chain", "STS")


def _explain(error: Exception, caller: Credentials, region: str) -> _Fault:
    if isinstance(error, exceptions.ClientError):
        return _explain_answer(error, caller, region)
    if isinstance(error, exceptions.SSLError):
        return _Fault(
            f"no trusted connection to STS in {region}: {_short(error)}: set AWS_CA_BUNDLE to the "
            "certificate authority of your proxy, or check the endpoint"
        )
    if isinstance(error, exceptions.ParamValidationError):
        # Never the text of the two below: it may hold an external id, or the credentials.
        return _Fault("botocore refuses the parameters; is this botocore too old?")
    if isinstance(error, NOT_STS):
        return _Fault(
            f"what answers for STS in {region} is not STS (a proxy or a captive portal?)",
            pause=PAUSE,
        )
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        return _Fault(f"no answer from STS in {region}: {_short(error)}", pause=PAUSE)
    return _Fault(f"{type(error).__name__}: {_short(error)}")


def _short(error: Exception) -> str:
    # urllib3 shows the addresses of its objects, which help nobody.
    text = str(error)
    return text if "object at 0x" not in text else type(error).__name__


def explained(error: exceptions.ClientError) -> str:
    """Return an AWS error as its code and message."""
    said = error.response.get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    return f"{code}: {message}" if message else code


def _explain_answer(error: exceptions.ClientError, caller: Credentials, region: str) -> _Fault:
    code, text = str(error.response.get("Error", {}).get("Code", "")), explained(error)
    metadata: Any = error.response.get("ResponseMetadata", {})
    status = metadata.get("HTTPStatusCode", 0)
    if code in THROTTLED or status == 429:
        return _Fault(f"throttled by STS in {region} ({text})", pause=THROTTLED_PAUSE)
    if code in FAULTS or status >= 500:
        return _Fault(f"STS in {region} is not well ({status} {text})", pause=PAUSE)
    if code in SOURCE_REJECTED:
        hint = (
            f"the source credentials ({masked(caller.access_key)}) are expired or not known to AWS"
        )
        return _Fault(f"{text}: {hint}", SourceRejected)
    if code in SKEWED:
        off = _skew(metadata.get("HTTPHeaders", {}).get("date", ""))
        if abs(off) > 60 or "xpired" in text or "not yet current" in text:
            side = "ahead of" if off > 0 else "behind"
            return _Fault(
                f"{text}: this machine's clock is {abs(off)} s {side} STS's: set it (timedatectl)"
            )
        return _Fault(f"{text}: the secret of {masked(caller.access_key)} is not the right one")
    hint = HINTS.get(code, "")
    return _Fault(f"{text.rstrip('.')}: {hint}" if hint else text)


def _skew(date: str) -> int:
    """Return by how many seconds the local clock is ahead of an HTTP date, 0 if there is none."""
    try:
        return int(time.time() - email.utils.parsedate_to_datetime(date).timestamp())
    except (TypeError, ValueError):
        return 0
