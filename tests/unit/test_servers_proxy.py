"""The proxy makes tunnels, for whoever may."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.servers import tls
from tests.servers.proxy import Proxy
from tests.servers.sts import StsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[StsServer, ssl.SSLContext]]:
    made = tls.make(tmp_path)
    with StsServer(tls=made.server) as server:
        yield server, ssl.create_default_context(cafile=made.ca)


def get(url: str, proxy: str, context: ssl.SSLContext) -> str:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": proxy, "http": proxy}),
        urllib.request.HTTPSHandler(context=context),
    )
    with opener.open(f"{url}/?Action=GetCallerIdentity", timeout=10) as response:
        return str(response.read())


def test_tunnel_leads_to_the_target(secured: tuple[StsServer, ssl.SSLContext]) -> None:
    server, context = secured
    with Proxy() as proxy:
        with pytest.raises(urllib.error.HTTPError, match="403"):  # it is not signed
            get(server.url, proxy.url, context)
        assert proxy.targets == [f"127.0.0.1:{server.port}"]
        assert server.count("GetCallerIdentity") == 1


def test_proxy_with_a_user_wants_the_password(
    secured: tuple[StsServer, ssl.SSLContext],
) -> None:
    server, context = secured
    with Proxy(user="joe:secret") as proxy:
        with pytest.raises(OSError, match="407"):
            get(server.url, proxy.url, context)
        assert server.count() == 0
        with pytest.raises(urllib.error.HTTPError, match="403"):
            get(server.url, proxy.url.replace("//", "//joe:secret@"), context)
        assert server.count() == 1


def test_nothing_else_is_done(secured: tuple[StsServer, ssl.SSLContext]) -> None:
    with Proxy() as proxy, pytest.raises(urllib.error.HTTPError, match="501"):
        get("http://sts.example", proxy.url, secured[1])


def test_target_that_is_not_there_is_told(secured: tuple[StsServer, ssl.SSLContext]) -> None:
    with Proxy() as proxy, pytest.raises(OSError, match="502"):
        get("https://127.0.0.1:1", proxy.url, secured[1])
