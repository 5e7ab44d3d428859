"""One STS call: its client, its retries, the credentials in its response."""

from __future__ import annotations

import getpass
import os
import socket
import stat
from functools import partial
from typing import TYPE_CHECKING

from credproc import credentials, headers, limits, slips, supervision
from credproc.errors import DeadlineExceeded, RequestError
from credproc.providers import faults, query, stsendpoint
from credproc.providers.patience import tried
from credproc.providers.query import TRY
from credproc.providers.reply import SKEW, Call, Failed, Fault, Reply
from credproc.providers.sharedconfig import SharedConfig
from credproc.syntax import unreadable
from credproc.variables import CONFIG, CREDENTIALS, path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from credproc.credentials import Credentials
    from credproc.providers.client import Client
    from credproc.run import Run

    Result = TypeVar("Result")

#: Bytes. The most that a library may read of a response; those of STS have a few kilobytes.
MOST = 256 * 2**20

#: What botocore calls the config file and the credentials file.
FILES = ("config_file", "credentials_file")


def load_config(run: Run, profile: str = "") -> SharedConfig:
    """Return the shared config for a profile; RequestError if it cannot be read.

    A run reads the files once, for all profiles: changes during the run apply to the next run.
    """
    for variable in (CONFIG, CREDENTIALS):
        run.witnesses.file(path(run.environ, variable))
    shared = SharedConfig(profile, run.shared.get("config"))
    run.shared.setdefault("config", shared)
    try:
        is_readable = shared.is_readable()
    except Exception as error:  # only botocore's own; loading it to name them would cost 100 ms
        raise _refused(shared, error) from error
    if not is_readable:
        try:
            shared.botocore().get_scoped_config()
        except Exception as error:
            raise _refused(shared, error) from error
    return shared


def _refused(shared: SharedConfig, error: Exception) -> Exception:
    """Return our exception for one that botocore raised when it read the shared config."""
    from botocore import exceptions

    if isinstance(error, exceptions.ProfileNotFound):
        missing, variable = shared.named
        who = f"profile {missing}" + (f" (from {variable})" if variable else "")
        first, second = (_shown(shared.get_config_variable(key)) for key in FILES)
        why = misnamed(shared, missing)
        return RequestError(f"{who} is in neither {first} nor {second}{why}")
    if isinstance(error, exceptions.ConfigParseError):
        return unreadable(error.kwargs.get("path", ""), error.kwargs.get("error"))
    return error


def _shown(path: str) -> str:
    """Return a file's path, and why it may be unread: botocore treats such a file as empty."""
    path = expanded(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return f"{path} (which is not a regular file)"
        is_hidden = not os.access(path, os.R_OK)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            return f"{path} (which does not exist)"
        is_hidden = isinstance(error, PermissionError)
    return f"{path} (which this user may not read)" if is_hidden else path


def expanded(path: str) -> str:
    """Return a path with ~ and this process's variables expanded, as botocore does."""
    return os.path.expanduser(os.path.expandvars(path))


def misnamed(shared: SharedConfig, profile: str) -> str:
    """Return the end of a message: what the user may have meant by an unknown profile, or ""."""
    known = list(shared.full_config["profiles"])
    config, credentials = (expanded(shared.get_config_variable(key)) for key in FILES)
    found = headers.near(config, credentials, profile)
    if found is not None and not headers.bare(profile, known):
        return f": {found}"
    other = headers.similar(profile, known)
    return f"; did you mean {other}?" if other else ""


def configured_region(environ: Mapping[str, str], shared: SharedConfig, own: str = "") -> str:
    """Return the region from the variables or the config (botocore ignores AWS_REGION).

    ``own`` is the region of the profile that defines the role, if it has one.
    """
    region, name = named_region(environ, shared, own)
    return checked_region(region, name) if region else ""


def named_region(
    environ: Mapping[str, str], shared: SharedConfig, own: str = ""
) -> tuple[Any, str]:
    """Return the configured region, valid or not, and where it is configured."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if environ.get(name):
            return environ[name], name
    return own or shared.get_scoped_config().get("region"), "the profile's region"


def checked_region(region: Any, name: str = "the region") -> str:
    """Return the region; RequestError if it is not a valid name. ``name`` says where it is set."""
    problem = limits.sts_region(region) if isinstance(region, str) else "must be one line"
    if problem:
        text = slips.wrong(name, region, problem)
        is_upper = isinstance(region, str) and not limits.sts_region(region.lower())
        raise RequestError(text + " (write it in lower case)" * is_upper)
    return str(region)


def user(name: Callable[[], str] = getpass.getuser) -> str:
    """Return the user name, or the user ID if there is none."""
    try:
        return name()
    except (KeyError, OSError, ImportError):
        return str(os.getuid())


def default_name() -> str:
    """Return the default role session name: credproc-USER-HOST, sanitized."""
    name = f"credproc-{user()}-{socket.gethostname().partition('.')[0]}"
    return "".join(letter if letter in limits.NAME else "-" for letter in name)[:64]


def bounded(run: Run, work: Callable[[], Result], seconds: float | None = None) -> Result:
    """Return what a library call returns; DeadlineExceeded if it does not return in time.

    The library's own timeouts stop neither a name lookup nor a response that drips.
    """
    deadline = run.deadline if seconds is None else run.deadline.within(seconds)
    return supervision.supervised(work, deadline, run.log, grace=0, most=MOST)


class Sts:
    """STS as one run uses it, for all hops and callers; without botocore's client if possible."""

    def __init__(self, shared: SharedConfig) -> None:
        self.shared = shared
        self._endpoints: dict[str, stsendpoint.Endpoint | None] = {}
        self._query = query.Query()
        self._client: Client | None = None

    def assume(
        self, run: Run, region: str, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Return the role's credentials; ProviderFailed with the message of STS and what to do."""
        call = Call(region, parameters["RoleArn"], caller, given=tuple(parameters))
        return self._tried(run, call, "AssumeRole", parameters)

    def assume_with_web_identity(
        self, run: Run, region: str, parameters: dict[str, Any]
    ) -> Credentials:
        """Return the credentials of a role that is assumed with a web identity's token."""
        call = Call(region, parameters["RoleArn"], None, parameters["WebIdentityToken"])
        found = self._tried(run, call, "AssumeRoleWithWebIdentity", parameters)
        found.provider = "assume-role-with-web-identity"
        return found

    def session_token(
        self, run: Run, region: str, parameters: dict[str, Any], caller: Credentials
    ) -> Credentials:
        """Return temporary credentials of the calling user, authenticated with MFA."""
        call = Call(region, "", caller, given=tuple(parameters))
        return self._tried(run, call, "GetSessionToken", parameters)

    def _tried(self, run: Run, call: Call, action: str, parameters: dict[str, Any]) -> Credentials:
        """Call until STS returns credentials, or an error that retrying does not cure."""
        where = self._endpoint(call.region)
        if where is None:
            send = partial(self._made(run, call.region).call, call, action, parameters)
        else:
            send = partial(self._query.call, where, call, action, parameters, run.deadline)
        return tried(run, f"sts: {call.role_arn or action}", lambda: _once(run, call, send))

    def _endpoint(self, region: str) -> stsendpoint.Endpoint | None:
        if region not in self._endpoints:
            self._endpoints[region] = stsendpoint.endpoint(self.shared, region)
        return self._endpoints[region]

    def _made(self, run: Run, region: str) -> Client:
        """Return botocore's client, prepared for this region."""
        from credproc.providers.client import Client

        stsendpoint.check(self.shared)
        self._client = self._client or Client(self.shared.botocore())
        self._client.make(run, region)
        return self._client


def _once(run: Run, call: Call, send: Callable[[], tuple[Reply, Any]]) -> Credentials | Fault:
    """Call once; return the credentials, or the fault."""
    started = run.log.clock()
    try:
        reply, answer = bounded(run, send, TRY)
    except DeadlineExceeded:
        return faults.timed_out(call, run.log.clock() - started)
    except Failed as failed:
        run.log(f"sts: {call.where}: no credentials after {run.log.took(started)}")
        return failed.fault
    run.log(f"sts: {call.where}: {reply.status} in {run.log.took(started)}")
    off = reply.skew()
    if abs(off) > SKEW:
        run.log(f"sts: this machine's clock is {abs(off)} s {'ahead' if off > 0 else 'behind'}")
    if not isinstance(answer, dict) or not isinstance(answer.get("Credentials"), dict):
        return faults.foreign(reply, call)
    return _credentials(answer)


def _credentials(answer: dict[str, Any]) -> Credentials:
    fields = dict(answer["Credentials"])
    if hasattr(fields.get("Expiration"), "timestamp"):
        fields["Expiration"] = credentials.write_time(int(fields["Expiration"].timestamp()))
    arn = str((answer.get("AssumedRoleUser") or {}).get("Arn", ""))
    if arn.count(":") > 4:
        fields["AccountId"] = arn.split(":")[4]
    names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    found = credentials.from_response(fields, names, "chain", "STS")
    found.arn = arn if arn.isprintable() else ""
    return found
