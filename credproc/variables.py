"""The SDKs' environment variables that credproc reads, and the paths that they set."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The address of a container's credentials, and the token that authorizes requests for them.
RELATIVE_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN, TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
WEB_IDENTITY = "AWS_WEB_IDENTITY_TOKEN_FILE"
#: The variables that give a container its own identity.
CONTAINER_IDENTITIES = (RELATIVE_URI, FULL_URI, WEB_IDENTITY)

#: Variables that name the profile in use, in botocore's order.
PROFILES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")

CONFIG, CREDENTIALS = "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"
LOGIN_CACHE = "AWS_LOGIN_CACHE_DIRECTORY"
#: The default paths.
USUAL = {
    CONFIG: "~/.aws/config",
    CREDENTIALS: "~/.aws/credentials",
    LOGIN_CACHE: "~/.aws/login/cache",
}

#: A variable in a path, as os.path.expandvars reads it.
REFERENCE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)

#: The variables that choose an STS endpoint, and the config keys that do the same.
ENDPOINT_KEYS = {
    "AWS_ENDPOINT_URL": "endpoint_url",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "ignore_configured_endpoint_urls",
    "AWS_STS_REGIONAL_ENDPOINTS": "sts_regional_endpoints",
    "AWS_USE_DUALSTACK_ENDPOINT": "use_dualstack_endpoint",
    "AWS_USE_FIPS_ENDPOINT": "use_fips_endpoint",
}


#: Other variables that decide whether a call succeeds, but not which credentials it returns.
CALLING = (
    *("AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"),
    *("AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
    *("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("all_proxy", "http_proxy", "https_proxy", "no_proxy"),
    *("AWS_MAX_ATTEMPTS", "AWS_METADATA_SERVICE_NUM_ATTEMPTS", "AWS_METADATA_SERVICE_TIMEOUT"),
    # Those of helpers: gpg, pass, ssh-agent, keyrings.
    *("GPG_TTY", "GNUPGHOME", "PASSWORD_STORE_DIR", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS"),
    *("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"),
)


def path(environ: Mapping[str, str], variable: str, usual: str = "") -> str:
    """Return the path of a shared file or directory as botocore finds it, "" if there is none.

    ``usual`` replaces the variable's default in USUAL.
    """
    found = _written(environ, variable, usual)
    if os.path.isabs(found) or not found:
        return found
    # Without HOME and a passwd entry the default stays "~/...", which names no directory.
    if found.startswith("~") and not environ.get(variable):
        return ""
    try:
        return os.path.abspath(found)
    except OSError:
        return ""  # there is no working directory either


def _written(environ: Mapping[str, str], variable: str, usual: str = "") -> str:
    """Return a path with ~ and variables put in; it may be relative."""
    found = environ.get(variable) or usual or USUAL[variable]
    if "$" in found:
        found = os.path.expandvars(found)  # from the process's environment, as botocore does
    if found.startswith("~/") and "HOME" in environ:
        return environ["HOME"].rstrip("/") + found[1:]
    return os.path.expanduser(found)


def are_relative(environ: Mapping[str, str]) -> bool:
    """Whether a shared file or directory is another one in another working directory."""
    return not all(os.path.isabs(_written(environ, name)) for name in USUAL)


def misplaced(value: str) -> str:
    """Return why a variable's value cannot be used as a path, with the likely slip; "" if it can.

    Not every cron, and no `docker run --env-file`, removes quotes or expands anything.
    """
    if os.path.isabs(value):
        return ""
    slips = {
        '"': f"quotes are part of the value: {value}",
        "'": f"quotes are part of the value: {value}",
        "~": "~ is not expanded here",
        "$": "variables are not expanded here",
    }
    slip = slips.get(value[:1])
    return "must be an absolute path" + (f" ({slip})" if slip else "")


def expanded(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that appear in the configured paths of the shared files."""
    values = [environ.get(name, "") for name in USUAL]
    return [name for value in values for pair in REFERENCE.findall(value) for name in pair if name]
