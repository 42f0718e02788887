"""The names and addresses this box goes by in its room. Read afresh each time: an address changes without notice."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from pathlib import Path

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_IPV4_TABLE = Path("/proc/net/fib_trie")
_IPV6_TABLE = Path("/proc/net/if_inet6")
# a documentation address: no packet is sent, the kernel only says which of our addresses it would come from
_ELSEWHERE = ("192.0.2.1", 9)


def addresses() -> list[Address]:
    """This machine's addresses that a tablet could reach, the one of its main network first."""
    found: set[Address] = {one for one in (*_ipv4(), *_ipv6()) if not (one.is_loopback or one.is_link_local)}
    first = _main()
    return sorted(found, key=lambda one: (one != first, one.version, one.packed))


def names(extra: Sequence[str] = ()) -> list[str]:
    """The host name, its `.local` form and the names of `extra`, without addresses and doubles, in lower case."""
    host = socket.gethostname().lower().partition(".")[0]
    wanted = [host, f"{host}.local", socket.gethostname().lower(), *(name.strip().lower() for name in extra)]
    return list(dict.fromkeys(name for name in wanted if name and parse_address(name) is None))


def parse_address(text: str) -> Address | None:
    """`text` as an address (in brackets too), or None when it is a name."""
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def host_in_url(host: str | Address) -> str:
    """A name or address as it stands in a URL."""
    text = str(host)
    return f"[{text}]" if ":" in text else text


def _ipv4() -> list[Address]:
    """Addresses the kernel's routing table calls our own."""
    try:
        table = _IPV4_TABLE.read_text()
    except OSError:
        main = _main()
        return [main] if main else []
    own = re.findall(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL", table)
    return [ipaddress.IPv4Address(one) for one in own]


def _ipv6() -> list[Address]:
    try:
        lines = _IPV6_TABLE.read_text().splitlines()
    except OSError:
        return []
    rows = [line.split() for line in lines if line]
    # temporary, deprecated and tentative ones come and go; one of the whole Internet is nobody's in this room
    lasting = [ipaddress.IPv6Address(bytes.fromhex(row[0])) for row in rows if not int(row[4], 16) & 0x61]
    return [one for one in lasting if not one.is_global]


def _main() -> Address | None:
    """The address of the default route's network; None without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return None
        main = ipaddress.ip_address(probe.getsockname()[0])
    return None if main.is_loopback or main.is_unspecified else main
