"""`manage.py run`: the whole gateway under one supervisor."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from gateway.management.ports import is_free
from gateway.management.processes import gateway_programs, supervisor_command, write_configuration


class Command(BaseCommand):
    help = "Run web process, workers and schedule until Ctrl-C or SIGTERM; what crashes is started again."

    def handle(self, **options: Any) -> None:
        host, port = settings.GATEWAY_HOST, settings.GATEWAY_PORT
        if not is_free(host, port):
            raise CommandError(f"Cannot listen on {host}:{port}. Is the gateway running? Else set GATEWAY_PORT.")
        call_command("migrate", verbosity=0)
        command = supervisor_command(write_configuration(gateway_programs()))
        os.chdir(settings.BASE_DIR)
        os.execv(command[0], command)  # noqa: S606  the supervisor takes this process's place, signals included
