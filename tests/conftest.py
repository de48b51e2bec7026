"""What tests stand on: the simulated school and the real web process, on this test process's database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from django.db import connection
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from pytest_django import Settings

from accounts.keys import key_issue
from accounts.models import Account
from accounts.services import member_add
from gateway import catalogue
from gateway.models import UsageRecord, UsageStatus
from gateway.school.catalog import Model
from tests.processes import ROOT, Process, running
from tests.school import MODEL, PASSWORD, USERNAME, School
from tests.settings import TEST_INTERVAL_SECONDS
from tokens.services import token_import

CONDITION_SECONDS = 120
TOLERANCE_SECONDS = 0.15
"""What the school forgives of the interval: a busy machine delivers late. Calls without a slot come at once."""
LONGEST_FIRST = (
    "tests/gateway/test_demo.py",
    "tests/e2e/",
    "tests/browser/",
    "tests/tokens/test_browser.py",
    "tests/tokens/test_live_story.py",
    "tests/clients/",
    "tests/gateway/",
)
"""Files that take long for their number of tests. Begun last, one of them would keep a machine's other cores idle."""


# A machine that is busy with other tests is no reason to fail: Hypothesis looks at the time otherwise.
hypothesis.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.load_profile("patient")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    name = item.path.relative_to(ROOT).as_posix()
    return next((place for place, start in enumerate(LONGEST_FIRST) if name.startswith(start)), len(LONGEST_FIRST))


def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait for a condition; fail where it does not come."""
    deadline = time.monotonic() + CONDITION_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)


def closed_record() -> UsageRecord:
    """The one request's usage record, when it is closed: that is a moment after the answer's last byte."""
    until(lambda: UsageRecord.objects.exclude(status=UsageStatus.OPEN).exists(), "the record's end")
    return UsageRecord.objects.get()


@pytest.fixture
def mid_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands, in the middle of a step of the authenticator apps: none ends within the test."""
    now = time.time() // 30 * 30 + 15
    monkeypatch.setattr(time, "time", lambda: now)


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def _school(logs: Path) -> Iterator[School]:
    interval = str(TEST_INTERVAL_SECONDS)
    with running("-m", "simulator", "--port", "0", "--interval", interval, log=logs / "school.log") as process:
        yield School(process.wait_for_line("simulator ready on ").split()[-1])


@pytest.fixture
def school(_school: School, settings: Settings) -> School:
    """A fresh school; our settings point at it."""
    _school.reset(tolerance=TOLERANCE_SECONDS)
    settings.XIPU_PORTAL_URL = _school.url
    return _school


def database_url() -> str:
    """This test process's database, for a child."""
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{config['NAME']}"
    return (
        f"postgres://{config['USER']}:{config['PASSWORD']}@{config['HOST']}:{config['PORT'] or 5432}/{config['NAME']}"
    )


@pytest.fixture(scope="session")
def gateway_process(_school: School, logs: Path, django_db_setup: None) -> Iterator[tuple[Process, str]]:
    """The real web process, on this test process's database."""
    env = {
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "DATABASE_URL": database_url(),
        "XIPU_PORTAL_URL": _school.url,
        "GATEWAY_LOG_LEVEL": "INFO",
        "GATEWAY_DRAIN_SECONDS": "5",
        # A comment before the answer of a busy machine would be one that no test expects.
        "GATEWAY_ANSWER_SILENCE_SECONDS": "8",
    }
    with running("manage.py", "serve", "--port", "0", log=logs / "gateway.log", env=env) as process:
        yield process, process.wait_for_line("gateway ready on ").split()[-1]


def body(prompt: str = "hello", **fields: object) -> dict[str, object]:
    """A chat request of one user message."""
    return {"model": MODEL, "messages": [{"role": "user", "content": prompt}], **fields}


@pytest.fixture
def gateway(gateway_process: tuple[Process, str], school: School, transactional_db: None) -> Iterator[httpx.Client]:
    """A client without a key."""
    with httpx.Client(base_url=gateway_process[1], trust_env=False, timeout=60) as http:
        yield http


@pytest.fixture
def account(school: School, transactional_db: None) -> Account:
    """A member's account with a live token."""
    account = member_add(name="alice", xjtlu_username=USERNAME, xjtlu_password=PASSWORD)
    token_import(account=account, pasted=school.token())
    return account


@pytest.fixture
def api_key(account: Account) -> str:
    return key_issue(member=account.member)[1]


@pytest.fixture
def offered(account: Account) -> list[str]:
    """The account's catalogue is known already, so that no call is spent on it."""
    models = (
        Model(id=MODEL, label="Qwen 3.6", online=True, thinking=True),
        Model(id="gpt-5.6-luna", label="Luna", multimodal=True),
    )
    catalogue.store(account.pk, models)
    return [model.id for model in models]


@pytest.fixture
def client(gateway: httpx.Client, api_key: str, offered: list[str]) -> httpx.Client:
    """A client with a key of a member whose account is logged in."""
    gateway.headers["authorization"] = f"Bearer {api_key}"
    return gateway
