"""Where a chain starts: source credentials, and whether they are those of a role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import request
from credproc.credentials import Credentials, is_key_text
from credproc.errors import ProviderUnavailable, RequestError
from credproc.identity import join, of_providers
from credproc.providers import container, endpoint, leaf
from credproc.providers.imds import Imds
from credproc.providers.session import PROFILE_VARIABLES, Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from credproc.run import Run

#: The names of what gives nothing but role sessions: ours, and botocore's for its own.
ROLES = ("imds", container.METHOD, "assume-role-with-web-identity", "sso")

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
#: In botocore's order, so that boto3 and the AWS CLI sign with the same ones: of two that differ
#: the old name counts.
TOKENS = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
MISSING = {
    "env": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
    "container": "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor ..._FULL_URI is set: this is "
    "no ECS task and no EKS pod with an identity",
    "web-identity": "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not set",
}


class Source:
    """Source credentials by the name that --source gives them; ``profile:NAME``: its own ones.

    ``session`` saves reading the shared config once more.
    """

    def __init__(self, text: str, session: Session | None = None) -> None:
        self.text = text
        self._chain = request.Chain(text)
        self.kind, self.name = self._chain.kind, self._chain.named
        self._session = session

    def parts(self, environ: Mapping[str, str]) -> list[str]:
        """Return all that the source's credentials depend on.

        Tools run credproc under an AWS_PROFILE of their own. What comes of it is shared by all, so
        which profile is in use counts only where it is asked for something.
        """
        if not self._asks_default():
            environ = {k: v for k, v in environ.items() if k not in PROFILE_VARIABLES}
        return of_providers([self._chain], environ)

    def identity(self, environ: Mapping[str, str]) -> bytes:
        """Return what the source's credentials are kept under."""
        return join(["source", *self.parts(environ)])

    def _asks_default(self) -> bool:
        """Whether the answer may depend on the profile that is in use where none is named."""
        if self.kind == "web-identity":
            return True  # its region and endpoint
        if self.kind not in ("profile", "imds"):
            return False
        session = self._session or Session()
        profiles: dict[str, dict[str, Any]] = session.full_config["profiles"]
        if self.kind == "profile":
            # A helper may ask anything; it gets the whole environment.
            return "credential_process" in profiles.get(self.name, {})
        return any(key in values for values in profiles.values() for key in endpoint.KEYS.values())

    def retrieve(self, run: Run, anew: bool = False) -> Credentials:
        """Return the source credentials: from the cache, or with ``anew`` from where they come.

        Long-term keys and those of the environment are at hand already, and never on the disk.
        """
        if self.kind == "env":
            return _from_environment(run)
        return run.kept(self.identity(run.environ), self._fetch, anew)

    def _fetch(self, run: Run) -> Credentials:
        if self.kind == "imds":
            return Imds(self.name).retrieve(run)
        if self.kind == "profile":
            return leaf.profile(run, self.name)
        found = container.retrieve(run) if self.kind == "container" else leaf.web_identity(run)
        if found is None:
            raise ProviderUnavailable(MISSING[self.kind])
        return found

    def is_role(self, caller: Credentials) -> bool:
        """Whether AWS is known to count a role assumed from here as chained.

        Keys with a token may be those of a user (GetSessionToken); then only AWS knows.
        """
        return caller.provider in ROLES


def _from_environment(run: Run) -> Credentials:
    token = next((name for name in TOKENS if run.environ.get(name)), TOKENS[-1])
    names = (*KEYS, token)
    values = [run.environ.get(name, "") for name in names]
    if not values[0] and not values[1]:
        raise ProviderUnavailable(MISSING["env"])
    for name, value in zip(names, values, strict=True):
        if not value and name != token:
            raise RequestError(f"{name} is not set, but the other half of the key is")
        if not is_key_text(value):
            raise RequestError(f"{name} holds what no key has (a blank, a quote or a line end?)")
    found = Credentials(values[0], values[1], values[2], expiration=0, provider="env")
    run.secrets += found.secrets()
    return found
