"""What botocore's own providers find in a profile: SSO, `aws login`, and keys in a file."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

from botocore import exceptions
from botocore.credentials import RefreshableCredentials

from credproc import credentials, slips
from credproc.credentials import Credentials
from credproc.errors import ProviderFailed, RequestError
from credproc.providers import sts
from credproc.providers.client import built, client_config
from credproc.providers.raised import reply_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from credproc.providers.session import Session
    from credproc.run import Run

#: Those of botocore's providers that find keys in a file, and what botocore calls that.
FILES = {"shared-credentials-file": "credentials_file", "config-file": "config_file"}


def resolved(run: Run, shared: Session, name: str, methods: tuple[str, ...]) -> Credentials | None:
    """Return what the first of botocore's providers finds; what goes wrong, in our words."""
    session = shared.botocore()
    session.set_default_client_config(client_config(run, attempts=3))
    if "login_session" in session.get_scoped_config():  # SSO has a region of its own
        region = sts.configured_region(run.environ, shared)
        session.set_config_variable("region", region or None)
    resolver = built(session, lambda: session.get_component("credential_provider"))

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
