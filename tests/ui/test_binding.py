"""Where the screen listens: this machine alone, unless a person has seen to encryption."""

from __future__ import annotations

import pytest

from litehedge.errors import UsageError
from litehedge.ui.binding import bound


@pytest.fixture
def pem(tmp_path):
    file = tmp_path / "x.pem"
    file.write_text("a certificate")
    return file


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.9"])
def test_this_machine_alone_needs_nothing(host):
    assert not bound(host).is_encrypted


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "100.64.0.1", "8.8.8.8"])
def test_anything_else_needs_encryption_and_says_how(host, pem):
    with pytest.raises(UsageError, match=r"tunnel.*--cert.*--behind-proxy"):
        bound(host)
    assert bound(host, cert=pem, key=pem).scheme == "https"
    assert bound(host, behind_proxy=True).scheme == "https"


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_ports_that_are_none(port):
    with pytest.raises(UsageError, match="no port"):
        bound(port=port)


def test_half_a_certificate_is_none(pem, tmp_path):
    with pytest.raises(UsageError, match="together"):
        bound(cert=pem)
    with pytest.raises(UsageError, match="no file"):
        bound(cert=pem, key=tmp_path / "missing")


@pytest.mark.parametrize("name", ["", "a b", "evil.example/x", "-a", "a..b", "a" * 64, "http://a"])
def test_names_that_are_none(name):
    with pytest.raises(UsageError, match="no name"):
        bound(names=[name])
    with pytest.raises(UsageError, match="no address"):
        bound("ltc.example.org")


def test_behind_a_proxy_the_port_is_the_proxy_s():
    binding = bound(names=["LTC.example.org"], behind_proxy=True)
    assert binding.url == "https://ltc.example.org"
    for host in ("ltc.example.org", "ltc.example.org:443", "LTC.example.org:8443"):
        assert binding.is_called(host)
    assert not binding.is_called("evil.example.org")


def test_with_a_certificate_of_its_own_the_port_counts(pem):
    binding = bound("0.0.0.0", 443, names=["ltc.example.org"], cert=pem, key=pem)
    assert binding.is_called("ltc.example.org")
    assert binding.is_called("ltc.example.org:443")
    assert not binding.is_called("ltc.example.org:8443")
    assert not binding.is_called("0.0.0.0")
