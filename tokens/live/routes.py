"""How a live login's Chrome gets to the allowed places, and to no other: switches for its start.

Without a proxy Chrome finds hosts itself, and is told to find no other. A proxy of the environment would find any host
for it: there a script says for each request whether it goes to the proxy at all.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.request import getproxies_environment, proxy_bypass

from tokens.live.places import Place, place_of

SCRIPT = Path(__file__).with_name("routes.js").read_text(encoding="utf-8")
DIRECT = "DIRECT"
PROXY_KINDS = {"http": "PROXY", "https": "HTTPS", "socks4": "SOCKS"}
SOCKS_PORT = 1080

# Its packets would pass by names and proxies alike. The second is the switch's name in older Chromes.
NO_UDP = [
    f"--{name}=disable_non_proxied_udp" for name in ("webrtc-ip-handling-policy", "force-webrtc-ip-handling-policy")
]


def switches(places: Sequence[Place]) -> list[str]:
    """Chrome's arguments that hold it to these places, in the environment's network."""
    proxies = dict(_proxies(places))
    rules = f"--host-resolver-rules={resolver_rules([*places, *proxies.values()])}"
    if not proxies:
        return [rules, "--no-proxy-server", *NO_UDP]
    return [rules, f"--proxy-pac-url={_as_url(route_script(places, proxies))}", *NO_UDP]


def resolver_rules(places: Sequence[Place]) -> str:
    """No other name, and no other address, leads anywhere. Only whole names can be held to their port."""
    rules = (
        f"EXCLUDE {place.host}" if "*" in place.host else "MAP {0} {0}".format(f"{place.host}:{place.port}")
        for place in places
    )
    return ", ".join([*dict.fromkeys(rules), "MAP * ~NOTFOUND"])


def route_script(places: Sequence[Place], proxies: dict[Place, Place]) -> str:
    """A proxy auto-configuration script."""
    routes = [[place.scheme, place.host, place.port, _route(proxies.get(place))] for place in places]
    return f"const routes = {json.dumps(routes)};\n{SCRIPT}"


def _proxies(places: Sequence[Place]) -> Iterator[tuple[Place, Place]]:
    """The places that the environment reaches through a proxy, and through which. Its `scheme` is the proxy's kind."""
    named = getproxies_environment()
    for place in places:
        address = named.get(place.scheme) or named.get("all")
        if address and not proxy_bypass(place.host.replace("*", "any")):
            yield place, _proxy(address)


def _proxy(address: str) -> Place:
    proxy = place_of(address if "://" in address else f"http://{address}")
    return replace(proxy, scheme=PROXY_KINDS.get(proxy.scheme, "SOCKS5"), port=proxy.port or SOCKS_PORT)


def _route(proxy: Place | None) -> str:
    return f"{proxy.scheme} {proxy.host}:{proxy.port}" if proxy else DIRECT


def _as_url(script: str) -> str:
    return f"data:application/x-ns-proxy-autoconfig;base64,{base64.b64encode(script.encode()).decode()}"
