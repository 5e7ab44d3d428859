"""The IMDS endpoint and its time limits, from the SDKs' variables and config keys."""

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

#: Seconds for all IMDS requests of one run, and the tries of one request.
TOTAL = 2.0
ATTEMPTS = 4

ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
MODE = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
USE_IPV6 = "AWS_IMDS_USE_IPV6"
TIMEOUT = "AWS_METADATA_SERVICE_TIMEOUT"
NUM_ATTEMPTS = "AWS_METADATA_SERVICE_NUM_ATTEMPTS"

#: Variables, and the equivalent keys of the shared config.
KEYS = {
    ENDPOINT: "ec2_metadata_service_endpoint",
    MODE: "ec2_metadata_service_endpoint_mode",
    USE_IPV6: "imds_use_ipv6",
    TIMEOUT: "metadata_service_timeout",
    NUM_ATTEMPTS: "metadata_service_num_attempts",
}


# Without user name, query or fragment; only visible ASCII characters.
_URL = re.compile(
    r"http://(?P<netloc>(?P<host>\[[0-9a-f:.]+(?:%[\w.~-]+)?\]|[\w.~!$&'()*+,;=%-]+)"
    r"(?::(?P<port>\d{0,5}))?)(?P<path>(?:/[!\"$->@-~]*)?)",
    re.ASCII | re.IGNORECASE,
)


class Settings:
    """A checked endpoint, its time limits in all and for one try, and the tries of a request.

    The SDKs' timeout is for one try of one request; together with their number of attempts it can
    lengthen the total, never shorten it.
    """

    __slots__ = ("address", "attempts", "host", "path", "patience", "port", "seconds", "url")

    def __init__(self, url: str, timeout: int = 1, attempts: int = 1) -> None:
        match = _URL.fullmatch(url)
        port = int(match["port"] or 80) if match else 0
        if not match or port > 65535:
            raise RequestError(
                f"{ENDPOINT} (or its config key): must be an address like {IPV4}, without a user "
                f"name or query, not {re.split('[?#]', url.rpartition('@')[2])[0]}"
            )
        self.host = match["host"].strip("[]").lower()
        self.url = f"http://{match['netloc']}"
        self.port = port
        self.path = match["path"].rstrip("/")
        #: URL and path.
        self.address = self.url + self.path
        self.patience = float(timeout)
        self.attempts = max(ATTEMPTS, attempts)
        self.seconds = max(TOTAL, self.patience * attempts)


def settings(environ: Mapping[str, str], log: Callable[[str], None], profile: str = "") -> Settings:
    """Return the IMDS settings; ProviderUnavailable if the user has turned IMDS off.

    ``profile`` is the profile whose config keys apply, "" for the profile in use.

    Variables override config keys, an endpoint overrides a mode, a mode overrides
    AWS_IMDS_USE_IPV6, as in the SDKs.
    """
    disabled = environ.get("AWS_EC2_METADATA_DISABLED", "")
    if disabled.lower() == "true":
        raise ProviderUnavailable("turned off by AWS_EC2_METADATA_DISABLED=true")
    if disabled and disabled.lower() != "false":
        log(f"imds: AWS_EC2_METADATA_DISABLED={disabled} has no effect; only `true` turns IMDS off")
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
            f"imds: {chosen.url} is neither on this machine nor link-local: that server chooses "
            "the identity, and the network in between can read the credentials"
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
    """Whether requests to the host stay on this machine or reach only EC2's own service."""
    if host in ("127.0.0.1", "169.254.169.254"):
        return True
    import ipaddress  # 3 ms, only for an unusual address

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_link_local or str(address) == "fd00:ec2::254"


def _configured(environ: Mapping[str, str], profile: str) -> Mapping[str, str]:
    """Return the keys of the profile; the file is parsed only if it mentions an IMDS key."""
    file_path = path(environ, CONFIG)
    text = system.text(file_path)
    if not any(key in text.lower() for key in KEYS.values()):
        return {}
    import configparser  # 5 ms, only for a file with such a key

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
            found = parser[section]  # the later of two sections with the same name wins
    return found
