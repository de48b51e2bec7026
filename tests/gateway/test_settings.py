"""What the environment makes of the settings. Each test asks a fresh process, as settings are read at the start."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import VARIABLES
from tests.test_docs import ROOT, example_lines

SHOW = """
import json
from gateway import settings
names = [name for name in dir(settings) if name.isupper() and name != "VARIABLES"]
print(json.dumps({name: getattr(settings, name) for name in names}, default=repr, sort_keys=True))
"""

# A refusal of the settings, and one of a system check.
REFUSALS = ("django.core.exceptions.ImproperlyConfigured: ", "?: (gateway.")


def run(*command: str, data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A Python process with these variables and no other of ours; none comes from a `.env` file either."""
    unset = dict.fromkeys(VARIABLES, "") | {"DJANGO_SETTINGS_MODULE": "gateway.settings"}
    environment = {**os.environ, **unset, "GATEWAY_DATA_DIR": str(data_dir), **variables}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def read(data_dir: Path, **variables: str) -> dict[str, Any]:
    """All settings."""
    done = run("-c", SHOW, data_dir=data_dir, **variables)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_fresh_clone_runs_with_nothing_set(tmp_path: Path) -> None:
    assert run("manage.py", "check", data_dir=tmp_path / "new").returncode == 0


def test_the_example_states_the_defaults(tmp_path: Path) -> None:
    example = dict(line.split("=", 1) for line in example_lines())
    example["GATEWAY_DATA_DIR"] = str(tmp_path)
    assert read(tmp_path, **example) == read(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_PORT", "http"),
        ("GATEWAY_PORT", "70000"),
        ("GATEWAY_BROWSERS", "0"),
        ("GATEWAY_MAX_BODY_BYTES", "32MB"),
        ("GATEWAY_DRAIN_SECONDS", "-1"),
        ("GATEWAY_DRAIN_SECONDS", "nan"),
        ("XIPU_CALL_INTERVAL_SECONDS", "1,5"),
        ("GATEWAY_HTTPS", "ture"),
        ("GATEWAY_LOG_FORMAT", "xml"),
        ("GATEWAY_LOG_LEVEL", "loud"),
        ("GATEWAY_TIME_ZONE", "Asia/Suzhou"),
        ("GATEWAY_DATA_DIR", "/dev/null/data"),
        ("GATEWAY_SECRET_KEY_FILE", "/no/such/file"),
        ("GATEWAY_ENCRYPTION_KEYS", "too-short"),
        ("GATEWAY_ENCRYPTION_KEYS_FILE", "/no/such/file"),
        ("DATABASE_URL", "mysql://localhost/gateway"),
        ("DATABASE_URL", "postgres://localhost:port/gateway"),
        ("REDIS_URL", "localhost:6379"),
        ("CELERY_BROKER_URL", "memory://"),
        ("XIPU_PORTAL_URL", "xipuai.xjtlu.edu.cn"),
        ("XIPU_API_URL", "xipuai.xjtlu.edu.cn/api"),
        ("XIPU_SELECTORS", "#login-name"),
        ("XIPU_SELECTORS", '{"username": "#login-name"}'),
    ],
)
def test_a_bad_value_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    done = run("manage.py", "check", data_dir=tmp_path, **{name: value})
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith(REFUSALS)]
    assert len(said) == 1
    assert name in said[0]


def test_a_refusal_does_not_repeat_a_password(tmp_path: Path) -> None:
    done = run("manage.py", "check", data_dir=tmp_path, DATABASE_URL="mysql://user:hunter2@localhost/gateway")
    assert done.returncode != 0
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("name", ["GATEWAY_SECRET_KEY", "REDIS_URL", "CELERY_BROKER_URL"])
def test_a_secret_can_come_from_a_file(tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret"
    file.write_text("redis://secret.example/0\n")
    setting = name.removeprefix("GATEWAY_")
    assert read(tmp_path, **{f"{name}_FILE": str(file)})[setting] == "redis://secret.example/0"


def test_a_variable_and_its_file_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://a/0")
    done = run("manage.py", "check", data_dir=tmp_path, REDIS_URL="redis://b/0", REDIS_URL_FILE=str(tmp_path / "url"))
    assert "REDIS_URL and REDIS_URL_FILE are both set" in done.stderr


def test_generated_keys_can_be_read_by_their_owner_alone(tmp_path: Path) -> None:
    run("manage.py", "check", data_dir=tmp_path / "new")
    modes = {name: stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) for name in ("secret_key", "encryption_keys")}
    assert modes == {"secret_key": 0o600, "encryption_keys": 0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_generated_keys_stay_the_same(tmp_path: Path) -> None:
    assert read(tmp_path)["SECRET_KEY"] == read(tmp_path)["SECRET_KEY"]


def test_sqlite_writers_wait_for_each_other(tmp_path: Path) -> None:
    database = read(tmp_path)["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_postgresql_is_used_through_a_pool(tmp_path: Path) -> None:
    url = "postgres://user:p%40ss@db.example:5433/gateway?sslmode=require"
    database = read(tmp_path, DATABASE_URL=url)["DATABASES"]["default"]
    assert (database["HOST"], database["PORT"], database["PASSWORD"]) == ("db.example", 5433, "p@ss")
    assert database["OPTIONS"]["sslmode"] == "require"
    assert database["OPTIONS"]["pool"]["max_size"] == 20


def test_redis_serves_as_broker_and_channel_layer(tmp_path: Path) -> None:
    settings = read(tmp_path, REDIS_URL="redis://cache.example/1")
    assert settings["CELERY_BROKER_URL"] == "redis://cache.example/1"
    layer = settings["CHANNEL_LAYERS"]["default"]["CONFIG"]
    assert [host["address"] for host in layer["hosts"]] == ["redis://cache.example/1"]
    # What passes through it is sealed.
    assert layer["symmetric_encryption_keys"] == [settings["SECRET_KEY"]]
    # With Celery's own default of an hour, a killed worker's tasks would be away as long.
    assert settings["CELERY_BROKER_TRANSPORT_OPTIONS"]["visibility_timeout"] <= 300


def test_without_redis_the_broker_is_in_the_data_directory(tmp_path: Path) -> None:
    options = read(tmp_path)["CELERY_BROKER_TRANSPORT_OPTIONS"]
    assert Path(options["data_folder_in"]).is_relative_to(tmp_path)
    assert Path(options["data_folder_in"]).is_dir()


def test_production_settings_pass_the_deployment_check(tmp_path: Path) -> None:
    done = run(
        *("manage.py", "check", "--deploy", "--fail-level", "WARNING"),
        data_dir=tmp_path,
        GATEWAY_HTTPS="1",
        GATEWAY_ALLOWED_HOSTS="gateway.example.org",
    )
    assert done.returncode == 0, done.stderr
