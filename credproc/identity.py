"""The identity of a request: all that can change its answer, which its entry is kept under.

Loaded on every run, so it imports nothing that a bare interpreter has not loaded; see request.
"""

import os

from credproc import system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credproc.request import Chain, Imds, Profile, Request

#: Part of every identity: entries of another version never match.
VERSION = "1"

#: Where a container's credentials are, and what its requests for them are let in with.
RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN, TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
WEB_IDENTITY = "AWS_WEB_IDENTITY_TOKEN_FILE"
#: The variables that give a container an identity of its own.
CONTAINER_IDENTITIES = (RELATIVE_URI, FULL_URI, WEB_IDENTITY)

#: The variables that can change how a role is assumed, and those that can change what a source
#: gives. Of keys only the id, which says whose they are.
_VARIABLES = {
    "sts": (
        "AWS_DEFAULT_PROFILE",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_STS",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_STS_REGIONAL_ENDPOINTS",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_USE_FIPS_ENDPOINT",
    ),
    "env": ("AWS_ACCESS_KEY_ID",),
    "imds": (
        *CONTAINER_IDENTITIES,
        "AWS_DEFAULT_PROFILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        "AWS_IMDS_USE_IPV6",
        "AWS_PROFILE",
    ),
    "container": (RELATIVE_URI, FULL_URI, TOKEN_FILE),
    "web-identity": ("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", WEB_IDENTITY),
}
# A profile may name any of them; and SSO and `aws login` keep their sessions below HOME.
_VARIABLES["profile"] = (
    *(name for names in _VARIABLES.values() for name in names),
    "AWS_ENDPOINT_URL_SIGNIN",
    "AWS_ENDPOINT_URL_SSO",
    "AWS_ENDPOINT_URL_SSO_OIDC",
    "AWS_LOGIN_CACHE_DIRECTORY",
    "HOME",
)
#: Who somebody is, in the order of getpass.
_USERS = ("LOGNAME", "USER", "LNAME", "USERNAME")


def of_request(request: "Request", environ: "Mapping[str, str]") -> bytes:
    """Return everything that can change the answer, as the bytes that an entry is kept under.

    Providers in order with all their parameters; the variables that choose endpoint, region or
    source; path, modification time (ns) and size of the files that are read; which instance and
    whose role session it is. No secret is part of it.
    """
    parts = of_providers(request.providers, environ)
    if any(provider.kinds() != ("imds",) for provider in request.providers):
        # The name of a role session that was not given one.
        user = next((environ[name] for name in _USERS if environ.get(name)), "")
        parts.append(f"caller:{user}@{system.host_name()}")
    return join(parts)


def of_providers(
    providers: "Sequence[Imds | Chain | Profile]", environ: "Mapping[str, str]"
) -> list[str]:
    """Return the parts of the identity of a request for these providers."""
    parts: list[str] = []
    kinds: set[str] = set()
    for provider in providers:
        parts += provider.identity()
        kinds.update(provider.kinds())
    names = {name for kind in kinds for name in _VARIABLES.get(kind, ())}
    parts += [f"{name}={environ[name]}" for name in sorted(names) if environ.get(name)]
    parts.append(_stamp(config_path(environ, "AWS_CONFIG_FILE", "~/.aws/config")))
    if "sts" in kinds:
        # Of a profile it may hold any key, not only credentials: a region, an endpoint.
        path = config_path(environ, "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
        parts.append(_stamp(path))
    if "imds" in kinds:
        parts.append(_instance())
    if "container" in kinds or "profile" in kinds:
        # One endpoint may serve many, each with a token of its own: as on every node of EKS, where
        # also the path of the token's file is the same for all.
        parts.append(_token_mark(environ))
        parts.append(_stamp(environ.get(TOKEN_FILE, "")))
    if "web-identity" in kinds or "profile" in kinds:
        parts.append(_stamp(environ.get(WEB_IDENTITY, "")))
    return parts


def join(parts: "Sequence[str]") -> bytes:
    """Join the parts of an identity; no argument or variable can hold the NUL between them."""
    return os.fsencode("\0".join([VERSION, *parts]))


def _token_mark(environ: "Mapping[str, str]") -> str:
    """Tell tokens apart by 32 bits, too few to be worth stealing."""
    token = os.fsencode(environ.get(TOKEN, ""))
    return f"token:{int.from_bytes(token, 'big') % 4294967291:08x}"


def _instance() -> str:
    """Tell instances apart whose users share one home, and an instance from what it was before.

    By its start; and by its name, since an emulator of IMDS tells apart containers on one kernel.
    """
    return f"instance:{system.host_name()} {system.boot_id()}"


def config_path(environ: "Mapping[str, str]", variable: str, default: str) -> str:
    """Return where a shared file or folder is, as botocore finds it; "" without one or a home."""
    path = environ.get(variable, default)
    if "$" in path:
        path = os.path.expandvars(path)  # of the process, as botocore does it
    if path.startswith("~/") and "HOME" in environ:
        path = environ["HOME"].rstrip("/") + path[1:]
    else:
        path = os.path.expanduser(path)
    if os.path.isabs(path) or not path:
        return path
    # Without HOME and passwd entry the default stays "~/...": no one means a folder of that name.
    try:
        return os.path.abspath(path) if variable in environ else ""
    except OSError:
        return ""  # nor is there a working directory


def _stamp(path: str) -> str:
    """Return a file's path, modification time (ns) and size."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return f"{path} -"
    return f"{path} {status.st_mtime_ns} {status.st_size}"
