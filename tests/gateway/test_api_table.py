"""Every route of the API, asked for with no key, with its owner's, another member's and that of staff.

A new route fails here until its rows say what each of them may see. Django's addresses are in `test_url_table.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from accounts.keys import key_issue
from accounts.models import Member, SecondFactor
from accounts.services import member_add
from gateway import catalogue, stored
from gateway.api import routes
from gateway.api.consumers import NoRoute
from gateway.api.routes import api_consumer
from gateway.api.streaming import Consumer
from gateway.models import StoredResponse
from gateway.school.catalog import Model
from gateway.stored import Stored
from tests.gateway.test_playground import as_page
from tests.school import MODEL

NAMES = ("alice", "bob", "boss")
RESPONSE = "resp_of_alice"

Statuses = tuple[int, int, int, int]
"""Without a key, and with that of Alice, of Bob and of staff, who have an account as well."""

OPEN: Statuses = (200, 200, 200, 200)
MEMBERS: Statuses = (401, 200, 200, 200)
ALICES: Statuses = (401, 200, 404, 404)
# What is asked says nothing, so that no prompt goes to the school.
NO_PROMPT: Statuses = (401, 400, 400, 400)
GONE: Statuses = (404, 404, 404, 404)

ROWS: dict[tuple[str, str], Statuses] = {
    ("GET", "/healthz"): OPEN,
    ("GET", "/v1/models"): MEMBERS,
    ("GET", f"/v1/models/{MODEL}"): MEMBERS,
    ("POST", "/v1/chat/completions"): NO_PROMPT,
    ("POST", "/v1/completions"): NO_PROMPT,
    ("POST", "/v1/responses"): NO_PROMPT,
    ("GET", f"/v1/responses/{RESPONSE}"): ALICES,
    ("DELETE", f"/v1/responses/{RESPONSE}"): ALICES,
    # A page's: a key opens nothing there.
    ("POST", routes.PLAYGROUND): (403, 403, 403, 403),
    **{("POST", f"/v1/{path}"): GONE for path in ("nothing", "responses/x/cancel", "embeddings")},
    **{(method, "/messages"): GONE for method in NoRoute.methods},
}


def test_every_route_is_in_the_table_with_each_of_its_methods() -> None:
    consumers = [each for each in vars(routes).values() if isinstance(each, type) and issubclass(each, Consumer)]
    there_are = {(each, method) for each in consumers if each is not Consumer for method in each.methods}
    assert there_are == {(type(api_consumer(path)), method) for method, path in ROWS}


@pytest.mark.parametrize("path", sorted(routes.OWN))
def test_everything_under_the_apis_own_paths_is_answered_by_it(path: str) -> None:
    assert api_consumer(f"/{path}/nothing/at/all") is not None


@pytest.fixture
def keys(gateway: httpx.Client) -> list[Mapping[str, str]]:
    """The headers of each who asks. Alice has a response stored; what the school offers is known for all."""
    headers: list[Mapping[str, str]] = [{}]
    for name in NAMES:
        account = member_add(name=name, xjtlu_username=name)
        catalogue.store(account.pk, [Model(id=MODEL, label="Qwen 3.6")])
        headers.append({"authorization": f"Bearer {key_issue(member=account.member)[1]}"})
    Member.objects.filter(username="boss").update(is_staff=True, is_superuser=True)
    alice = Member.objects.get(username="alice")
    stored.save(RESPONSE, alice.pk, Stored(turns=[], response={"id": RESPONSE}))
    return headers


def statuses(http: httpx.Client, method: str, path: str, headers: list[Mapping[str, str]], body: Any) -> Statuses:
    """What each gets; Alice last, since she may erase what is hers."""
    got = {}
    for who in (0, 2, 3, 1):
        answer = http.request(method, path, json=body, headers={"sec-fetch-site": "same-origin", **headers[who]})
        got[who] = answer.status_code
        assert method == "HEAD" or ("error" in answer.json()) == (answer.status_code >= 400)
    return got[0], got[1], got[2], got[3]


@pytest.mark.parametrize(("method", "path"), ROWS)
def test_a_route_is_for_whom_the_table_says(
    method: str, path: str, gateway: httpx.Client, keys: list[Mapping[str, str]]
) -> None:
    assert statuses(gateway, method, path, keys, {}) == ROWS[method, path]
    assert StoredResponse.objects.exists() == (method != "DELETE" or RESPONSE not in path)


def test_nobody_goes_on_with_anothers_response(gateway: httpx.Client, keys: list[Mapping[str, str]]) -> None:
    body = {"model": "of nobody", "input": "hello", "previous_response_id": RESPONSE}
    # Alice's goes on, as far as to the model that there is not.
    assert statuses(gateway, "POST", "/v1/responses", keys, body) == (401, 404, 404, 404)
    answers = [gateway.post("/v1/responses", json=body, headers=headers).json() for headers in keys[1:]]
    codes = [answer["error"]["code"] for answer in answers]
    assert codes == ["model_not_found", "previous_response_not_found", "previous_response_not_found"]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("name", NAMES)
def test_the_playground_is_for_sessions_that_owe_no_second_factor(name: str, gateway: httpx.Client) -> None:
    member = Member.objects.get(username=name)
    page = as_page(gateway, member)
    # No prompt was sent.
    assert page.post(routes.PLAYGROUND, json={}).status_code == 400
    SecondFactor.objects.create(user=member, name="app", confirmed=True)
    assert page.post(routes.PLAYGROUND, json={}).status_code == 401
