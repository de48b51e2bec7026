"""`python -m simulator`: read the arguments and serve."""

from __future__ import annotations

import argparse

from simulator.addresses import Addresses
from simulator.server import listen, serve
from simulator.settings import Settings
from simulator.state import School

DEFAULT_USER = ("San.Zhang24", "demo-password")


def _user(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not (name and colon and password):
        raise argparse.ArgumentTypeError("expected NAME:PASSWORD")
    return name, password


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="simulator", description="A stand-in for the school.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--interval", type=float, default=1.0, help="least seconds between a user's calls")
    parser.add_argument("--user", type=_user, action="append", metavar="NAME:PASSWORD", help="may be repeated")
    parser.add_argument("--verbose", action="store_true", help="log each request")
    return parser.parse_args()


def main() -> None:
    """Start the simulator."""
    arguments = _arguments()
    sockets = listen(arguments.host, arguments.port)
    addresses = Addresses(sockets[0].getsockname()[1])
    users = arguments.user or [DEFAULT_USER]
    school = School(addresses, users, Settings(interval=arguments.interval))
    serve(school, sockets, verbose=arguments.verbose)


if __name__ == "__main__":
    main()
