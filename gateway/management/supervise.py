"""supervisord, which stops when its terminal is closed. It loads no Django: it stays small."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys

from supervisor.options import ServerOptions
from supervisor.supervisord import go


class Options(ServerOptions):  # type: ignore[misc]  # supervisor is untyped
    test = False

    def setsignals(self) -> None:
        """supervisord takes the end of its terminal for a request to start everything anew."""
        super().setsignals()
        signal.signal(signal.SIGHUP, lambda _number, frame: self.signal_receiver.receive(signal.SIGTERM, frame))


def main() -> None:
    _prepare_output()
    options = Options()
    options.realize(sys.argv[1:])
    options.first = True
    go(options)


def _prepare_output() -> None:
    """Programs' output goes to /dev/fd/1, opened once more for each of them.

    That cannot be done with a socket, as it is under systemd; and in a file each would write over the others' lines.
    """
    fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)
    if stat.S_ISSOCK(os.fstat(1).st_mode):
        relay = subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True)  # noqa: S607
        assert relay.stdin is not None
        os.dup2(relay.stdin.fileno(), 1)


if __name__ == "__main__":
    main()
