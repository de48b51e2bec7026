"""Images that a member names by URL, fetched with no way into private networks.

A name is resolved once, every address it has must be public, and the connection goes to one of those addresses: a
second answer of the name's server (DNS rebinding) is never asked for. The `Host` header and the check of the
certificate still use the name. Each redirect is a new URL, and goes through all of it again.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx

from gateway.errors import InvalidRequest

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[str]]]

FETCH_SECONDS = 15.0
"""For one image from its first name lookup to its last byte, redirects included."""
CONNECT_SECONDS = 5.0
MAX_BYTES = 20 * 1024 * 1024
MAX_REDIRECTS = 3
MAX_ADDRESSES = 3
"""So many of a host's addresses are tried. All of them are checked."""
REDIRECTS = {301, 302, 303, 307, 308}
HEADERS = {"user-agent": "Mozilla/5.0 (compatible)", "accept": "image/*", "accept-encoding": "identity"}

GLOBAL_IPV6 = ip_network("2000::/3")
"""All of IPv6 that is given out. IPv4-mapped, NAT64, local and multicast addresses lie outside it."""
NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # 6to4 relays
            "224.0.0.0/4",  # multicast
            "168.63.129.16/32",  # a cloud's metadata service on a public address
            "2001::/23",  # Teredo and other protocol assignments
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: an IPv4 address inside
            "3fff::/20",  # documentation
        ),
    )
)
"""Beyond what `is_global` refuses, which differs among releases of Python."""


class _Refused(Exception):
    """Why an image is not fetched, for the member."""


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet, and to a single machine there."""
    if isinstance(address, IPv6Address) and address not in GLOBAL_IPV6:
        return False
    return address.is_global and not any(address in network for network in NOT_PUBLIC)


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, those that suit this machine first. Raises `OSError`, `UnicodeError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


@dataclass(frozen=True)
class Fetcher:
    """How images are fetched. The defaults are the safe ones; `allow_http`, `is_allowed`, … are for tests.

    Only port 443 by default: the gateway's own machine answers on its public addresses on ports that a firewall hides.
    """

    resolve: Resolve = resolve
    is_allowed: Callable[[Address], bool] = is_public
    allow_http: bool = False
    ports: frozenset[int] = frozenset({443})
    tls: ssl.SSLContext | None = None
    seconds: float = FETCH_SECONDS
    max_bytes: int = MAX_BYTES

    async def fetch(self, url: str, param: str) -> bytes:
        """What stands at `url`, unchecked. Raises `InvalidRequest` that names `param` and of the URL its host alone."""
        try:
            async with asyncio.timeout(self.seconds):
                return await self._follow(_parsed(url))
        except TimeoutError:
            reason = f"its server took longer than {self.seconds:g} seconds"
        except _Refused as refused:
            reason = str(refused)
        raise InvalidRequest(
            f"The image{_at(url)} cannot be fetched: {reason}. "
            "Use an https URL that anyone on the internet can open, or send the image as a data URL.",
            param=param,
            code="invalid_image_url",
        )

    async def _follow(self, url: httpx.URL) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._get(url)
            if isinstance(answer, bytes):
                return answer
            if url.scheme == "https" and answer.scheme != "https":
                raise _Refused("it redirects from https to a URL that is not https")
            url = answer
        raise _Refused(f"it redirects more than {MAX_REDIRECTS} times")

    async def _get(self, url: httpx.URL) -> bytes | httpx.URL:
        """The body, or where the server says that it is."""
        for address in await self._addresses(url):
            try:
                async with self._answer(url, address) as response:
                    if response.status_code in REDIRECTS:
                        return _redirected(url, response)
                    return await self._body(response)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
            except (httpx.HTTPError, OSError):
                raise _Refused("its server broke off, or does not speak HTTP") from None
        raise _Refused("there is no connection to its server, or its certificate is not valid")

    async def _addresses(self, url: httpx.URL) -> list[Address]:
        """The addresses to connect to, in order. Every address of the host was checked."""
        port = self._port(url)
        try:
            found = await self.resolve(_host(url), port)
            addresses = [ip_address(address) for address in dict.fromkeys(found)]
        except (OSError, ValueError):
            addresses = []
        if not addresses:
            raise _Refused("its host is not known")
        if not all(map(self.is_allowed, addresses)):
            raise _Refused("its host is not on the public internet")
        return addresses[:MAX_ADDRESSES]

    def _port(self, url: httpx.URL) -> int:
        if url.scheme != "https" and not (self.allow_http and url.scheme == "http"):
            raise _Refused("its URL is not https")
        if url.userinfo:
            raise _Refused("its URL holds a user name")
        port = url.port if url.port is not None else 443 if url.scheme == "https" else 80
        if port not in self.ports:
            raise _Refused("its URL names a port other than 443")
        return port

    @asynccontextmanager
    async def _answer(self, url: httpx.URL, address: Address) -> AsyncIterator[httpx.Response]:
        """The head of the answer. A client for each: what it keeps (connections, cookies) is nobody else's."""
        async with httpx.AsyncClient(
            verify=self.tls or _tls(),
            timeout=httpx.Timeout(self.seconds, connect=CONNECT_SECONDS),
            follow_redirects=False,
            trust_env=False,
        ) as http:
            async with http.stream(
                "GET",
                url.copy_with(host=str(address)),
                headers={**HEADERS, "host": url.netloc.decode("ascii")},
                extensions={"sni_hostname": _host(url)},
            ) as response:
                yield response

    async def _body(self, response: httpx.Response) -> bytes:
        """Counted as it comes and never decompressed, so that what is small on the wire stays small in memory."""
        if response.status_code != 200:
            raise _Refused(f"its server answers with status {response.status_code}")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise _Refused("its server answers in a compressed form that was not asked for")
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not media_type.startswith("image/") and media_type not in ("application/octet-stream", ""):
            raise _Refused("its server does not call it an image")
        if _announced(response) > self.max_bytes:
            raise self._too_large()
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self.max_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> _Refused:
        return _Refused(f"it is larger than {self.max_bytes:,} bytes")


PUBLIC_WEB = Fetcher()


def _parsed(url: str | httpx.URL, base: httpx.URL | None = None) -> httpx.URL:
    try:
        parsed = base.join(url) if base else httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise _Refused("its URL is not valid") from None
    if not _host(parsed):
        raise _Refused("its URL names no host")
    return parsed


def _redirected(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    if not (location := response.headers.get("location")):
        raise _Refused("it redirects to nowhere")
    return _parsed(location, base=url)


def _host(url: httpx.URL) -> str:
    """In ASCII, and without a last dot, which no certificate has."""
    return url.raw_host.decode("ascii").removesuffix(".")


def _at(url: str) -> str:
    try:
        return f" at '{_host(_parsed(url))[:100]}'"
    except _Refused:
        return ""


def _announced(response: httpx.Response) -> int:
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0


@cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificate authorities takes tens of milliseconds."""
    return httpx.create_ssl_context(trust_env=False)
