"""One call of STS: its client, its retries, the credentials in its answer."""

from __future__ import annotations

import getpass
import os
import socket
import time
from typing import TYPE_CHECKING

import botocore.session
from botocore import exceptions
from botocore.config import Config

from credproc import __version__, credentials, headers, limits, slips, supervision
from credproc.errors import CredprocError, DeadlineExceeded, RequestError
from credproc.providers import faults
from credproc.providers.patience import tried
from credproc.providers.raised import Answered, explain
from credproc.providers.reply import SKEW, Call, Fault, Reply
from credproc.syntax import unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from credproc.credentials import Credentials
    from credproc.run import Run

    Result = TypeVar("Result")

#: Seconds for connecting and for the answer, of one try.
CONNECT, READ = 3, 5
#: Bytes. A library that reads an answer whole is not let to read more; STS's have some kilobytes.
MOST = 256 * 2**20

#: Which profile is in use where none is named. An empty variable names none.
PROFILE_VARIABLES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")
#: What botocore calls the config file and the credentials file.
FILES = ("config_file", "credentials_file")


def new_session(profile: str = "") -> botocore.session.Session:
    """Return a botocore session for the profile; RequestError if the config cannot be read."""
    # The process's own environment: botocore takes all else of a session from there, and no other.
    named = [name for name in PROFILE_VARIABLES if os.environ.get(name)]
    session = botocore.session.Session(
        profile=profile or None, session_vars={"profile": (None, named, None, None)}
    )
    try:
        session.get_scoped_config()
    except exceptions.ProfileNotFound as error:
        missing = profile or os.environ[named[0]]
        who = f"profile {missing}" + ("" if profile else f", which {named[0]} names,")
        first, second = (_shown(session.get_config_variable(key)) for key in FILES)
        why = misnamed(session, missing)
        raise RequestError(f"{who} is neither in {first} nor in {second}{why}") from error
    except exceptions.ConfigParseError as error:
        raise unreadable(error.kwargs.get("path", ""), error.kwargs.get("error")) from error
    return session


def _shown(path: str) -> str:
    """Return a file's path; botocore takes one that it cannot find or read for an empty one."""
    path = expanded(path)
    try:
        os.stat(path)
        is_hidden = not os.access(path, os.R_OK)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            return f"{path} (which does not exist)"
        is_hidden = isinstance(error, PermissionError)
    return f"{path} (which this user may not read)" if is_hidden else path


def expanded(path: str) -> str:
    """Return a path with ~ and variables put in, as botocore does it."""
    return os.path.expanduser(os.path.expandvars(path))  # the process's own


def misnamed(session: botocore.session.Session, profile: str) -> str:
    """Return, as the end of a message, what a profile that is not found may be; "" if nothing."""
    config, credentials = (expanded(session.get_config_variable(key)) for key in FILES)
    found = headers.near(config, credentials, profile)
    if found:
        return f": {found}"
    other = headers.similar(profile, list(session.full_config["profiles"]))
    return f"; did you mean {other}?" if other else ""


def configured_region(
    environ: Mapping[str, str], session: botocore.session.Session, own: str = ""
) -> str:
    """Return the region that the variables or the config name; botocore ignores AWS_REGION.

    ``own`` is that of the profile in which a role is written, if it has one.
    """
    region = (
        environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or own
        or session.get_scoped_config().get("region")
        or ""
    )
    return checked_region(region) if region else ""


def checked_region(region: Any) -> str:
    """Return the region; RequestError if no region can have such a name."""
    problem = "must be a name" if not isinstance(region, str) else limits.sts_region(region)
    if problem:
        told = slips.wrong("the region", region, problem)
        raise RequestError(
            f"{told}: check AWS_REGION, AWS_DEFAULT_REGION and the region of the profile"
        )
    return str(region)


def default_name() -> str:
    """Return a role session name that tells who and where: credproc-USER-HOST, sanitised."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = str(os.getuid())
    name = f"credproc-{user}-{socket.gethostname().partition('.')[0]}"
    return "".join(letter if letter in limits.NAME else "-" for letter in name)[:64]


def client_config(run: Run, attempts: int = 1) -> Config:
    """Return timeouts inside the run's deadline; one attempt means no retries of botocore's own."""
    left = run.deadline.remaining()
    return Config(
        connect_timeout=min(CONNECT, left),
        read_timeout=min(READ, left),
        retries={"total_max_attempts": attempts, "mode": "standard"},
        user_agent_extra=f"credproc/{__version__}",
    )


def bounded(run: Run, work: Callable[[], Result], seconds: float | None = None) -> Result:
    """Return what a library's call returns; DeadlineExceeded if it is not back in time.

    Its own timeouts end neither a name that is being resolved nor an answer that drips.
    """
    deadline = run.deadline if seconds is None else run.deadline.within(seconds)
    return supervision.supervised(work, deadline, run.log, grace=0, most=MOST)


class Sts:
    """STS as one run uses it: one client a region, for all hops and whoever calls."""

    def __init__(self, session: botocore.session.Session) -> None:
        self.session = session
        session.set_credentials("nobody", "nobody")
        self.signer: Any = session.get_credentials()
        self.clients: dict[str, Any] = {}
        self.answered = Answered()

    def assume(
        self, run: Run, region: str, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Return the role's credentials; ProviderFailed says what STS said and what to do."""
        self.signer.access_key, self.signer.secret_key = caller.access_key, caller.secret_key
        self.signer.token = caller.token or None
        call = Call(region, parameters["RoleArn"], caller, given=tuple(parameters))
        return self._tried(run, call, "assume_role", parameters)

    def assume_with_web_identity(
        self, run: Run, region: str, parameters: dict[str, Any]
    ) -> Credentials:
        """Return the credentials of the role that a web identity's token is good for."""
        call = Call(region, parameters["RoleArn"], None, parameters["WebIdentityToken"])
        found = self._tried(run, call, "assume_role_with_web_identity", parameters)
        found.provider = "assume-role-with-web-identity"
        return found

    def _tried(
        self, run: Run, call: Call, operation: str, parameters: dict[str, Any]
    ) -> Credentials:
        """Call until there is an answer, or an error that a repetition does not mend."""
        method = getattr(self._client(run, call.region), operation)
        what = f"sts: {call.role_arn}"
        return tried(run, what, lambda: self._once(run, call, lambda: method(**parameters)))

    def _once(self, run: Run, call: Call, method: Callable[[], Any]) -> Credentials | Fault:
        """Call once; return the credentials, or what the error means."""
        started = time.monotonic()
        self.answered.reply = Reply()
        try:
            answer = bounded(run, method, CONNECT + READ)
        except DeadlineExceeded:
            return faults.late(call, time.monotonic() - started)
        except CredprocError:
            raise
        except Exception as error:  # botocore lets out what an answer of others leads to
            return explain(error, self.answered, call)
        off = self.answered.reply.skew()
        if abs(off) > SKEW:
            run.log(f"sts: this machine's clock is {abs(off)} s {'ahead' if off > 0 else 'behind'}")
        if not isinstance(answer, dict) or not isinstance(answer.get("Credentials"), dict):
            return faults.stranger(self.answered.reply, call)
        return _credentials(answer)

    def _client(self, run: Run, region: str) -> Any:
        """Return the region's client; it signs with what the session's credentials hold then.

        A second client would load the CA bundle again (20 ms), so one signs for every hop.
        """
        client = self.clients.get(region)
        if client is None:
            config = client_config(run)
            client = built(
                self.session,
                lambda: self.session.create_client("sts", region_name=region, config=config),
                f"no client for STS in {region}: ",
            )
            client.meta.events.register("before-parse.sts", self.answered.note)
            self.clients[region] = client
        return client


def built(session: botocore.session.Session, build: Callable[[], Any], what: str = "") -> Any:
    """Return what botocore builds of a session's settings; RequestError names the wrong one.

    It takes their values as they come, so that a mistake in one may be any error.
    """
    try:
        return build()
    except MemoryError:
        raise
    except Exception as error:
        told = isinstance(error, (exceptions.BotoCoreError, ValueError))
        reason = str(error).rstrip(".") if told else type(error).__name__
        setting = _unusable(session, build, reason)
        raise RequestError(f"{what}botocore cannot use {setting}: {reason}") from error


def _unusable(session: botocore.session.Session, build: Callable[[], Any], reason: str) -> str:
    """Return the setting that is wrong: the key without which it works, or a variable."""
    scoped = session.get_scoped_config()
    name = session.get_config_variable("profile") or "default"
    for key, value in list(scoped.items()):
        del scoped[key]
        try:
            build()
        except Exception:  # noqa: S112  # it is not this one, or not alone
            continue
        finally:
            scoped[key] = value
        what = "(an indented block)" if isinstance(value, dict) else f"= {slips.shown(value)}"
        return f"{key} {what} of profile {name}"
    variables = [each[1] for each in session.session_var_map.values() if isinstance(each[1], str)]
    given = [each for each in variables if os.environ.get(each)]
    named = [each for each in given if os.environ[each] in reason]
    if named:
        return f"{named[0]}={os.environ[named[0]]}"
    return " or ".join(given + [f"{key} of profile {name}" for key in scoped]) or "a setting"


def _credentials(answer: dict[str, Any]) -> Credentials:
    fields = dict(answer["Credentials"])
    if hasattr(fields.get("Expiration"), "timestamp"):
        fields["Expiration"] = credentials.write_time(int(fields["Expiration"].timestamp()))
    arn = str((answer.get("AssumedRoleUser") or {}).get("Arn", "")).split(":")
    if len(arn) > 4:
        fields["AccountId"] = arn[4]
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    return credentials.from_answer(fields, names, "chain", "STS")
