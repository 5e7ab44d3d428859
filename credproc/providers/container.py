"""The credentials of an ECS task or an EKS pod, from the endpoint that its variables name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from credproc import credentials
from credproc.errors import RequestError
from credproc.providers import sts, tokenfile
from credproc.providers.patience import tried
from credproc.providers.reply import Fault, Reply, is_page
from credproc.variables import FULL_URI, RELATIVE_URI, TOKEN, TOKEN_FILE

if TYPE_CHECKING:
    from typing import Any

    from credproc.credentials import Credentials
    from credproc.run import Run

METHOD = "container-role"
#: Seconds to connect, and to wait for the response with and without valid cached credentials. An
#: agent that has just started must fetch the credentials itself, which takes time.
CONNECT, SHORT_READ, READ = 2, 2, 10
#: Seconds. The longest first pause before a retry: after throttling, after other faults.
THROTTLED_PAUSE, PAUSE = 0.5, 0.2
#: Characters of a response that are shown.
MOST_SHOWN = 300
WHERE = "the container's endpoint"


def retrieve(run: Run) -> Credentials | None:
    """Return the credentials of the ECS task or EKS pod; None outside of one."""
    relative, full = run.environ.get(RELATIVE_URI, ""), run.environ.get(FULL_URI, "")
    if not relative and not full:
        return None
    from botocore.utils import ContainerMetadataFetcher  # 120 ms

    fetcher = ContainerMetadataFetcher(session=_Session(run))
    headers = {}
    token = _token(run)
    if token:
        run.secrets.append(token)
        headers["Authorization"] = token
    uri = fetcher.full_url(relative) if relative else full
    try:
        answer = sts.bounded(run, lambda: fetcher.retrieve_full_uri(uri, headers))
    except ValueError as error:  # not a loopback or link-local address
        name, text = (RELATIVE_URI if relative else FULL_URI), str(error)
        if relative and not relative.startswith("/"):
            text = "must begin with /"
        raise RequestError(f"{name}: {text[:1].lower()}{text[1:]}") from None
    names = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
    return credentials.from_response(answer, names, METHOD, WHERE)


def _token(run: Run) -> str:
    """Return the authorization token, without the line end of its file."""
    path = run.environ.get(TOKEN_FILE)
    token = (
        tokenfile.contents(run, path, TOKEN_FILE) if path else run.environ.get(TOKEN, "").strip()
    )
    if not token.isprintable():
        raise RequestError(f"{TOKEN_FILE if path else TOKEN}: the token is not one line of text")
    return token


class _Session:
    """Sends botocore's request with our own retries; what it returns is a valid response."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def send(self, request: Any) -> Any:
        return tried(self.run, "container", lambda: self._once(request))

    def _once(self, request: Any) -> Any:
        from botocore import exceptions
        from botocore.httpsession import URLLib3Session

        left = max(self.run.deadline.left(), 0.001)
        read = READ if self.run.patient else SHORT_READ
        timeout: Any = (min(CONNECT, left), min(read, left))  # the stubs do not allow a pair
        session = URLLib3Session(timeout=timeout)
        started = self.run.log.clock()
        try:
            response = session.send(request)
        except exceptions.ReadTimeoutError:
            return Fault(f"{WHERE} sent no answer within {min(read, left):.0f} s", pause=PAUSE,
                         busy=True)  # fmt: skip
        except exceptions.BotoCoreError as error:
            return Fault(f"{WHERE} cannot be reached: {error}", pause=PAUSE, busy=True)
        finally:
            session.close()
        took = self.run.log.took(started)
        self.run.log(f"container: GET: {response.status_code} in {took}")
        headers = {str(name).lower(): str(value) for name, value in response.headers.items()}
        return _fault(Reply(response.status_code, headers), response.content) or response


def _fault(reply: Reply, body: bytes) -> Fault | None:
    """Return what is wrong with a response; None if it is a JSON object."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    if reply.status == 200:
        if isinstance(parsed, dict):
            return None
        what = "a web page" if _is_page(body) else "something that is not a JSON object"
        return Fault(f"{WHERE} answered with {what}", pause=PAUSE, busy=True)
    message = _said(parsed, body)
    text = f"{WHERE} answered {reply.status}" + (f" ({message})" if message else "")
    if reply.status == 429:
        return Fault(f"{text}: too many requests", pause=THROTTLED_PAUSE, least=reply.pause(),
                     hint="other containers of the task may call it too often; try again",
                     busy=True)  # fmt: skip
    if reply.status >= 500:
        return Fault(text, pause=PAUSE, least=reply.pause(), busy=True, hint="try again")
    return Fault(text)


def _said(parsed: Any, body: bytes) -> str:
    """Return the code and message of an error, or else its text."""
    if isinstance(parsed, dict):
        texts = [parsed.get(name) for name in ("code", "message", "Code", "Message")]
        return ": ".join(text for text in texts if isinstance(text, str) and text)[:MOST_SHOWN]
    if parsed is not None or not body:
        return ""
    return "a web page" if _is_page(body) else _text(body)[:MOST_SHOWN]


def _is_page(body: bytes) -> bool:
    return is_page(_text(body))


def _text(body: bytes) -> str:
    return body[:4096].decode("utf-8", "replace")
