"""Credentials that no role was assumed for by us: a profile's own, a container's, a web identity's.

Keys, SSO and `aws login` are botocore's to resolve.
"""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING

from botocore import exceptions
from botocore.credentials import RefreshableCredentials
from botocore.utils import ContainerMetadataFetcher

from credproc import credentials, hidden, limits, slips, windows
from credproc.credentials import Credentials
from credproc.errors import CredprocError, ProviderFailed, RequestError, SourceRejected
from credproc.identity import FULL_URI, RELATIVE_URI, TOKEN, TOKEN_FILE, WEB_IDENTITY
from credproc.providers import incomplete, process, sts
from credproc.providers.raised import reply_of
from credproc.regions import home_region

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import botocore.session

    from credproc.run import Run

#: botocore's providers that read nothing but the profile, before and after its credential_process.
BEFORE, AFTER = ("sso", "shared-credentials-file", "login"), ("config-file",)

CONTAINER = "container-role"

#: Those of botocore's providers that find keys in a file, and what botocore calls that.
FILES = {"shared-credentials-file": "credentials_file", "config-file": "config_file"}


def profile(run: Run, name: str) -> Credentials:
    """Return the profile's own credentials: keys, SSO, login, web identity, credential_process."""
    try:
        found = _found(run, name)
    except RequestError as error:
        raise RequestError(f"profile {name}: {error}") from error
    except CredprocError:
        run.secrets += hidden.of_files(run.environ)  # a portal that refuses may quote them
        raise
    run.log(f"profile {name}: {found!r}")
    return found


def _found(run: Run, name: str) -> Credentials:
    session = sts.new_session(name)
    values = session.full_config["profiles"][name]
    if values.get("web_identity_token_file"):
        return _profile_web_identity(run, session, values)
    found = _resolved(run, session, name, BEFORE)
    if found is None and values.get("credential_process"):
        found = process.retrieve(run, name, str(values["credential_process"]))
        account = str(values.get("aws_account_id", ""))
        if not found.account_id and credentials.is_account(account):
            found.account_id = account  # as botocore does
    found = found or _resolved(run, session, name, AFTER)
    if found is None:
        raise RequestError(incomplete.why(values))
    return found


def container(run: Run) -> Credentials | None:
    """Return the credentials of the ECS task or EKS pod; None outside of one."""
    fetcher = ContainerMetadataFetcher(sleep=lambda most: time.sleep(most * windows.jitter()))
    relative, full = run.environ.get(RELATIVE_URI, ""), run.environ.get(FULL_URI, "")
    if not relative and not full:
        return None
    headers = {}
    token = _container_token(run)
    if token:
        run.secrets.append(token)
        headers["Authorization"] = token
    uri = fetcher.full_url(relative) if relative else full
    try:
        answer = sts.bounded(run, lambda: fetcher.retrieve_full_uri(uri, headers))
    except ValueError as error:  # an address that anybody on the network could have
        raise RequestError(f"{FULL_URI}: {str(error).lower()}") from None
    except exceptions.BotoCoreError as error:
        raise ProviderFailed(str(error)) from error
    names = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
    return credentials.from_answer(answer, names, CONTAINER, "the container's endpoint")


def _container_token(run: Run) -> str:
    """Return what identifies the caller; a line end behind it belongs to the file alone."""
    path = run.environ.get(TOKEN_FILE)
    token = _contents(path, TOKEN_FILE) if path else run.environ.get(TOKEN, "").strip()
    if not token.isprintable():
        raise RequestError(f"{TOKEN_FILE if path else TOKEN}: it is not one line of text")
    return token


def web_identity(run: Run) -> Credentials | None:
    """Return the credentials that the token in AWS_WEB_IDENTITY_TOKEN_FILE is good for."""
    path = run.environ.get(WEB_IDENTITY)
    if not path:
        return None
    names = ("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME")
    arn, name = (run.environ.get(each, "") for each in names)
    return _with_web_identity(run, sts.new_session(), path, arn, name, names)


def _profile_web_identity(
    run: Run, session: botocore.session.Session, values: dict[str, Any]
) -> Credentials:
    names = ("role_arn", "role_session_name")
    arn, name = (str(values.get(each, "")) for each in names)
    return _with_web_identity(
        run, session, str(values["web_identity_token_file"]), arn, name, names
    )


def _with_web_identity(
    run: Run,
    session: botocore.session.Session,
    path: str,
    arn: str,
    name: str,
    names: tuple[str, str],
) -> Credentials:
    """Exchange a token for a role's credentials; one that is turned away is read again, once.

    ``names`` are what the role's ARN and the session's name are called where they are set.
    """
    name = name or sts.default_name()
    problems = (limits.role_arn(arn), limits.role_session_name(name))
    for what, problem in zip(names, problems, strict=True):
        if problem:
            raise RequestError(f"{what} {problem}")
    region = sts.configured_region(run.environ, session) or home_region(arn)
    service = sts.Sts(session)

    def exchanged() -> Credentials:
        token = _contents(path, "the web identity's token")
        run.secrets.append(token)
        parameters = {"RoleArn": arn, "RoleSessionName": name, "WebIdentityToken": token}
        return service.assume_with_web_identity(run, region, parameters)

    try:
        try:
            return exchanged()
        except SourceRejected as error:
            run.log(f"web identity: {error}; {path} is read again")
            return exchanged()
    except ProviderFailed as error:
        raise type(error)(f"{arn} (with the token in {path}): {error}") from error


def _contents(path: str, what: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(2**20).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ProviderFailed(f"{what}: {path}: {reason}") from None
    if not text:
        raise ProviderFailed(f"{what}: {path} is empty")
    return text


def _resolved(
    run: Run, session: botocore.session.Session, name: str, methods: tuple[str, ...]
) -> Credentials | None:
    """Return what the first of botocore's providers finds; what goes wrong, in our words."""
    session.set_default_client_config(sts.client_config(run, attempts=3))
    if "login_session" in session.get_scoped_config():  # SSO has a region of its own
        region = sts.configured_region(run.environ, session)
        session.set_config_variable("region", region or None)
    resolver = sts.built(session, lambda: session.get_component("credential_provider"))

    def load() -> tuple[Any, Any]:
        for method in methods:
            found = resolver.get_provider(method).load()
            if found is not None:
                return found, found.get_frozen_credentials()
        return None, None

    found, frozen = _worded(name, lambda: sts.bounded(run, load))
    if found is None:
        return None
    kept = Credentials(
        frozen.access_key,
        frozen.secret_key,
        frozen.token or "",
        _expiration(found),
        getattr(frozen, "account_id", None) or "",
        found.method,
    )
    if found.method in FILES:
        problem = slips.keys(dict(zip(slips.KEYS, frozen[:3], strict=True)))
        path = sts.expanded(session.get_config_variable(FILES[found.method]))
        if problem:
            raise RequestError(f"{problem} ({path})")
    elif not all(map(credentials.is_key_text, kept.secrets())):
        raise ProviderFailed(f"{found.method} gave credentials that no request can carry")
    return kept


def _expiration(found: Any) -> int:
    """Return when botocore's credentials end, 0 for keys that never do.

    No public name of botocore's gives it; the AWS CLI reads it so, too. A botocore that calls it
    otherwise must not make long-term keys of what expires, so an AttributeError is right.
    """
    if not isinstance(found, RefreshableCredentials):
        return 0
    moment: Any = getattr(found, "_expiry_time")  # noqa: B009  # a name that no stub knows
    return int(moment.timestamp())


def _worded(name: str, load: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    login = f": run `aws sso login --profile {name}`"
    try:
        return load()
    except (RequestError, ProviderFailed):
        raise
    except exceptions.ClientError as error:
        raise ProviderFailed(reply_of(error).text()) from error
    except (exceptions.PartialCredentialsError, exceptions.InvalidConfigError) as error:
        raise RequestError(str(error)) from error
    except (exceptions.SSOError, exceptions.TokenRetrievalError) as error:
        hint = "" if "aws sso login" in str(error) else login
        raise ProviderFailed(f"{str(error).rstrip('.')}{hint}") from error
    except exceptions.MissingDependencyException as error:
        # botocore's words do not say where: credproc often has an environment of its own.
        python = shlex.quote(sys.executable or "python3")
        raise ProviderFailed(
            "`aws login` needs an extra of botocore, which is not installed here: run "
            f'{python} -m pip install "botocore[crt]"'
        ) from error
    except exceptions.BotoCoreError as error:
        raise ProviderFailed(str(error)) from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise ProviderFailed(f"{where}{error.strerror or type(error).__name__}") from error
    except Exception as error:  # what was answered stays out of the message
        raise ProviderFailed(f"an answer that cannot be read ({type(error).__name__})") from error
