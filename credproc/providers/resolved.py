"""Credentials that botocore's own providers find in a profile: SSO, `aws login`, keys in a file."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING

from botocore import exceptions
from botocore.credentials import RefreshableCredentials

from credproc import credentials, slips
from credproc.credentials import Credentials
from credproc.errors import ProviderFailed, RequestError
from credproc.providers import sts
from credproc.providers.botofaults import reply_of
from credproc.providers.client import built
from credproc.providers.signin import COMMANDS, Signins

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import botocore.session

    from credproc.providers.sharedconfig import SharedConfig
    from credproc.run import Run

#: botocore's providers that find keys in a file, with botocore's setting for that file.
FILES = {"shared-credentials-file": "credentials_file", "config-file": "config_file"}


def resolved(
    run: Run, shared: SharedConfig, name: str, methods: tuple[str, ...]
) -> Credentials | None:
    """Return what the first successful provider of botocore finds; its errors become ours."""
    session = shared.botocore()
    if "login_session" in session.get_scoped_config():  # SSO has its own region setting
        region = sts.configured_region(run.environ, shared)
        session.set_config_variable("region", region or None)
    signins = Signins(run, session, name)
    resolver = built(session, lambda: session.get_component("credential_provider"))

    def load(method: str) -> tuple[Any, Any]:
        is_signin = method in COMMANDS
        found = signins.load(method) if is_signin else resolver.get_provider(method).load()
        return found, found.get_frozen_credentials() if found is not None else None

    for method in methods:
        found, frozen = _worded(signins, method, partial(sts.bounded, run, partial(load, method)))
        if found is not None:
            return _converted(session, found, frozen)
    return None


def _converted(session: botocore.session.Session, found: Any, frozen: Any) -> Credentials:
    """Return what botocore found as our Credentials."""
    converted = Credentials(
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
    elif not all(map(credentials.is_key_text, converted.secrets())):
        raise ProviderFailed(f"{found.method} returned credentials with invalid characters")
    return converted


def _expiration(found: Any) -> int:
    """Return when botocore's credentials expire, 0 for keys that never do.

    botocore has no public name for this; the AWS CLI reads the same attribute. If a botocore
    renames it, temporary credentials must not pass for long-term keys, so AttributeError is right.
    """
    if not isinstance(found, RefreshableCredentials):
        return 0
    moment: Any = getattr(found, "_expiry_time")  # noqa: B009  # a name that no stub knows
    return int(moment.timestamp())


def _worded(signins: Signins, method: str, load: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    try:
        return load()
    except (RequestError, ProviderFailed):
        raise
    except (exceptions.PartialCredentialsError, exceptions.InvalidConfigError) as error:
        raise RequestError(str(error)) from error
    except exceptions.MissingDependencyException as error:
        # botocore's message does not say where: credproc often has its own environment.
        python = shlex.quote(sys.executable or "python3")
        raise ProviderFailed(
            "`aws login` needs botocore[crt], which is not installed in credproc's Python: run "
            f'{python} -m pip install "botocore[crt]"'
        ) from error
    except Exception as error:
        failure = signins.explain(error, method) if method in COMMANDS else None
        raise failure or _explained(error) from error


def _explained(error: Exception) -> ProviderFailed:
    if isinstance(error, exceptions.ClientError):
        return ProviderFailed(reply_of(error).text())
    if isinstance(error, exceptions.BotoCoreError):
        return ProviderFailed(str(error))
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return ProviderFailed(f"{where}{error.strerror or type(error).__name__}")
    # The message may quote the response, so it is not shown.
    return ProviderFailed(f"the response could not be parsed ({type(error).__name__})")
