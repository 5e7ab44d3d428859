"""Source credentials: where a chain gets the credentials that assume its first role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credproc import request, session
from credproc.answer import mark
from credproc.credentials import Credentials, is_key_text
from credproc.errors import ProviderUnavailable, RequestError
from credproc.providers import container, imds, initial, keyparts
from credproc.variables import FULL_URI, RELATIVE_URI, TOKEN, TOKEN_FILE

if TYPE_CHECKING:
    from credproc.providers.sharedconfig import SharedConfig
    from credproc.run import Run
    from credproc.session import Parts

#: Names of providers that return only role sessions: ours, and botocore's.
ROLES = ("imds", container.METHOD, "assume-role-with-web-identity", "sso")

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
#: In botocore's order, so that boto3 and the AWS CLI sign with the same token: if the two differ,
#: the old name wins.
TOKENS = ("AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN")
MISSING = {
    "env": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set",
    "container": "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor ..._FULL_URI is set: this is "
    "not an ECS task or an EKS pod with an identity",
    "web-identity": "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not set",
}


class Source:
    """Source credentials, named as in --source; ``profile:NAME`` is the profile's own credentials.

    ``shared`` is the shared config for the profile that the chain belongs to.
    """

    def __init__(self, text: str, shared: SharedConfig) -> None:
        self.text = text
        chain = request.Chain(text)
        self.kind, self.name = chain.kind, chain.named
        self.shared = shared

    def parts(self, run: Run) -> Parts:
        """Return the cache key parts of the source credentials; of long-term keys only the ID."""
        if self.kind == "env":
            return {"keys": run.environ.get(KEYS[0], "")}
        if self.kind == "imds":
            return imds.parts(run, self.name, self.profile)
        if self.kind == "container":
            return _container(run)
        if self.kind == "profile":
            return keyparts.parts(run, self.shared, self.name)
        return keyparts.web_identity(run, self.shared, *initial.web_identity_variables(run.environ))

    @property
    def person(self) -> bool:
        """Whether fetching may need a person: a helper may prompt for anything."""
        return self.kind == "profile" and keyparts.is_helper(self.shared, self.name)

    def retrieve(self, run: Run, force: bool = False) -> Credentials:
        """Return the source credentials, from the cache unless ``force``.

        Long-term keys and keys from the environment are never written to disk.
        """
        if self.kind == "env":
            return _from_environment(run)
        return run.session(session.key(self.parts(run)), self._fetch, force, self.person)

    def _fetch(self, run: Run) -> Credentials:
        if self.kind == "imds":
            return imds.fetch(run, self.name, self.profile)
        if self.kind == "profile":
            return initial.profile(run, self.name)
        found = container.retrieve(run) if self.kind == "container" else initial.web_identity(run)
        if found is None:
            raise ProviderUnavailable(MISSING[self.kind])
        return found

    @property
    def profile(self) -> str:
        """The profile whose IMDS settings apply, "" for the profile in use."""
        return self.shared.profile

    def is_role(self, caller: Credentials) -> bool:
        """Whether a role assumed with these credentials certainly counts as role chaining.

        Keys with a token may belong to a user (GetSessionToken), and then only AWS knows.
        """
        return caller.provider in ROLES


def _container(run: Run) -> Parts:
    """Return the cache key parts of a container's credentials: marks of its address and token.

    One endpoint may serve many containers, each with its own token, as on every EKS node.
    """
    uri = run.environ.get(RELATIVE_URI) or run.environ.get(FULL_URI, "")
    path = run.environ.get(TOKEN_FILE, "")
    token = keyparts.content(run, path) if path else run.environ.get(TOKEN, "")
    return {"container": mark(uri.encode("utf-8", "surrogateescape")),
            "token": mark(token.encode("utf-8", "surrogateescape"))}  # fmt: skip


def _from_environment(run: Run) -> Credentials:
    token = next((name for name in TOKENS if run.environ.get(name)), TOKENS[-1])
    names = (*KEYS, token)
    values = [run.environ.get(name, "") for name in names]
    if not values[0] and not values[1]:
        raise ProviderUnavailable(MISSING["env"])
    for name, value in zip(names, values, strict=True):
        if not value and name != token:
            other = KEYS[name == KEYS[0]]
            raise RequestError(f"{other} is set, but {name} is not")
        if not is_key_text(value):
            raise RequestError(
                f"{name} contains characters that are not valid in a key (a space, a quote or a "
                "line end?)"
            )
    found = Credentials(values[0], values[1], values[2], expiration=0, provider="env")
    run.secrets += found.secrets()
    return found
