"""Serve a folder's page, and look at its first film, where there is no network but this machine: started by a test.

A program of its own, since what is started in a network namespace stays in it.
"""

import array
import fcntl
import socket
import sys
from pathlib import Path

from browsing import DESKTOP, Tab, choose, launched, see_slider, served

_SIOCSIFFLAGS, _UP = 0x8914, 0x1


def bring_loopback_up() -> None:
    """A new namespace has its own, which is down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = array.array("B", b"lo".ljust(16, b"\0") + _UP.to_bytes(2, sys.byteorder) + bytes(14))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, request)


def cut_off() -> bool:
    """Whether the outside cannot be reached, as is meant."""
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=1).close()
    except OSError:
        return True
    return False


def main(folder: Path) -> None:
    """Look at its first film."""
    bring_loopback_up()
    assert cut_off()
    with served(folder) as page, launched() as chromium:
        tab = Tab.opened(chromium, page, DESKTOP)
        choose(tab.made, "clip.mp4")
        see_slider(tab.made)
        assert tab.elsewhere == tab.missing == []
    print("the first film was looked at")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
