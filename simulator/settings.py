"""The settings of the simulated school, changed while it runs through `POST /_sim/settings`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Generation = Literal["2025", "2026"]
Check = Literal["none", "second_factor", "slider", "image_code", "blank"]


class Settings(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """All settings with their defaults. Durations are seconds unless the name says otherwise."""

    sign_on: Generation = "2026"
    wire: Generation = "2026"
    language: Literal["en", "zh"] = "en"
    element_delay_ms: int = 150
    token_storage: Literal["json", "packed", "none"] = "json"
    page_calls_api: bool = True
    check: Check = "none"
    sign_on_session_seconds: float = 8 * 3600.0
    sign_on_waits: bool = False

    token_lifetime_seconds: float = 7200.0
    single_token: bool = False
    idle_seconds: float | None = None
    token_dead_shape: Literal["http", "code", "http500", "html", "event"] = "http"
    token_dead_status: Literal[401, 403] = 401

    interval: float = 1.0
    tolerance: float = 0.05
    too_fast_shape: Literal["code", "http", "event"] = "code"
    too_fast_misleading: bool = False

    max_sessions: int = 50
    delete_grace_seconds: float = 1.5
    string_codes: bool = False
    upload_key: Literal["url", "file_url"] = "url"
    frames: Literal["lf", "crlf", "multiline", "comments"] = "lf"
    filter_shape: Literal["done", "summary"] = "done"
    pieces_per_write: int = 16

    def changed(self, changes: dict[str, Any]) -> Settings:
        """Return the settings with `changes`; msgspec.ValidationError for an unknown key or wrong value."""
        return msgspec.convert({**msgspec.to_builtins(self), **changes}, Settings)
