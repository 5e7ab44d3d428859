"""botocore's STS client, for the unusual cases that query.py does not handle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from botocore import exceptions
from botocore.config import Config
from botocore.utils import get_environ_proxies

from credproc import __version__, proxies, slips
from credproc.errors import RequestError
from credproc.providers import incomplete
from credproc.providers.botofaults import LastResponse, explain
from credproc.providers.query import CONNECT, READ
from credproc.providers.reply import Failed, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import botocore.session

    from credproc.providers.reply import Call
    from credproc.run import Run

#: botocore's method names of the API actions.
METHODS = {
    "AssumeRole": "assume_role",
    "AssumeRoleWithWebIdentity": "assume_role_with_web_identity",
    "GetSessionToken": "get_session_token",
}


class Client:
    """One client per region, for all hops and all callers."""

    def __init__(self, session: botocore.session.Session) -> None:
        self._session = session
        session.set_credentials("unset", "unset")
        self._signer: Any = session.get_credentials()
        self._clients: dict[str, Any] = {}
        self._last = LastResponse()

    def make(self, run: Run, region: str) -> None:
        """Make the region's client, which signs with the session's credentials of the moment.

        A second client would load the CA bundle again (20 ms), so one client signs for every hop.
        """
        if region in self._clients:
            return
        config = client_config(run)
        client = built(
            self._session,
            lambda: self._session.create_client("sts", region_name=region, config=config),
            f"no client for STS in {region}: ",
        )
        check_proxy(client)
        client.meta.events.register("before-parse.sts", self._last.record)
        self._clients[region] = client

    def call(self, call: Call, action: str, parameters: dict[str, Any]) -> tuple[Reply, Any]:
        """Call STS; return its reply and what botocore parsed from it. Failed if STS refuses."""
        if call.caller is not None:
            self._signer.access_key = call.caller.access_key
            self._signer.secret_key = call.caller.secret_key
            self._signer.token = call.caller.token or None
        self._last.reply = Reply()
        try:
            answer = getattr(self._clients[call.region], METHODS[action])(**parameters)
        except Exception as error:  # botocore may raise anything for a response of another server
            raise Failed(explain(error, self._last, call)) from error
        return self._last.reply, answer


def check_proxy(client: Any) -> None:
    """Raise RequestError if the environment sets a proxy that the client cannot use."""
    url = client.meta.endpoint_url
    scheme = url.partition(":")[0]
    proxy = get_environ_proxies(url).get(scheme)
    problem = proxies.problem(proxy) if proxy else ""
    if problem:
        name = f"{scheme}_proxy"
        raise RequestError(f"{name if os.environ.get(name) else name.upper()} {problem}")


def client_config(run: Run) -> Config:
    """Return timeouts within the run's deadline, and one attempt: the retries are our own."""
    left = run.deadline.remaining()
    return Config(
        connect_timeout=min(CONNECT, left),
        read_timeout=min(READ, left),
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent_extra=f"credproc/{__version__}",
    )


def built(session: botocore.session.Session, build: Callable[[], Any], what: str = "") -> Any:
    """Return what botocore builds from a session's settings; RequestError names an invalid setting.

    botocore does not check the values, so an invalid one may cause any exception.
    """
    try:
        return build()
    except MemoryError:
        raise
    except Exception as error:
        is_worded = isinstance(error, (exceptions.BotoCoreError, ValueError))
        reason = str(error).rstrip(".") if is_worded else type(error).__name__
        setting = _unusable(session, build, reason)
        if setting.startswith("sso_session "):
            name = str(session.get_scoped_config().get("sso_session", ""))
            reason = incomplete.no_session(name, session.full_config)
        raise RequestError(f"{what}botocore cannot use {setting}: {reason}") from error


def _unusable(session: botocore.session.Session, build: Callable[[], Any], reason: str) -> str:
    """Return the invalid setting: the key without which the build succeeds, or a variable."""
    scoped = session.get_scoped_config()
    name = session.get_config_variable("profile") or "default"
    for key, value in list(scoped.items()):
        del scoped[key]
        try:
            build()
        except Exception:  # noqa: S112  # the invalid key is another, or not the only one
            continue
        finally:
            scoped[key] = value
        what = "(an indented block)" if isinstance(value, dict) else f"= {slips.shown(value)}"
        return f"{key} {what} of profile {name}"
    variables = [each[1] for each in session.session_var_map.values() if isinstance(each[1], str)]
    given = [each for each in variables if os.environ.get(each)]
    urls = [each for each in os.environ if each.startswith("AWS_ENDPOINT_URL")]
    named = [each for each in given + urls if os.environ[each] and os.environ[each] in reason]
    if named:
        longest = max(named, key=lambda each: len(os.environ[each]))
        return f"{longest}={os.environ[longest]}"
    return " or ".join(given + [f"{key} of profile {name}" for key in scoped]) or "a setting"
