"""Trust policies, as they are written and as they are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from credproc.ctl import iam


def statement(**fields: Any) -> dict[str, Any]:
    """Return a policy of one statement that lets EC2 in, with other fields."""
    default = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    whole = {key: value for key, value in {**default, **fields}.items() if value is not None}
    return {"Version": "2012-10-17", "Statement": [whole]}


@pytest.mark.parametrize(
    ("policy", "may", "others"),
    [
        (statement(), True, []),
        (statement(Principal={"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}), True,
         ["lambda.amazonaws.com"]),
        (statement(Principal={"Service": "ec2.amazonaws.com.cn"}), True, []),
        (statement(Action=["sts:TagSession", "sts:AssumeRole"]), True, []),
        (statement(Action="sts:*"), True, []),
        (statement(Action="*"), True, []),
        (statement(Action="STS:assumerole"), True, []),
        (statement(Action="sts:Assume*"), True, []),
        (statement(Action="sts:AssumeRol?"), True, []),
        (statement(Action="sts:TagSession"), False, []),
        (statement(Action="sts:AssumeRoleWithWebIdentity",
                   Principal={"Federated": "arn:aws:iam::123456789012:oidc-provider/ci.example"}),
         False, ["arn:aws:iam::123456789012:oidc-provider/ci.example"]),
        (statement(Action="sts:AssumeRoleWithSAML",
                   Principal={"Federated": "arn:aws:iam::123456789012:saml-provider/adfs"}),
         False, ["arn:aws:iam::123456789012:saml-provider/adfs"]),
        (statement(Effect="Deny"), False, []),
        (statement(Principal={"AWS": "arn:aws:iam::123456789012:root"}), False,
         ["arn:aws:iam::123456789012:root"]),
        (statement(Principal="*"), False, ["*"]),
        (statement(Action=None, NotAction="iam:*", Principal={"AWS": "*"}), False, ["*"]),
        (statement(Action=None, NotAction=["sts:AssumeRole", "s3:*"], Principal={"AWS": "*"}),
         False, ["*"]),
        (statement(Action=None, NotAction="sts:*", Principal={"AWS": "*"}), False, []),
        (statement(NotPrincipal={"AWS": "arn:aws:iam::123456789012:root"}), True,
         ["everyone except those in NotPrincipal"]),
        ({"Version": "2012-10-17", "Statement": statement()["Statement"][0]}, True, []),
        ({"Version": "2012-10-17", "Statement": []}, False, []),
        ({}, False, []),
        (None, False, []),
    ],
)  # fmt: skip
def test_who_may_assume_a_role(policy: Any, may: bool, others: list[str]) -> None:
    assert iam.ec2_may_assume(policy) == may
    assert iam.others(policy) == others


@pytest.mark.parametrize(
    ("partition", "service"),
    [("aws", "ec2.amazonaws.com"), ("aws-us-gov", "ec2.amazonaws.com"),
     ("aws-cn", "ec2.amazonaws.com.cn")],
)  # fmt: skip
def test_written_policy_allows_ec2_and_no_one_else(partition: str, service: str) -> None:
    policy = json.loads(iam.trust(partition))

    assert policy["Statement"][0]["Principal"] == {"Service": service}
    assert iam.ec2_may_assume(policy)
    assert iam.others(policy) == []
