"""Where webhooks may go."""

from ipaddress import ip_address

import pytest

from models.domain.errors import ConfigurationError
from services.alerting.channels.addresses import is_public, look_up, safe_address


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_that_are_not_anybodys(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_on_the_internet(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.1", "::1"])
def test_disguises_of_this_machine_are_seen_through(host: str) -> None:
    with pytest.raises(ConfigurationError, match="not public"):
        safe_address(host, 80, private=False)


def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    both = [ip_address("8.8.8.8"), ip_address("10.0.0.1")]
    with pytest.raises(ConfigurationError, match=r"10\.0\.0\.1"):
        safe_address("both", 80, private=False, lookup=lambda *_: both)
    assert safe_address("both", 80, private=True, lookup=lambda *_: both) == both[0]


def test_this_machine_resolves() -> None:
    assert {address.is_loopback for address in look_up("localhost", 80)} == {True}
