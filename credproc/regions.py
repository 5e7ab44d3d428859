"""AWS regions: their partitions, and the default region for STS."""

from __future__ import annotations

import functools

#: The default region for STS in each partition: the oldest.
HOME_REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-north-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
    "aws-eusc": "eusc-de-east-1",
}
#: Prefixes of the names of regions outside the partition aws.
PREFIXES = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
#: Regions that every account has, by area and number. All others must be enabled first.
DEFAULT_REGIONS = {
    "ap-northeast": "123",
    "ap-south": "1",
    "ap-southeast": "12",
    "ca-central": "1",
    "eu-central": "1",
    "eu-north": "1",
    "eu-west": "123",
    "sa-east": "1",
    "us-east": "12",
    "us-west": "12",
}


def home_region(role_arn: str) -> str:
    """Return the region for STS if none is configured, by the role's partition."""
    return HOME_REGIONS.get("".join(role_arn.split(":")[1:2]), "us-east-1")


def unknown(region: str) -> str:
    """Return that botocore does not know a region, with the nearest one that it knows, or "".

    This loads botocore's list of endpoints (20 ms).
    """
    import difflib

    if region in _known():
        return ""
    near = difflib.get_close_matches(region, _known(), 1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{region} is not a region that botocore knows{hint}"


@functools.cache
def _known() -> list[str]:
    from botocore.loaders import Loader

    partitions = Loader().load_data("endpoints")["partitions"]
    return [region for partition in partitions for region in partition["regions"]]


def partition(region: str) -> str:
    """Return the partition of a region, by its name.

    Old names of endpoints count as regions: aws-us-gov-global, fips-us-gov-west-1.
    """
    if region.endswith("-global"):
        return region.removesuffix("-global")
    region = region.removeprefix("fips-")
    for prefix, name in PREFIXES.items():
        if region.startswith(prefix):
            return name
    return "aws"


def must_be_enabled(region: str) -> bool:
    """Whether a region must be enabled before an account can use it."""
    area, _, number = region.rpartition("-")
    return (
        partition(region) == "aws"
        and number.isdecimal()
        and number not in DEFAULT_REGIONS.get(area, "")
    )
