"""A network of its own: a loopback interface, and nothing that leads anywhere else.

A thread lives there. What it starts lives there too: servers that it makes, processes.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from tests import needs

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
#: Of an interface: sets its address, its flags.
SIOCSIFADDR, SIOCSIFFLAGS = 0x8916, 0x8914
IFF_UP = 1


class Network:
    """The network, with these addresses on its loopback interface beside 127.0.0.1."""

    def __init__(self, *addresses: str) -> None:
        needs.demand("namespaces")
        self._thread = ThreadPoolExecutor(1)
        try:
            self.do(lambda: _move(addresses))
        except BaseException:
            self._thread.shutdown()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def do(self, work: Callable[[], T]) -> T:
        """Do the work there; return what it returns."""
        return self._thread.submit(work).result()


def _move(addresses: tuple[str, ...]) -> None:
    """Move this thread into a new network."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for number, address in enumerate(("127.0.0.1", *addresses)):
            name = b"lo" if not number else b"lo:%d" % number
            packed = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(any_socket, SIOCSIFADDR, packed)
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", name, IFF_UP))
