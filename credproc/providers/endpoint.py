"""Where IMDS is, and how long it may take: the SDKs' variables and their config keys."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from credproc import request
from credproc.errors import ProviderUnavailable, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

IPV4 = "http://169.254.169.254"
IPV6 = "http://[fd00:ec2::254]"
#: Seconds for everything that one run asks of IMDS.
TOTAL = 2.0

#: Variables, and the keys that stand in the shared config for them.
KEYS = {
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "ec2_metadata_service_endpoint",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ec2_metadata_service_endpoint_mode",
    "AWS_METADATA_SERVICE_TIMEOUT": "metadata_service_timeout",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "metadata_service_num_attempts",
}


class Settings:
    """A checked endpoint and the seconds that it may take in all."""

    __slots__ = ("host", "path", "port", "seconds", "url")

    def __init__(self, url: str, seconds: float) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme != "http" or not parts.hostname or parts.query or parts.fragment:
            raise RequestError(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT (or its config key): must be an address like "
                f"{IPV4}, not {url}"
            )
        self.url = f"http://{parts.netloc.rpartition('@')[2]}"
        self.host = parts.hostname
        self.port = port or 80
        self.path = parts.path.rstrip("/")
        self.seconds = seconds


def settings(environ: Mapping[str, str], log: Callable[[str], None]) -> Settings:
    """Return where IMDS is; unavailable if the user has turned it off.

    Variables come before config keys, an endpoint before a mode, as in the SDKs. Their time-out is
    for one try of one step; here it can only lengthen the total.
    """
    disabled = environ.get("AWS_EC2_METADATA_DISABLED", "")
    if disabled.lower() == "true":
        raise ProviderUnavailable("turned off by AWS_EC2_METADATA_DISABLED=true")
    if disabled and disabled.lower() != "false":
        log(f"imds: AWS_EC2_METADATA_DISABLED={disabled} turns nothing off; only `true` does")
    configured = _configured(environ)
    values = {name: environ.get(name) or configured.get(key, "") for name, key in KEYS.items()}
    endpoint = values["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    if not endpoint:
        mode = values["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"].lower()
        if mode not in ("", "ipv4", "ipv6"):
            raise RequestError(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE (or its config key): must be ipv4 or ipv6, "
                f"not {mode}"
            )
        endpoint = IPV6 if mode == "ipv6" else IPV4
    timeout = _number(values, "AWS_METADATA_SERVICE_TIMEOUT")
    attempts = _number(values, "AWS_METADATA_SERVICE_NUM_ATTEMPTS")
    return Settings(endpoint, max(TOTAL, timeout * attempts))


def _number(values: Mapping[str, str], name: str) -> int:
    text = values[name] or "1"
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 3600):
        raise RequestError(f"{name} (or its config key): must be a whole number from 1, not {text}")
    return int(text)


def _configured(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the keys of the profile in use; the file is parsed only if it speaks of them."""
    path = request.config_path(environ, "AWS_CONFIG_FILE", "~/.aws/config")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError):
        return {}
    if "metadata_service" not in text:
        return {}
    import configparser  # 5 ms, for the few who have such a key

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        where = f" (line {line})" if line else ""
        raise RequestError(f"{path}{where}: cannot be read as a config file") from None
    profile = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    for section in (f"profile {profile}", profile):
        if parser.has_section(section) and (section != profile or profile == "default"):
            return dict(parser[section])
    return {}
