"""Sign-ins of `aws sso login` and `aws login`: the token exchange, and SSO role credentials.

botocore does the work; token files, locks, retries and time limits are ours.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from botocore import exceptions
from botocore.config import Config
from botocore.credentials import LoginProvider, SSOProvider
from botocore.parsers import ResponseParserError
from botocore.tokens import SSOTokenProvider

from credproc import knownsecrets
from credproc.errors import ProviderFailed
from credproc.providers import botofaults, faults
from credproc.providers.client import check_proxy, client_config
from credproc.providers.patience import tried
from credproc.providers.reply import Call, Fault, Reply
from credproc.providers.signintokens import Tokens
from credproc.variables import path

if TYPE_CHECKING:
    from typing import Any

    import botocore.session

    from credproc.run import Run

#: Seconds that a token service may take, as in botocore. It may have used up the refresh token, so
#: the exchange is not repeated and its response must not be lost.
EXCHANGE = 60
#: The part of a run's time that an exchange may take: the rest is for a call with the old token.
PART = 0.9
#: The fields that a response of the portal must have.
FIELDS = ("accessKeyId", "secretAccessKey", "sessionToken", "expiration")
#: The token exchanges, by botocore event, with a field that each response must have.
EXCHANGES = {"sso-oidc.CreateToken": "accessToken", "signin.CreateOAuth2Token": "tokenOutput"}
TOKEN_SERVICE = Call("", service="the token service")
#: botocore's providers, and the command that signs in for each.
COMMANDS = {"sso": "aws sso login", "login": "aws login"}
#: Errors after which the service cannot have received the token.
_NOT_SENT = (
    exceptions.EndpointConnectionError,
    exceptions.ConnectTimeoutError,
    exceptions.ProxyConnectionError,
    exceptions.SSLError,
)
#: What botocore raises for a token file whose fields are not those of a sign-in.
_ODD = (exceptions.ParamValidationError, LookupError, TypeError, ValueError)


class Signins:
    """botocore's two sign-in providers, for one profile in one run."""

    def __init__(self, run: Run, session: botocore.session.Session, profile: str) -> None:
        self.run = run
        self.session = session
        self.profile = profile
        self.last = botofaults.LastResponse()
        #: Whether a token exchange is under way, and the response to the last one.
        self.exchanging = False
        self.exchanged = Reply()
        self.started = 0.0
        time = Config(read_timeout=max(min(EXCHANGE, run.whole.left() * PART), 0.1))
        session.set_default_client_config(client_config(run).merge(time))
        for event, field in EXCHANGES.items():
            session.register(f"before-call.{event}", self._begin)
            session.register(f"before-parse.{event}", self.last.record)
            session.register(f"after-call.{event}", partial(self._end, field))

    def login(self, method: str) -> str:
        """Return what to do when the sign-in has expired."""
        return f"run `{COMMANDS[method]} --profile {self.profile}`"

    def load(self, method: str, tries: int = 2, keep: bool = False) -> Any:
        """Return what botocore's provider of that method finds, ready for use; None if nothing.

        If the service refuses a token that another program has replaced meanwhile, use the new one.
        If an exchange fails while the access token is still valid, use that one (``keep``).
        """
        variable, usual = knownsecrets.LOGINS[method]
        folder = path(self.run.environ, variable, usual)
        tokens = Tokens(folder, self.login(method), self.run, keep)
        self.exchanging, self.exchanged = False, Reply()
        try:
            found = self._provider(method, tokens).load()
            if found is not None:
                found.get_frozen_credentials()
            return found
        except Exception:
            has_failed = self.exchanging or 0 < self.exchanged.status < 300
            keep = method == "sso" and has_failed and tokens.can_be_kept()
            if tries == 1 or not (keep or tokens.is_outdated()):
                raise
        finally:
            tokens.close()
        what = "no exchange" if keep else "another program has replaced the token"
        self.run.log(f"sign-in: {what}: trying again with the {'old' if keep else 'new'} token")
        return self.load(method, tries - 1, keep)

    def _provider(self, method: str, tokens: Any) -> Any:
        """Return botocore's provider of that method."""
        arguments: dict[str, Any] = {
            "load_config": lambda: self.session.full_config,
            "client_creator": self._client,
            "profile_name": self.profile,
            "token_cache": tokens,
        }
        if method == "login":
            return LoginProvider(**arguments)
        provider = SSOTokenProvider(self.session, cache=tokens, profile_name=self.profile)
        return SSOProvider(**arguments, token_provider=provider)

    def _client(self, service: str, **options: Any) -> Any:
        """Return botocore's client; for the SSO portal, one that retries."""
        if service != "sso":
            return self.session.create_client(service, **options)
        config = options.pop("config")
        quick = config.merge(client_config(self.run))
        client = self.session.create_client(service, config=quick, **options)
        check_proxy(client)
        return _Portal(self.run, client, self._limit())

    def _limit(self) -> int:
        """Return the configured number of tries, 0 if it is not configured."""
        configured = self.session.get_scoped_config().get("max_attempts", "")
        attempts = self.run.environ.get("AWS_MAX_ATTEMPTS") or configured
        return int(attempts) if isinstance(attempts, str) and attempts.isdecimal() else 0

    def _begin(self, **_: Any) -> None:
        self.run.log("sign-in: exchanging the token")
        self.started = self.run.log.clock()
        self.run.deadline.extend(self.run.whole)
        self.exchanging = True

    def _end(self, field: str, http_response: Any, parsed: Any, **_: Any) -> None:
        """Record the response to an exchange; ProviderFailed if it lacks its required field."""
        self.exchanging = False
        took = self.run.log.took(self.started)
        self.run.log(f"sign-in: the token service answered {http_response.status_code} in {took}")
        error = parsed.get("Error", {})
        self.exchanged = Reply(
            http_response.status_code,
            self.last.reply.headers,
            str(error.get("Code", "")),
            str(error.get("Message", "")),
        )
        if http_response.status_code < 300 and not parsed.get(field):
            if "html" in self.exchanged.headers.get("content-type", ""):
                raise faults.foreign(self.exchanged, TOKEN_SERVICE).error()
            raise ProviderFailed(f"the token service answered without {field}")

    def explain(self, error: Exception, method: str) -> ProviderFailed | None:
        """Return our error for one about a token; None for other errors."""
        login = self.login(method)
        if self.exchanging:
            return ProviderFailed(self._unanswered(error, login))
        refused = self._refused(login) if self.exchanged.status >= 300 else ""
        if refused and isinstance(error, exceptions.ClientError):
            return ProviderFailed(refused)
        if isinstance(error, (exceptions.SSOError, exceptions.TokenRetrievalError)):
            text = str(error).rstrip(".")
            if isinstance(error, exceptions.UnauthorizedSSOTokenError):
                text = "the SSO session has expired or was revoked"
            is_passing = refused and login not in refused
            return ProviderFailed(refused if is_passing else f"{text}: {login}")
        if isinstance(error, _ODD):
            return ProviderFailed(f"the cached sign-in is not usable: {login}")
        return None

    def _unanswered(self, error: Exception, login: str) -> str:
        """Return the message for an exchange that got no response."""
        fault = botofaults.explain(error, self.last, TOKEN_SERVICE)
        if isinstance(error, (*_NOT_SENT, ResponseParserError)):
            return fault.words()
        return (
            f"{fault.message.rstrip('.')}. It may have used up the refresh token, which is not "
            f"sent twice: if the next run fails, {login}"
        )

    def _refused(self, login: str) -> str:
        """Return the message for an error of the token service."""
        passing = faults.passing(self.exchanged, TOKEN_SERVICE)
        if passing:
            return f"{passing.words()} (the sign-in itself may still be valid)"
        return f"{self.exchanged.text()}: {login}"


class _Portal:
    """The client of the SSO portal, which retries its one call while the portal is busy."""

    def __init__(self, run: Run, client: Any, limit: int) -> None:
        self.exceptions = client.exceptions
        self._run = run
        self._client = client
        self._limit = limit
        self._call = Call(client.meta.region_name, service="the SSO portal")
        self._last = botofaults.LastResponse()
        client.meta.events.register("before-parse.sso", self._last.record)

    def get_role_credentials(self, **parameters: Any) -> Any:
        """Return the portal's response, which has credentials."""
        return tried(self._run, "sso", lambda: self._once(parameters), self._limit)

    def _once(self, parameters: dict[str, Any]) -> Any:
        self._last.reply = Reply()
        started = self._run.log.clock()
        try:
            answer = self._client.get_role_credentials(**parameters)
        except (self.exceptions.UnauthorizedException, exceptions.ParamValidationError):
            raise  # these are about the token
        except exceptions.ClientError as error:
            return _refusal(botofaults.reply_of(error, self._last), self._call)
        except Exception as error:  # botocore may raise anything for a response of another server
            return botofaults.explain(error, self._last, self._call)
        finally:
            role = f"{parameters['roleName']} of account {parameters['accountId']}"
            status = self._last.reply.status or "no answer"
            self._run.log(f"sso: role {role}: {status} after {self._run.log.took(started)}")
        found = answer.get("roleCredentials") or {}
        missing = [field for field in FIELDS if not found.get(field)]
        if len(missing) == len(FIELDS):
            return faults.foreign(self._last.reply, self._call)
        if missing:
            return Fault(f"{self._call.service} answered without {', '.join(missing)}")
        return answer


def _refusal(reply: Reply, call: Call) -> Fault:
    fault = faults.passing(reply, call)
    if fault:
        return fault
    if faults.is_foreign(reply):
        return faults.foreign(reply, call)
    if reply.code in ("ForbiddenException", "ResourceNotFoundException"):
        hint = "check sso_account_id and sso_role_name, and that the role is assigned to you there"
        return Fault(f"{reply.text()}: {hint}")
    return Fault(reply.text())
