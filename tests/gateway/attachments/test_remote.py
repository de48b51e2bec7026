"""Remote images: only from the public internet, from the address that was checked, and never too much or too long."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.attachments.remote import PUBLIC_WEB, Address, Fetcher, is_public
from gateway.errors import InvalidRequest

PLACE = "messages[0].content[1]"
LOOPBACK = ip_address("127.0.0.1")
PICTURE = b"the bytes of a picture"


def ok(body: bytes = PICTURE, **headers: str) -> bytes:
    return answer("200 OK", body, **{"content_type": "image/png", **headers})


def moved(location: str, status: str = "302 Found") -> bytes:
    return answer(status, b"", location=location)


def answer(status: str, body: bytes, **headers: str) -> bytes:
    headers = {"content_length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}connection: close\r\n\r\n".encode() + body


@dataclass
class Site:
    """A web server on loopback that answers each path with fixed bytes. A path without an answer is never answered."""

    port: int = 0
    pages: dict[str, bytes] = field(default_factory=dict)
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            if page := self.pages.get(head.split()[1]):
                writer.write(page)
                await writer.drain()
                writer.close()
            else:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def url(self, path: str = "/a.png", host: str = "pictures.test", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


class Names:
    """A resolver with fixed answers, one list for each lookup of a name; the last list stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): lists for name, lists in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        lists = self.answers.get(host, [["127.0.0.1"]])
        return lists.pop(0) if len(lists) > 1 else lists[0]


async def started(site: Site, tls: ssl.SSLContext | None = None) -> asyncio.Server:
    server = await asyncio.start_server(site.serve, "127.0.0.1", site.port, ssl=tls)
    site.port = server.sockets[0].getsockname()[1]
    return server


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site(pages={"/a.png": ok()})
    async with await started(site):
        yield site


def near(site: Site, names: Names | None = None, **options: object) -> Fetcher:
    """A fetcher for which loopback is public, http will do, and every name leads to the site."""
    defaults = {"resolve": names or Names(), "is_allowed": loopback_is_public, "allow_http": True}
    return Fetcher(**{**defaults, "ports": frozenset({site.port}), **options})  # type: ignore[arg-type]


def loopback_is_public(address: Address) -> bool:
    return address == LOOPBACK or is_public(address)


async def refused(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        await fetcher.fetch(url, PLACE)
    assert (caught.value.param, caught.value.code) == (PLACE, "invalid_image_url")
    return caught.value.message


async def test_the_bytes_of_an_image_are_fetched(site: Site) -> None:
    assert await near(site).fetch(site.url(), PLACE) == PICTURE


async def test_the_request_names_the_host_and_nobody_else(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    await near(site).fetch(site.url("/a.png#part"), PLACE)
    [head] = site.heads
    assert head.startswith("GET /a.png HTTP/1.1\r\n")
    assert f"host: pictures.test:{site.port}\r\n" in head.lower()
    assert "cookie" not in head.lower()
    assert "authorization" not in head.lower()
    assert "python" not in head.lower()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "[::1]",
        "[::]",
        "0.0.0.0",
        "169.254.169.254",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.100.100.200",
        "168.63.129.16",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "224.0.0.1",
        "255.255.255.255",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "017700000001",
        "127.1",
        "127.0.0.1.",
        "127。0。0。1",
        "0177.0.0.1",
        "a..b",
        "a" * 70 + ".test",
    ],
)
async def test_the_default_reaches_no_private_address(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connected(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", connected)
    monkeypatch.setattr(httpx.AsyncClient, "stream", connected)
    await refused(PUBLIC_WEB, f"https://{host}/latest/meta-data")


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=6).filter(lambda address: int(address) >> 125 != 1))
def test_no_ipv6_address_outside_the_global_block_is_public(address: Address) -> None:
    assert not is_public(address)


async def test_a_name_with_one_private_address_among_public_ones_is_refused(site: Site) -> None:
    names = Names(mixed_test=[["127.0.0.1", "10.0.0.1"]])
    assert "public internet" in await refused(near(site, names), site.url(host="mixed.test"))
    assert site.heads == []


async def test_a_name_is_resolved_once_and_its_second_answer_never_used(site: Site) -> None:
    names = Names(pictures_test=[["127.0.0.1"], ["10.0.0.1"]])
    assert await near(site, names).fetch(site.url(), PLACE) == PICTURE
    assert names.asked == ["pictures.test"]


async def test_a_redirect_to_the_same_name_is_resolved_and_checked_anew(site: Site) -> None:
    site.pages["/moved"] = moved("/a.png")
    names = Names(pictures_test=[["127.0.0.1"], ["10.0.0.1"]])
    assert "public internet" in await refused(near(site, names), site.url("/moved"))
    assert len(site.heads) == 1


async def test_a_redirect_into_a_private_network_is_refused(site: Site) -> None:
    site.pages["/moved"] = moved(f"http://192.168.0.1:{site.port}/admin")
    names = Names(**{"192_168_0_1": [["192.168.0.1"]]})
    assert "public internet" in await refused(near(site, names), site.url("/moved"))


async def test_redirects_are_followed_relative_ones_too(site: Site) -> None:
    site.pages |= {"/1": moved("/2"), "/2": moved(site.url("/3", host="other.test")), "/3": moved("a.png")}
    assert await near(site).fetch(site.url("/1"), PLACE) == PICTURE
    assert "host: other.test" in site.heads[-1].lower()


async def test_a_cookie_of_a_redirect_is_not_sent_on(site: Site) -> None:
    site.pages["/moved"] = answer("302 Found", b"", location="/a.png", set_cookie="a=b")
    await near(site).fetch(site.url("/moved"), PLACE)
    assert "cookie" not in site.heads[-1].lower()


async def test_a_fourth_redirect_is_refused(site: Site) -> None:
    site.pages["/round"] = moved("/round")
    assert "more than 3 times" in await refused(near(site), site.url("/round"))
    assert len(site.heads) == 4


@pytest.mark.parametrize("location", ["", "http://[", "https:///x", "ftp://pictures.test/", "//me@pictures.test/a"])
async def test_a_redirect_to_what_is_no_web_address_is_refused(site: Site, location: str) -> None:
    site.pages["/moved"] = moved(location)
    await refused(near(site), site.url("/moved"))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "ftp://example.com/a.png",
        "file:///etc/passwd",
        "https://user:password@example.com/a.png",
        "https://example.com:22/a.png",
        "https://example.com:0/a.png",
        "https://",
        "https:///a.png",
        "https://./",
        "https://exa\nmple.com/",
        "https://example.com/" + "a" * 70_000,
        "//example.com/a.png",
        "",
    ],
)
async def test_what_is_not_plainly_https_is_not_even_looked_up(url: str) -> None:
    names = Names()
    await refused(Fetcher(resolve=names), url)
    assert names.asked == []


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60) | st.text(max_size=40).map("https://".__add__))
@example("https://xn--/")
@example("https://%31%32%37.0.0.1/")
async def test_any_text_for_a_url_is_refused_in_order(url: str) -> None:
    await refused(Fetcher(resolve=Names()), url)


async def test_a_message_names_the_host_and_no_more_of_the_url(site: Site) -> None:
    site.pages["/path?signature=secret"] = answer("404 Not Found", b"")
    message = await refused(near(site), site.url("/path?signature=secret"))
    assert "'pictures.test'" in message
    assert "path" not in message
    assert "secret" not in message


async def test_a_host_that_is_not_known_is_named(site: Site) -> None:
    names = Names(pictures_test=[[]])
    assert "not known" in await refused(near(site, names), site.url())


async def test_an_address_that_does_not_answer_gives_way_to_the_next(site: Site) -> None:
    names = Names(pictures_test=[["127.0.0.2", "127.0.0.1"]])
    fetcher = near(site, names, is_allowed=lambda address: address.is_loopback)
    assert await fetcher.fetch(site.url(), PLACE) == PICTURE


async def test_no_connection_is_told(site: Site) -> None:
    names = Names(pictures_test=[["127.0.0.2"]])
    fetcher = near(site, names, is_allowed=lambda address: address.is_loopback)
    assert "no connection" in await refused(fetcher, site.url())


async def test_a_server_that_does_not_answer_ends_with_the_time_limit(site: Site) -> None:
    assert "longer than 0.2 seconds" in await refused(near(site, seconds=0.2), site.url("/never"))


async def test_an_announced_size_over_the_limit_is_refused(site: Site) -> None:
    site.pages["/a.png"] = ok(content_length="1000")
    assert "larger than 100 bytes" in await refused(near(site, max_bytes=100), site.url())


async def test_a_size_that_was_not_announced_is_counted(site: Site) -> None:
    site.pages["/a.png"] = ok(b"a" * 101).replace(b"content-length: 101\r\n", b"")
    assert "larger than 100 bytes" in await refused(near(site, max_bytes=100), site.url())


async def test_an_image_of_exactly_the_limit_is_taken(site: Site) -> None:
    assert await near(site, max_bytes=len(PICTURE)).fetch(site.url(), PLACE) == PICTURE


@pytest.mark.parametrize(
    "page",
    [
        ok(content_type="text/html"),
        ok(content_encoding="gzip"),
        answer("404 Not Found", b"", content_type="image/png"),
        answer("204 No Content", b""),
        ok(content_length="1000"),
        b"SSH-2.0-server\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000,
    ],
)
async def test_an_answer_that_is_no_image_is_refused(site: Site, page: bytes) -> None:
    site.pages["/a.png"] = page
    await refused(near(site), site.url())


@pytest.mark.parametrize("content_type", ["image/webp; q=1", "IMAGE/PNG", "application/octet-stream", ""])
async def test_the_bytes_decide_where_the_server_does_not_say(site: Site, content_type: str) -> None:
    site.pages["/a.png"] = ok(content_type=content_type)
    assert await near(site).fetch(site.url(), PLACE) == PICTURE


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for pictures.test that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pictures.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("pictures.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "site.pem"
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(encoding))
    return file


@pytest.fixture
async def secure_site(certificate: Path) -> AsyncIterator[tuple[Site, ssl.SSLContext]]:
    """A site with that certificate, and the context of a client that trusts it."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    site = Site(pages={"/a.png": ok()})
    async with await started(site, tls):
        yield site, ssl.create_default_context(cafile=certificate)


async def test_a_pinned_connection_checks_the_certificate_by_the_name(
    secure_site: tuple[Site, ssl.SSLContext],
) -> None:
    site, tls = secure_site
    fetcher = near(site, tls=tls, allow_http=False)
    assert await fetcher.fetch(site.url(host="pictures.test.", scheme="https"), PLACE) == PICTURE


@pytest.mark.parametrize("host", ["other.test", "127.0.0.1"])
async def test_a_certificate_for_another_name_is_refused(secure_site: tuple[Site, ssl.SSLContext], host: str) -> None:
    site, tls = secure_site
    assert "certificate" in await refused(near(site, tls=tls), site.url(host=host, scheme="https"))
    assert site.heads == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(secure_site: tuple[Site, ssl.SSLContext]) -> None:
    site, _ = secure_site
    assert "certificate" in await refused(near(site), site.url(scheme="https"))


async def test_a_redirect_from_https_to_http_is_refused(secure_site: tuple[Site, ssl.SSLContext]) -> None:
    site, tls = secure_site
    site.pages["/moved"] = moved(site.url("/a.png", scheme="http"))
    assert "not https" in await refused(near(site, tls=tls), site.url("/moved", scheme="https"))
