"""One call of STS: its client, its retries, the credentials in its answer."""

from __future__ import annotations

import getpass
import os
import socket
from functools import partial
from typing import TYPE_CHECKING

from credproc import credentials, headers, limits, slips, supervision
from credproc.errors import DeadlineExceeded, RequestError
from credproc.providers import faults, place, query
from credproc.providers.patience import tried
from credproc.providers.query import TRY
from credproc.providers.reply import SKEW, Call, Failed, Fault, Reply
from credproc.providers.session import Session
from credproc.syntax import unreadable
from credproc.variables import CONFIG, CREDENTIALS, path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from credproc.credentials import Credentials
    from credproc.providers.client import Client
    from credproc.run import Run

    Result = TypeVar("Result")

#: Bytes. A library that reads an answer whole is not let to read more; STS's have some kilobytes.
MOST = 256 * 2**20

#: What botocore calls the config file and the credentials file.
FILES = ("config_file", "credentials_file")


def new_session(run: Run, profile: str = "") -> Session:
    """Return the shared config as the profile sees it; RequestError if it cannot be read.

    A run reads the files once, whatever profiles it needs: what replaces them meanwhile counts for
    the next run.
    """
    for variable in (CONFIG, CREDENTIALS):
        run.witnesses.file(path(run.environ, variable))
    session = Session(profile, run.shared.get("config"))
    run.shared.setdefault("config", session)
    try:
        is_readable = session.is_readable()
    except Exception as error:  # only botocore's own, which is not loaded otherwise
        raise _refused(session, error) from error
    if not is_readable:
        try:
            session.botocore().get_scoped_config()
        except Exception as error:
            raise _refused(session, error) from error
    return session


def _refused(session: Session, error: Exception) -> Exception:
    """Return what to raise for what botocore raises when it reads the shared config."""
    from botocore import exceptions

    if isinstance(error, exceptions.ProfileNotFound):
        missing, variable = session.named
        who = f"profile {missing}" + (f", which {variable} names," if variable else "")
        first, second = (_shown(session.get_config_variable(key)) for key in FILES)
        why = misnamed(session, missing)
        return RequestError(f"{who} is neither in {first} nor in {second}{why}")
    if isinstance(error, exceptions.ConfigParseError):
        return unreadable(error.kwargs.get("path", ""), error.kwargs.get("error"))
    return error


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


def misnamed(session: Session, profile: str) -> str:
    """Return, as the end of a message, what a profile that is not found may be; "" if nothing."""
    known = list(session.full_config["profiles"])
    config, credentials = (expanded(session.get_config_variable(key)) for key in FILES)
    found = headers.near(config, credentials, profile)
    if found is not None and not headers.bare(profile, known):
        return f": {found}"
    other = headers.similar(profile, known)
    return f"; did you mean {other}?" if other else ""


def configured_region(environ: Mapping[str, str], session: Session, own: str = "") -> str:
    """Return the region that the variables or the config name; botocore ignores AWS_REGION.

    ``own`` is that of the profile in which a role is written, if it has one.
    """
    region, name = named_region(environ, session, own)
    return checked_region(region, name) if region else ""


def named_region(environ: Mapping[str, str], session: Session, own: str = "") -> tuple[Any, str]:
    """Return the region that is named, whatever it is, and what names it."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if environ.get(name):
            return environ[name], name
    return own or session.get_scoped_config().get("region"), "the region of the profile"


def checked_region(region: Any, name: str = "the region") -> str:
    """Return the region; RequestError if no region can have such a name. ``name`` says whose."""
    problem = limits.sts_region(region) if isinstance(region, str) else "must be one line"
    if problem:
        raise RequestError(slips.wrong(name, region, problem))
    return str(region)


def user(name: Callable[[], str] = getpass.getuser) -> str:
    """Return the user's name, or else the number."""
    try:
        return name()
    except (KeyError, OSError, ImportError):
        return str(os.getuid())


def default_name() -> str:
    """Return a role session name that tells who and where: credproc-USER-HOST, sanitised."""
    name = f"credproc-{user()}-{socket.gethostname().partition('.')[0]}"
    return "".join(letter if letter in limits.NAME else "-" for letter in name)[:64]


def bounded(run: Run, work: Callable[[], Result], seconds: float | None = None) -> Result:
    """Return what a library's call returns; DeadlineExceeded if it is not back in time.

    Its own timeouts end neither a name that is being resolved nor an answer that drips.
    """
    deadline = run.deadline if seconds is None else run.deadline.within(seconds)
    return supervision.supervised(work, deadline, run.log, grace=0, most=MOST)


class Sts:
    """STS as one run uses it, for all hops and whoever calls: without botocore if that will do."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._places: dict[str, place.Place | None] = {}
        self._query = query.Query()
        self._client: Client | None = None

    def assume(
        self, run: Run, region: str, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Return the role's credentials; ProviderFailed says what STS said and what to do."""
        call = Call(region, parameters["RoleArn"], caller, given=tuple(parameters))
        return self._tried(run, call, "AssumeRole", parameters)

    def assume_with_web_identity(
        self, run: Run, region: str, parameters: dict[str, Any]
    ) -> Credentials:
        """Return the credentials of the role that a web identity's token is good for."""
        call = Call(region, parameters["RoleArn"], None, parameters["WebIdentityToken"])
        found = self._tried(run, call, "AssumeRoleWithWebIdentity", parameters)
        found.provider = "assume-role-with-web-identity"
        return found

    def session_token(
        self, run: Run, region: str, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Return credentials of the caller itself, a user, with what MFA adds to them."""
        call = Call(region, "", caller, given=tuple(parameters))
        return self._tried(run, call, "GetSessionToken", parameters)

    def _tried(self, run: Run, call: Call, action: str, parameters: dict[str, Any]) -> Credentials:
        """Call until there is an answer, or an error that a repetition does not mend."""
        where = self._place(call.region)
        if where is None:
            ask = partial(self._made(run, call.region).call, call, action, parameters)
        else:
            ask = partial(self._query.call, where, call, action, parameters, run.deadline)
        return tried(run, f"sts: {call.role_arn or action}", lambda: _once(run, call, ask))

    def _place(self, region: str) -> place.Place | None:
        if region not in self._places:
            self._places[region] = place.place(self.session, region)
        return self._places[region]

    def _made(self, run: Run, region: str) -> Client:
        """Return botocore's client, for this region too."""
        from credproc.providers.client import Client

        self._client = self._client or Client(self.session.botocore())
        self._client.make(run, region)
        return self._client


def _once(run: Run, call: Call, ask: Callable[[], tuple[Reply, Any]]) -> Credentials | Fault:
    """Call once; return the credentials, or what the error means."""
    started = run.log.clock()
    try:
        reply, answer = bounded(run, ask, TRY)
    except DeadlineExceeded:
        return faults.late(call, run.log.clock() - started)
    except Failed as failed:
        run.log(f"sts: {call.where}: no credentials after {run.log.took(started)}")
        return failed.fault
    run.log(f"sts: {call.where}: {reply.status} in {run.log.took(started)}")
    off = reply.skew()
    if abs(off) > SKEW:
        run.log(f"sts: this machine's clock is {abs(off)} s {'ahead' if off > 0 else 'behind'}")
    if not isinstance(answer, dict) or not isinstance(answer.get("Credentials"), dict):
        return faults.stranger(reply, call)
    return _credentials(answer)


def _credentials(answer: dict[str, Any]) -> Credentials:
    fields = dict(answer["Credentials"])
    if hasattr(fields.get("Expiration"), "timestamp"):
        fields["Expiration"] = credentials.write_time(int(fields["Expiration"].timestamp()))
    arn = str((answer.get("AssumedRoleUser") or {}).get("Arn", ""))
    if arn.count(":") > 4:
        fields["AccountId"] = arn.split(":")[4]
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    found = credentials.from_answer(fields, names, "chain", "STS")
    found.arn = arn if arn.isprintable() else ""
    return found
