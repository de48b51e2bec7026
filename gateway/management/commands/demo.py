"""`manage.py demo`: the whole gateway against a simulated school, with one chat to see it work."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from gateway.management import demo
from gateway.management.ports import free_port
from tokens.errors import ChromeMissing
from tokens.programs import find_programs

SCHOOL_PORT = 8001


class Command(BaseCommand):
    help = "Run gateway, workers and a simulated school with sample data; send one chat; go on until Ctrl-C."
    # The real installation's settings may be unfinished: the demo does not use them.
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="stop after the chat")
        parser.add_argument("--data-dir", type=Path, default=Path(settings.DATA_DIR) / "demo")
        parser.add_argument("--prepared", action="store_true", help=argparse.SUPPRESS)

    def handle(self, *, once: bool, data_dir: Path, prepared: bool, **options: Any) -> None:
        if not prepared:
            self._become_the_demo(data_dir.resolve())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        self._answered = False
        try:
            self._run(once=once)
        except KeyboardInterrupt:
            if once or not self._answered:
                raise CommandError("Stopped before the demo was through.") from None
        self._say("Stopped.")

    def _become_the_demo(self, data_dir: Path) -> None:
        """Start anew with the demo's environment: settings are read once, at the start."""
        port = self._port("gateway", settings.GATEWAY_PORT)
        simulator_port = self._port("simulated school", 0 if port == SCHOOL_PORT else SCHOOL_PORT)
        data_dir.mkdir(parents=True, exist_ok=True)
        os.chdir(settings.BASE_DIR)
        environment = demo.environment(data_dir, port=port, simulator_port=simulator_port)
        os.execve(sys.executable, [sys.executable, "manage.py", "demo", "--prepared", *sys.argv[2:]], environment)  # noqa: S606

    def _port(self, name: str, wanted: int) -> int:
        port = free_port(demo.HOST, wanted)
        if wanted and port != wanted:
            self._say(f"Port {wanted} is taken: the {name} listens on {port}.")
        return port

    def _run(self, *, once: bool) -> None:
        with demo.locked(Path(settings.DATA_DIR) / "lock") as lock:
            self._find_chrome()
            self._say(f"Preparing the demo's own database in {settings.DATA_DIR}…")
            call_command("migrate", verbosity=0)
            demo.make_admin()
            self._say("Starting the gateway, its workers and the simulated school…")
            with demo.supervised(demo.demo_programs(), lock=lock) as supervisor:
                self._show(supervisor)
                if not once:
                    self._stay(supervisor)
                self._say("Stopping…")

    def _find_chrome(self) -> None:
        """Before all that would have to be stopped again."""
        try:
            find_programs(chrome=settings.CHROME_BINARY or None, driver=settings.CHROMEDRIVER or None)
        except ChromeMissing as error:
            raise CommandError(error.message) from None

    def _show(self, supervisor: subprocess.Popen[bytes]) -> None:
        demo.wait_until_ready(supervisor)
        sample = demo.make_sample()
        self._say(f"Logging {sample.account.username} in with headless Chrome…")
        demo.log_in(sample.account, say=self._say)
        model = demo.first_model(sample.api_key)
        self._say(f"Asking {model}: {demo.QUESTION}")
        self._write("\n")
        demo.chat(sample.api_key, model, write=self._write)
        self._answered = True
        self._write("\n\n")
        demo.make_usage(sample.account.member)
        self._say(_summary(sample, model))

    def _stay(self, supervisor: subprocess.Popen[bytes]) -> None:
        self._say("Running until Ctrl-C.")
        try:
            supervisor.wait()
        except KeyboardInterrupt:
            self._say("Stopping…")
            raise
        raise CommandError(f"The supervisor has ended.\n{demo.log_tail('supervisor')}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _write(self, text: str) -> None:
        self.stdout.write(text, ending="")
        self.stdout.flush()


def _summary(sample: demo.Sample, model: str) -> str:
    base = demo.gateway_url()
    body = json.dumps(demo.chat_body(model))
    return f"""\
Dashboard         {base}/dashboard/
  member          {sample.account.member.username}, with made-up usage of the last 30 days
  member          {sample.asked_name}, whom the school asks for a captcha: open the live login and answer it
Administration    {base}/admin/
  admin           {sample.admin_name}
Password of all   {sample.password}
API base URL      {base}/v1
API key           {sample.api_key}
Simulated school  {settings.XIPU_PORTAL_URL}
Logs              {demo.logs_dir()}

Try it:
curl -N {base}/v1/chat/completions -H 'Authorization: Bearer {sample.api_key}' \\
  -H 'Content-Type: application/json' -d '{body}'
"""
