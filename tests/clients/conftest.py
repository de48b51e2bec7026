"""The gateway as clients are told of it, and the Node clients, installed on demand."""

from __future__ import annotations

import httpx
import pytest

from tests.clients.endpoint import Endpoint
from tests.clients.nodejs import Node, installed
from tests.gateway.attachments.pictures import data_url, picture


@pytest.fixture
def endpoint(client: httpx.Client, api_key: str, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return Endpoint(f"{client.base_url}/v1".replace("//v1", "/v1"), api_key)


@pytest.fixture(scope="session")
def png() -> str:
    """A small picture as a data URL."""
    return data_url(picture("PNG"))


@pytest.fixture(scope="session")
def node(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Node with the packages of `node/package-lock.json`; without Node, or where npm fails, the test is skipped."""
    return Node(installed(pytestconfig.rootpath / ".pytest_cache" / "node-clients"), tmp_path_factory.mktemp("node"))
