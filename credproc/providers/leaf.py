"""Credentials that botocore resolves: a profile's own, a container's, a web identity's."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import botocore.credentials
from botocore import exceptions

from credproc import children, hidden, recursion
from credproc.credentials import Credentials
from credproc.errors import CredprocError, DeadlineExceeded, ProviderFailed, RequestError
from credproc.providers import sts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from credproc.providers import Deadline, Run

#: What botocore would ask besides the profile itself. None of it is what the user named.
ELSEWHERE = (
    "env",
    "assume-role",
    "custom-process",
    "ec2-credentials-file",
    "boto-config",
    "container-role",
    "iam-role",
)


def profile(run: Run, name: str) -> Credentials:
    """Return the profile's own credentials: keys, SSO, login, web identity, credential_process."""

    files: list[str] = []

    def load() -> Any:
        session = _session(run, name)
        files.append(session.get_scoped_config().get("web_identity_token_file", ""))
        resolver = session.get_component("credential_provider")
        for elsewhere in ELSEWHERE:
            resolver.remove(elsewhere)
        resolver.insert_before(
            "config-file",
            botocore.credentials.ProcessProvider(
                name, lambda: session.full_config, popen=_popen(run, name)
            ),
        )
        return resolver.load_credentials()

    found = _resolved(run, f"profile {name}", load, files)
    if found is None:
        raise RequestError(
            "it has no credentials and does not say where they come from (keys, "
            "credential_process, sso_session, login_session, role_arn with source_profile)"
        )
    return found


def container(run: Run) -> Credentials | None:
    """Return the credentials of the ECS task or EKS pod; None outside of one."""
    return _resolved(
        run, "the container's credentials", botocore.credentials.ContainerProvider().load
    )


def web_identity(run: Run) -> Credentials | None:
    """Return the credentials that the token in AWS_WEB_IDENTITY_TOKEN_FILE is good for."""

    def load() -> Any:
        resolver = _session(run, "").get_component("credential_provider")
        return resolver.get_provider("assume-role-with-web-identity").load()

    return _resolved(run, "the web identity", load)


def _session(run: Run, name: str) -> Any:
    session = sts.new_session(name)
    session.set_default_client_config(sts.client_config(run, attempts=3))
    region = sts.configured_region(run.environ, session)
    if region:
        session.set_config_variable("region", region)
    return session


def _popen(run: Run, name: str) -> Callable[..., subprocess.Popen[bytes]]:
    """Return what starts a credential_process: without stdin, found out if it leads back here."""

    def start(words: list[str], **options: Any) -> subprocess.Popen[bytes]:
        environ = recursion.environment(run.environ, [*run.profiles, name])
        child = _Helper(words, stdin=subprocess.DEVNULL, env=environ, **options)
        child.deadline = run.deadline
        run.children.append(child)
        return child

    return start


class _Helper(subprocess.Popen[bytes]):
    """A credential_process, which botocore would wait for without end."""

    deadline: Deadline

    def communicate(self, *_: Any, **__: Any) -> Any:
        try:
            return super().communicate(timeout=self.deadline.remaining())
        except subprocess.TimeoutExpired:
            children.end([self])
            raise DeadlineExceeded(
                f"its credential_process did not answer within {self.deadline.seconds:g} s"
            ) from None


def _resolved(
    run: Run, who: str, load: Callable[[], Any], files: Sequence[str] = ()
) -> Credentials | None:
    """Return what ``load`` finds as credentials, or raise in our words what goes wrong.

    Those words may quote a server; so what is in ``files``, and it was told, is not to be shown.
    """
    try:
        return _found(run, who, load)
    except CredprocError:
        run.secrets += hidden.of_files(run.environ, files)
        raise


def _found(run: Run, who: str, load: Callable[[], Any]) -> Credentials | None:
    try:
        found = load()
        frozen = found.get_frozen_credentials() if found else None
    except CredprocError:
        raise
    except exceptions.ClientError as error:
        raise ProviderFailed(sts.explained(error)) from error
    except (exceptions.PartialCredentialsError, exceptions.InvalidConfigError) as error:
        raise RequestError(str(error)) from error
    except Exception as error:  # botocore lets out whatever a helper's odd answer leads to
        raise ProviderFailed(_words(error)) from error
    if frozen is None:
        return None
    # The one thing that no public name of botocore's gives; the AWS CLI reads it so, too.
    expiry = getattr(found, "_expiry_time", None)
    run.log(f"{who}: found by botocore's {found.method}")
    return Credentials(
        frozen.access_key,
        frozen.secret_key,
        frozen.token or "",
        int(expiry.timestamp()) if expiry else 0,
        getattr(frozen, "account_id", None) or "",
        found.method,
    )


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, (exceptions.BotoCoreError, RuntimeError)):
        return str(error)
    # JSON, dates, missing keys: what was answered stays out of the message.
    return f"its answer cannot be read ({type(error).__name__})"
