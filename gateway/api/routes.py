"""Which consumer answers a path. People paste base URLs in many forms: all that are clear are understood."""

from __future__ import annotations

from gateway.api.completions import Completions
from gateway.api.consumers import ChatCompletions, Health, Models, NoRoute, OneModel, Playground
from gateway.api.responses_consumers import Responses, StoredResponses
from gateway.api.streaming import Consumer

# These belong to the API also without `/v1`; the member's pages live elsewhere.
OWN = {"v1", "chat", "models", "responses", "completions", "messages", "embeddings", "healthz"}
# A base URL that already names an endpoint, as some people paste it: `/v1/chat/completions` + `/models`.
ENDPOINTS = (["chat", "completions"], ["models"], ["responses"], ["completions"])
PLAYGROUND = "/dashboard/playground/chat/completions"


def api_consumer(path: str) -> Consumer | None:
    """The consumer of a decoded path, or None where the path is not the API's."""
    if path == PLAYGROUND:
        return Playground()
    parts = [part for part in path.split("/") if part]
    if not parts or parts[0] not in OWN:
        return None
    match _plain(parts):
        case ["chat", "completions"]:
            return ChatCompletions()
        case ["models"]:
            return Models()
        case ["models", *name]:
            # A model's id may hold slashes: `%2F` comes decoded.
            return OneModel(id="/".join(name))
        case ["responses"]:
            return Responses()
        case ["responses", response_id]:
            return StoredResponses(id=response_id)
        case ["completions"]:
            return Completions()
        case ["healthz"]:
            return Health()
        case _:
            return NoRoute()


def _plain(parts: list[str]) -> list[str]:
    """Without `v1`s in front, and without an endpoint that stands in front of another."""
    while parts and parts[0] == "v1":
        parts = parts[1:]
    for pasted in ENDPOINTS:
        if parts[: len(pasted)] == pasted and parts[len(pasted) :] in ENDPOINTS:
            return parts[len(pasted) :]
    return parts
