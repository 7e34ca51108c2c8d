"""Where a webhook may go: an address is looked up once, checked, and that very address is connected to.

A name that is checked and then looked up again could answer differently the second time (DNS rebinding), and Python's
`is_global` says yes to IPv6 forms that carry a private IPv4 address inside.
"""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from models.domain.errors import ConfigurationError, RetryableError

Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], list[Address]]

_CARRIES_IPV4 = tuple(IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
"""NAT64 (RFC 6052, RFC 8215), 6to4 (RFC 3056) and Teredo (RFC 4380)."""


def look_up(host: str, port: int) -> list[Address]:
    """All addresses of a name.

    Raises:
        RetryableError: it has none now.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RetryableError("name does not resolve", where=host, got=str(error), code="webhook-unreachable") from error
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def safe_address(host: str, port: int, *, private: bool, lookup: Lookup = look_up) -> Address:
    """The address to connect to.

    Args:
        host: name or address.
        port: for the look-up.
        private: True allows addresses inside the plant and on this machine.
        lookup: replaced in tests.

    Raises:
        ConfigurationError: one of its addresses is not public and `private` is False.
        RetryableError: the name has no address now.
    """
    addresses = lookup(host, port)
    refused = [address for address in addresses if not (private or is_public(address))]
    if refused or not addresses:
        raise ConfigurationError(
            "webhook leads to an address that is not public",
            where=host,
            got=", ".join(map(str, refused)) or "no address",
            remedy="set WAFERWATCH_WEBHOOK_PRIVATE=true if the receiver is inside the plant",
            code="webhook-address",
        )
    return addresses[0]


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could be there; multicast and addresses that carry another are not."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in net for net in _CARRIES_IPV4):
            return False
    return address.is_global and not address.is_multicast
