"""Where IMDS is, and how long it may take: the SDKs' variables and their config keys."""

from __future__ import annotations

import re

from credproc import system
from credproc.errors import ProviderUnavailable, RequestError
from credproc.syntax import unreadable
from credproc.variables import CONFIG, PROFILES, path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

IPV4 = "http://169.254.169.254"
IPV6 = "http://[fd00:ec2::254]"

#: Seconds for everything that one run asks of IMDS, and how often one request is tried.
TOTAL = 2.0
ATTEMPTS = 4

ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
MODE = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
USE_IPV6 = "AWS_IMDS_USE_IPV6"
TIMEOUT = "AWS_METADATA_SERVICE_TIMEOUT"
NUM_ATTEMPTS = "AWS_METADATA_SERVICE_NUM_ATTEMPTS"

#: Variables, and the keys that stand in the shared config for them.
KEYS = {
    ENDPOINT: "ec2_metadata_service_endpoint",
    MODE: "ec2_metadata_service_endpoint_mode",
    USE_IPV6: "imds_use_ipv6",
    TIMEOUT: "metadata_service_timeout",
    NUM_ATTEMPTS: "metadata_service_num_attempts",
}


# Without a user's name, a query or a fragment; of the visible characters of ASCII alone.
_URL = re.compile(
    r"http://(?P<netloc>(?P<host>\[[0-9a-f:.]+(?:%[\w.~-]+)?\]|[\w.~!$&'()*+,;=%-]+)"
    r"(?::(?P<port>\d{0,5}))?)(?P<path>(?:/[!\"$->@-~]*)?)",
    re.ASCII | re.IGNORECASE,
)


class Settings:
    """A checked endpoint, the seconds it may take in all and for one try, the tries of a request.

    The SDKs' time-out is for one try of one request; together with their number of attempts it can
    make the total longer, never shorter.
    """

    __slots__ = ("address", "attempts", "host", "path", "patience", "port", "seconds", "url")

    def __init__(self, url: str, timeout: int = 1, attempts: int = 1) -> None:
        match = _URL.fullmatch(url)
        port = int(match["port"] or 80) if match else 0
        if not match or port > 65535:
            raise RequestError(
                f"{ENDPOINT} (or its config key): must be an address like {IPV4}, not "
                f"{url.rpartition('@')[2]}"
            )
        self.host = match["host"].strip("[]").lower()
        self.url = f"http://{match['netloc']}"
        self.port = port
        self.path = match["path"].rstrip("/")
        #: The whole of it.
        self.address = self.url + self.path
        self.patience = float(timeout)
        self.attempts = max(ATTEMPTS, attempts)
        self.seconds = max(TOTAL, self.patience * attempts)


def settings(environ: Mapping[str, str], log: Callable[[str], None], profile: str = "") -> Settings:
    """Return where IMDS is; unavailable if the user has turned it off.

    ``profile`` is the one whose config keys count, "" for the one in use.

    Variables come before config keys, an endpoint before a mode, a mode before AWS_IMDS_USE_IPV6,
    as in the SDKs.
    """
    disabled = environ.get("AWS_EC2_METADATA_DISABLED", "")
    if disabled.lower() == "true":
        raise ProviderUnavailable("turned off by AWS_EC2_METADATA_DISABLED=true")
    if disabled and disabled.lower() != "false":
        log(f"imds: AWS_EC2_METADATA_DISABLED={disabled} turns nothing off; only `true` does")
    configured = _configured(environ, profile)
    values = {name: environ.get(name) or configured.get(key, "") for name, key in KEYS.items()}
    usual = _usual_endpoint(values)
    chosen = Settings(
        values[ENDPOINT] or usual,
        _number(values, TIMEOUT),
        _number(values, NUM_ATTEMPTS),
    )
    if values[ENDPOINT] and not _is_near(chosen.host):
        log(
            f"imds: {chosen.url} is neither on this machine nor link-local: whoever answers there "
            "chooses the identity, and whoever is on the way can read the credentials"
        )
    return chosen


def _usual_endpoint(values: Mapping[str, str]) -> str:
    mode = values[MODE].lower()
    if mode not in ("", "ipv4", "ipv6"):
        raise RequestError(f"{MODE} (or its config key): must be ipv4 or ipv6, not {mode}")
    wants_ipv6 = mode == "ipv6" or (not mode and values[USE_IPV6].lower() == "true")
    return IPV6 if wants_ipv6 else IPV4


def _number(values: Mapping[str, str], name: str) -> int:
    text = values[name] or "1"
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 3600):
        raise RequestError(
            f"{name} (or its config key): must be a whole number from 1 to 3600, not {text}"
        )
    return int(text)


def _is_near(host: str) -> bool:
    """Whether what is sent to the host stays on this machine, or goes no further than EC2's own."""
    if host in ("127.0.0.1", "169.254.169.254"):
        return True
    import ipaddress  # 3 ms, for an unusual one

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_link_local or str(address) == "fd00:ec2::254"


def _configured(environ: Mapping[str, str], profile: str) -> Mapping[str, str]:
    """Return the keys of the profile; the file is parsed only if it speaks of them."""
    file_path = path(environ, CONFIG)
    try:
        text = system.read(file_path).decode("utf-8", "replace")
    except (OSError, ValueError):
        return {}
    if not any(key in text.lower() for key in KEYS.values()):
        return {}
    import configparser  # 5 ms, for the few who have such a key

    from credproc.headers import config_profile

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise unreadable(file_path, error) from None
    profile = profile or next(filter(None, map(environ.get, PROFILES)), "default")
    found: Mapping[str, str] = {}
    for section in parser.sections():
        if config_profile(section) == profile:
            found = parser[section]  # of two sections with one name the later counts
    return found
