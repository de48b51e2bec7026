from __future__ import annotations

from tokens.capture import Capture


def test_the_repr_of_a_capture_shows_no_secret() -> None:
    secrets = {name: f"secret-{name}" for name in ("jm_token", "sdp_app_session", "user_agent", "origin")}
    cookies = [{"name": "TGC", "value": "secret-cookie"}]
    capture = Capture(
        **secrets, cookies={"a": "secret-a"}, api_url="https://school.test/jmapi/api", sign_on_cookies=cookies
    )
    assert "secret" not in f"{capture!r} {capture}"
