"""The clients that members use: what each wants to be told, in its own words, and what it calls when it is set up.

`cards(request, model)` fills in this gateway's address; templates/dashboard/client_card.html shows one of them:
`{% include "dashboard/client_card.html" with card=card api_key=text %}`, or without `api_key` for a placeholder.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

KEY = "\0key\0"
"""Stands in a snippet where the key belongs."""
PLACEHOLDER = "xg-…"
NO_MODEL = "model-id"
"""Where the account's models are not known yet."""

MODELS, CHAT, STREAM, PREFLIGHT = "models", "chat", "stream", "preflight"


@dataclass(frozen=True)
class Field:
    """One field as the client names it. An empty value stands for the key."""

    label: str
    value: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether it names a model, and none is known yet."""
        return self.value == NO_MODEL


@dataclass(frozen=True)
class Step:
    text: str
    fields: Sequence[Field] = ()


@dataclass(frozen=True)
class Call:
    """One of the calls that the client makes at set-up; `expects` names what must come: see connect.js."""

    label: str
    method: str
    path: str
    expects: str
    body: dict[str, Any] | None = None

    @property
    def is_chat(self) -> bool:
        return self.body is not None


@dataclass(frozen=True)
class Card:
    """How to connect one client."""

    slug: str
    name: str
    symbol: str
    steps: Sequence[Step]
    calls: Sequence[Call]
    snippet: str = ""
    note: str = ""
    placeholder: str = PLACEHOLDER

    @property
    def snippet_parts(self) -> list[str]:
        """The snippet, split where the key belongs."""
        return self.snippet.split(KEY)

    @property
    def chats(self) -> int:
        return sum(call.is_chat for call in self.calls)

    @property
    def plan_id(self) -> str:
        return f"plan-{self.slug}"

    @property
    def plan(self) -> list[dict[str, Any]]:
        """The calls for connect.js."""
        return [asdict(call) for call in self.calls]


def root_url(request: HttpRequest) -> str:
    """The gateway's address without `/v1`, as members reach it."""
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


def cards(request: HttpRequest, model: str = "") -> list[Card]:
    """One card per client, with this gateway's address and the id of a model filled in."""
    root, model = root_url(request), model or NO_MODEL
    return [make(root, f"{root}/v1", model) for make in MAKERS]


def chosen_client(shown: Sequence[Card], asked: str = "") -> str:
    """The slug of the card that is shown at first: the one that is asked for, else the first."""
    return next((card.slug for card in shown if card.slug == asked), shown[0].slug)


def _cherry_studio(root: str, base: str, model: str) -> Card:
    return Card(
        slug="cherry-studio",
        name="Cherry Studio",
        symbol="local_florist",
        steps=[
            Step(_("Open Settings → Model Provider → Add, with the provider type OpenAI.")),
            Step(_("Fill in:"), [Field("API Host", root), Field("API Key")]),
            Step(_("Choose Manage, and add the models that you want, such as:"), [Field("Model ID", model)]),
        ],
        calls=[_models(), _stream(_("A short chat, streamed"), model, "hi")],
        note=_("It names each topic by one more chat: choose a small model for that among the default models."),
    )


def _open_webui(root: str, base: str, model: str) -> Card:
    return Card(
        slug="open-webui",
        name="Open WebUI",
        symbol="language",
        steps=[
            Step(_("Open Admin Panel → Settings → Connections → OpenAI API → Add Connection.")),
            Step(_("Fill in:"), [Field("URL", base), Field("Key")]),
            Step(_("Save. The models appear by themselves, such as:"), [Field("Model", model)]),
        ],
        calls=[
            _models(),
            _stream(_("A chat, streamed"), model, "hi"),
            _chat(_("A title for it"), model, "Answer with a title of one word for a chat that begins with: hi"),
            _chat(_("Tags for it"), model, "Answer with one tag for a chat that begins with: hi"),
            _chat(_("Follow-up questions"), model, "Answer with one short question to follow: hi"),
        ],
        note=_("Title, tags and follow-up questions are chats too: Admin Panel → Settings → Interface turns them off."),
    )


def _dify(root: str, base: str, model: str) -> Card:
    return Card(
        slug="dify",
        name="Dify",
        symbol="account_tree",
        steps=[
            Step(_("Open Settings → Model Provider → OpenAI-API-compatible → Add Model, of the type LLM.")),
            Step(
                _("Fill in:"),
                [
                    Field("Model Name", model),
                    Field("API Key"),
                    Field("API endpoint URL", base),
                    Field("Completion mode", "Chat"),
                    Field("Function calling", "Tool Call"),
                ],
            ),
            Step(_("Save. Dify checks the model with a chat of its own.")),
        ],
        calls=[_chat(_("Dify's check of a model"), model, "ping", max_tokens=5)],
    )


def _cline(root: str, base: str, model: str) -> Card:
    return Card(
        slug="cline",
        name="Cline",
        symbol="terminal",
        steps=[
            Step(_("Open the settings of Cline, and choose the API Provider OpenAI Compatible.")),
            Step(_("Fill in:"), [Field("Base URL", base), Field("API Key"), Field("Model ID", model)]),
            Step(_("Under Model Configuration, switch on Supports Images for models that see only.")),
        ],
        calls=[
            _stream(
                _("A chat as Cline sends it: streamed, with tools"),
                model,
                "hi",
                temperature=0,
                stream_options={"include_usage": True},
                tools=[CLINES_TOOL],
            )
        ],
    )


def _lobechat(root: str, base: str, model: str) -> Card:
    return Card(
        slug="lobechat",
        name="LobeChat",
        symbol="emoji_nature",
        steps=[
            Step(_("Open Settings → AI Service Provider → OpenAI.")),
            Step(_("Fill in:"), [Field("API Key"), Field("API proxy URL", base)]),
            Step(_("Fetch the list of models, or add this one by hand:"), [Field("Model ID", model)]),
            Step(_("Choose Check: it sends one chat.")),
        ],
        calls=[_preflight(), _models(), _chat(_("LobeChat's check"), model, "hello")],
        note=_("With the client request mode, a page that came by HTTPS may call only a gateway that has HTTPS, too."),
    )


def _python(root: str, base: str, model: str) -> Card:
    code = f"""from openai import OpenAI

client = OpenAI(
    base_url={json.dumps(base)},
    api_key="{KEY}",
)
stream = client.chat.completions.create(
    model={json.dumps(model)},
    messages=[{{"role": "user", "content": "Hello!"}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)"""
    return Card(
        slug="python",
        name=_("OpenAI SDK for Python"),
        symbol="code",
        steps=[Step(_("Install the package:"), [Field(_("Command"), "pip install openai")]), Step(_("Then:"))],
        calls=[_models(), _chat(_("A chat, as one answer"), model, "Hello!"), _stream(_("A stream"), model, "Hello!")],
        snippet=code,
    )


def _node(root: str, base: str, model: str) -> Card:
    code = f"""import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: {json.dumps(base)},
  apiKey: "{KEY}",
}});
const stream = await client.chat.completions.create({{
  model: {json.dumps(model)},
  messages: [{{ role: "user", content: "Hello!" }}],
  stream: true,
}});
for await (const chunk of stream) {{
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}}"""
    return Card(
        slug="node",
        name=_("OpenAI SDK for Node"),
        symbol="data_object",
        steps=[Step(_("Install the package:"), [Field(_("Command"), "npm install openai")]), Step(_("Then:"))],
        calls=[_models(), _chat(_("A chat, as one answer"), model, "Hello!"), _stream(_("A stream"), model, "Hello!")],
        snippet=code,
    )


def _curl(root: str, base: str, model: str) -> Card:
    payload = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello!"}]}, ensure_ascii=False)
    code = f"""curl {shlex.quote(base + "/chat/completions")} \\
  -H "Authorization: Bearer {KEY}" \\
  -H "Content-Type: application/json" \\
  -d {shlex.quote(payload)}"""
    return Card(
        slug="curl",
        name="curl",
        symbol="keyboard_command_key",
        steps=[Step(_("In a terminal:"))],
        calls=[_chat(_("A chat, as one answer"), model, "Hello!")],
        snippet=code,
    )


MAKERS: tuple[Callable[[str, str, str], Card], ...] = (
    *(_cherry_studio, _open_webui, _dify, _cline, _lobechat),
    *(_python, _node, _curl),
)

CLINES_TOOL = {
    "type": "function",
    "function": {
        "name": "read_file",
        "description": "Read a file.",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
    },
}


def _models() -> Call:
    return Call(_("The list of models"), "GET", "/v1/models", MODELS)


def _preflight() -> Call:
    return Call(_("The browser's question whether it may call"), "OPTIONS", "/v1/chat/completions", PREFLIGHT)


def _chat(label: str, model: str, prompt: str, **fields: Any) -> Call:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}
    return Call(label, "POST", "/v1/chat/completions", CHAT, body)


def _stream(label: str, model: str, prompt: str, **fields: Any) -> Call:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True, **fields}
    return Call(label, "POST", "/v1/chat/completions", STREAM, body)
