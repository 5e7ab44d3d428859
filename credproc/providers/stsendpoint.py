"""STS endpoints that can be found without botocore: the regional ones, and configured URLs."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from credproc import limits, proxies, system
from credproc.errors import RequestError
from credproc.providers import http

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from credproc.providers.sharedconfig import SharedConfig

#: The partitions, as patterns of region names, with the DNS suffix of their STS endpoints.
PARTITIONS = {
    r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+": "amazonaws.com",
    r"us-gov-\w+-\d+": "amazonaws.com",
    r"cn-\w+-\d+": "amazonaws.com.cn",
    r"us-iso-\w+-\d+": "c2s.ic.gov",
    r"us-isob-\w+-\d+": "sc2s.sgov.gov",
    r"eu-isoe-\w+-\d+": "cloud.adc-e.uk",
    r"us-isof-\w+-\d+": "csp.hci.ic.gov",
    r"eusc-de-\w+-\d+": "amazonaws.eu",
}
#: The DNS suffixes of AWS's services: of all partitions, and those of their dual-stack endpoints.
SUFFIXES = (
    *PARTITIONS.values(),
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.aws.ic.gov",
    "api.aws.scloud",
    "api.cloud-aws.adc-e.uk",
    "api.aws.hci.ic.gov",
)
#: Variables and config keys that change botocore's client, or make it fail.
UNUSUAL = (
    "AWS_ACCOUNT_ID_ENDPOINT_MODE",
    "AWS_AUTH_SCHEME_PREFERENCE",
    "AWS_CA_BUNDLE",
    "AWS_CSM_ENABLED",
    "AWS_CSM_PORT",
    "AWS_DATA_PATH",
    "AWS_DEFAULTS_MODE",
    "AWS_DISABLE_REQUEST_COMPRESSION",
    "AWS_ENDPOINT_DISCOVERY_ENABLED",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_REQUEST_CHECKSUM_CALCULATION",
    "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
    "AWS_RESPONSE_CHECKSUM_VALIDATION",
    "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
    "AWS_SIGV4A_SIGNING_REGION_SET",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_USE_FIPS_ENDPOINT",
    "BOTOCORE_EXPERIMENTAL__PLUGINS",
    "REQUESTS_CA_BUNDLE",
    "SSLKEYLOGFILE",
)
UNUSUAL_KEYS = (
    "account_id_endpoint_mode",
    "api_versions",
    "auth_scheme_preference",
    "ca_bundle",
    "csm_enabled",
    "csm_port",
    "data_path",
    "defaults_mode",
    "disable_request_compression",
    "endpoint_discovery_enabled",
    "ignore_configured_endpoint_urls",
    "request_checksum_calculation",
    "request_min_compression_size_bytes",
    "response_checksum_validation",
    "s3_disable_express_session_auth",
    "sigv4a_signing_region_set",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
)
#: botocore's default since release 1.40.
REGIONAL = "regional"

_URL = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?/?", re.IGNORECASE)


class Endpoint:
    """An STS endpoint: URL, host, port, whether it uses TLS, and the region to sign for."""

    def __init__(self, url: str, region: str) -> None:
        match = _URL.fullmatch(url)
        if not match:
            raise ValueError("not a plain URL of a host")
        self.url = url
        self.region = region
        self.secure = match[1].lower() == "https"
        self.host = match[2].strip("[]")
        usual = 443 if self.secure else 80
        self.port = int(match[3] or usual)
        self.header = http.host(self.host, self.port, usual)


def endpoint(shared: SharedConfig, region: str) -> Endpoint | None:
    """Return the STS endpoint of a region, None if only botocore can find it."""
    environ = os.environ  # the process's own, which botocore reads
    scoped = shared.get_scoped_config()
    legacy = environ.get("AWS_STS_REGIONAL_ENDPOINTS", scoped.get("sts_regional_endpoints"))
    if (
        system.has_proxy_settings()
        or any(environ.get(name) for name in UNUSUAL)
        or any(key in scoped for key in UNUSUAL_KEYS)
        or legacy not in (None, REGIONAL)
        or _has_proxy(environ)
        or scoped.get("sso_session", "") not in ["", *shared.full_config["sso_sessions"]]
        or os.path.exists(os.path.expanduser("~/.aws/models"))
    ):
        return None
    suffix = next((PARTITIONS[names] for names in PARTITIONS if re.fullmatch(names, region)), "")
    if not suffix:
        return None
    try:
        url = _given(shared, scoped, environ)[0] or f"https://sts.{region}.{suffix}"
        return Endpoint(url, region)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None  # botocore reports the invalid setting


def custom(shared: SharedConfig) -> str:
    """Return the URL of the service that is configured in the place of AWS's STS, "" for AWS's.

    An endpoint of AWS's own, such as a VPC's, counts as none. So does what has no effect or cannot
    be read: botocore says what is wrong with it.
    """
    try:
        url, _ = _effective(shared)
        return "" if url and _is_aws(url) else url
    except ValueError:
        return ""


def check(shared: SharedConfig) -> None:
    """Raise RequestError if the configured endpoint URL cannot be used."""
    url, name = _effective(shared)
    if not url:
        return
    problem = "must begin with http:// or https://"
    if url.lower().startswith(("http://", "https://")):
        problem = proxies.problem(url)
    if problem:
        raise RequestError(f"{name} {problem}")


def _effective(shared: SharedConfig) -> tuple[str, str]:
    """Return the configured endpoint URL that has an effect, and where it is set, or ("", "")."""
    scoped = shared.get_scoped_config()
    ignored = os.environ.get(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", scoped.get("ignore_configured_endpoint_urls")
    )
    if str(ignored).lower() == "true":
        return "", ""
    try:
        return _given(shared, scoped, os.environ)
    except (AttributeError, KeyError, TypeError):
        return "", ""


def _is_aws(url: str) -> bool:
    """Whether a URL is one of AWS's own services, by its host; ValueError if it is not a URL."""
    from urllib.parse import urlsplit  # 4 ms, only for a configured URL

    host = (urlsplit(url).hostname or "").rstrip(".")
    return host.endswith(tuple(f".{suffix}" for suffix in SUFFIXES))


def role_arn(shared: SharedConfig) -> Callable[[str], str]:
    """Return the check of a role's ARN (see limits): AWS's own rules hold for AWS alone."""
    return limits.any_role_arn if custom(shared) else limits.role_arn


def _has_proxy(environ: Mapping[str, str]) -> bool:
    names = (name.lower() for name, value in environ.items() if value)
    return any(name.endswith("_proxy") and name != "no_proxy" for name in names)


def _given(
    shared: SharedConfig, scoped: Mapping[str, Any], environ: Mapping[str, str]
) -> tuple[str, str]:
    """Return the configured endpoint URL, and where it is set, or ("", "")."""
    for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"):
        if environ.get(name):
            return environ[name], name
    if "services" in scoped:
        service = shared.full_config["services"][scoped["services"]].get("sts", {})
        if service.get("endpoint_url"):
            return str(service["endpoint_url"]), f"endpoint_url of [services {scoped['services']}]"
    found = str(scoped.get("endpoint_url") or "")
    return found, "the profile's endpoint_url" if found else ""
