"""Faults made from botocore's exceptions: an error response, or the reason why there was none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from botocore import exceptions
from botocore.parsers import ResponseParserError

from credproc.providers import faults
from credproc.providers.reply import Call, Fault, Reply

if TYPE_CHECKING:
    from typing import Any

#: What botocore raises for a response that the service did not send.
_NOT_STS = (ResponseParserError, LookupError, TypeError, ValueError)
#: What Python's ssl module reports of a server that does not speak TLS.
_NO_TLS = re.compile("WRONG_VERSION_NUMBER|handshake operation timed out")


class LastResponse:
    """Status and headers of the latest response, which not every botocore exception has."""

    def __init__(self) -> None:
        self.reply = Reply()

    def record(self, response_dict: Any = None, **_: Any) -> None:
        """Record both before the response is parsed (botocore's before-parse event)."""
        headers = {
            str(name).lower(): str(value) for name, value in response_dict["headers"].items()
        }
        self.reply = Reply(response_dict["status_code"], headers)


def explain(error: Exception, last: LastResponse, call: Call) -> Fault:
    """Return the fault for an exception of one STS call."""
    if isinstance(error, exceptions.ClientError):
        return faults.explain(reply_of(error, last), call)
    if isinstance(error, exceptions.ParamValidationError):
        # Without botocore's text, which may contain an external ID.
        return Fault("botocore rejects the parameters: upgrade botocore, which may be too old")
    if isinstance(error, exceptions.SSLError):
        return _tls(error, call)
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        return _connection(error, call)
    if isinstance(error, _NOT_STS):
        return faults.foreign(last.reply, call)
    return Fault(f"{type(error).__name__}: {short(error)}")


def reply_of(error: exceptions.ClientError, last: LastResponse | None = None) -> Reply:
    """Return the response in a botocore exception."""
    # Services other than AWS's return errors in S3's form, without an Error element.
    fields: Any = error.response.get("Error") or error.response
    metadata: Any = error.response.get("ResponseMetadata", {})
    headers = last.reply.headers if last else metadata.get("HTTPHeaders", {})
    status = metadata.get("HTTPStatusCode", 0)
    return Reply(status, headers, str(fields.get("Code") or ""), str(fields.get("Message") or ""))


def _tls(error: exceptions.SSLError, call: Call) -> Fault:
    text = str(error)
    if "[Errno " in text or "[X509" in text:  # the bundle is read when the connection is made
        return Fault(
            "AWS_CA_BUNDLE (or ca_bundle in the config) is not a readable certificate file"
        )
    return faults.untrusted(call, short(error))


def _connection(error: Exception, call: Call) -> Fault:
    cause = _cause(error)
    reason = f" ({_words(cause)})" if cause else ""
    if isinstance(error, exceptions.ProxyConnectionError) and " 407" in reason:
        return faults.proxy_wants_password(call)
    if isinstance(error, exceptions.ProxyConnectionError) and _NO_TLS.search(
        str(error.kwargs.get("error"))
    ):
        return faults.proxy_without_tls(call)
    refused = re.search(r"tunnel connection failed: (\d+[\w ]*)", reason)
    if refused:
        return faults.proxy_refused(call, refused[1].strip())
    return faults.unreachable(call, f"{short(error)}{reason}")


def _cause(error: BaseException) -> OSError | None:
    """Return the OSError that caused another exception."""
    found: OSError | None = None
    seen: list[BaseException] = []
    following: Any = error
    while isinstance(following, BaseException) and following not in seen:
        seen.append(following)
        if isinstance(following, OSError):
            found = following
        kwargs = getattr(following, "kwargs", {})
        following = (
            kwargs.get("error")
            or getattr(following, "original_error", None)
            or getattr(following, "reason", None)
            or following.__cause__
            or following.__context__
        )
    return found


def _words(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()


def short(error: Exception) -> str:
    """Return an error's text, or its type if urllib3's text shows the address of an object."""
    text = str(error)
    return text if "object at 0x" not in text else type(error).__name__
