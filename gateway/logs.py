"""Logs on standard error: text for people, or one JSON object a line. Never a secret, a prompt or an answer.

Values reach a log line only as named fields of an event; exceptions are logged with type and stack, without their
message where it may hold what a member wrote.
"""

from __future__ import annotations

import logging.config
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRETS = re.compile(
    r"xg-[0-9a-f]{6,}-[0-9a-f]+|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?i:bearer )\S+"
    r"|(?<=/invitation/)[\w-]{20,}|(?<=/first-admin/)[\w-]{20,}|(?<=/password-reset/)[\w-]+/[\w-]+"
)
"""API keys, JWTs, bearer headers, and the secrets of one-time links: the last net, should one ever get into a line."""


def configure(config: dict[str, Any]) -> None:
    """Django's LOGGING_CONFIG: `{"format": "text" | "json", "level": name}`."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_messages,
        redact,
    ]
    last = (
        structlog.processors.JSONRenderer()
        if config["format"] == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "one": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "one"}},
            "root": {"handlers": ["stderr"], "level": config["level"]},
            # These print addresses, headers or typed keys when they talk much.
            "loggers": {
                name: {"level": "WARNING"}
                for name in ("httpx", "httpcore", "selenium", "urllib3", "asyncio", "kombu", "PIL")
            },
        }
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def without_messages(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Of an exception its type and where it came from: what it says may be what a member wrote."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"], event["stack"] = type(error).__name__, stack(error)
    return event


def stack(error: BaseException) -> str:
    """The innermost call first."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank whatever looks like a key or a token in the texts of an event."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = SECRETS.sub("[secret]", value)
    return event
