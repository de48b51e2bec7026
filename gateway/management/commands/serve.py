"""`manage.py serve`: the web process."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from gateway import page_files, web_address
from gateway.management import first_admin


class Command(BaseCommand):
    help = "Serve the API and the pages until SIGTERM; running answers get time to end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=settings.GATEWAY_HOST)
        parser.add_argument("--port", type=int, default=settings.GATEWAY_PORT, help="0 takes a free one")

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        # The event loop's kind is set when this module is imported: not before it is wanted.
        from gateway.server import serve

        # Made before the loop runs, which has no place for waiting on the database.
        secret = first_admin.fresh_secret()
        connection.close()

        def listening(real_port: int) -> None:
            web_address.listening_at(host, real_port)
            self.stdout.write(f"gateway ready on http://{host}:{real_port}/")
            if not page_files.are_collected():
                self.stdout.write(page_files.NOT_COLLECTED)
            if secret:
                self.stdout.write(first_admin.words(secret, host, real_port))
            self.stdout.flush()

        from gateway.api import service
        from gateway.asgi import application

        serve(
            application,
            host=host,
            port=port,
            max_body_bytes=settings.MAX_BODY_BYTES,
            drain_seconds=settings.DRAIN_SECONDS,
            lifespan=service.running,
            on_listening=listening,
        )
