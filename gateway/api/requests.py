"""`POST /v1/chat/completions`: the client's JSON, checked, as what one chat asks of the school.

Parameters that the school cannot honour are accepted and named; refused is only what would make the answer wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from gateway.api.conversation import Places, Turn, conversation
from gateway.api.formats import format_of
from gateway.api.reasoning import Show
from gateway.api.replies import Wanted
from gateway.api.tools import toolbox
from gateway.callers import Preferences
from gateway.chat import Prompt
from gateway.errors import InvalidRequest, ModelNotFound
from gateway.school.catalog import Model

ONLINE_SUFFIX = ":online"
# OpenAI's efforts, on the school's four (protocol page).
THINKING = {"none": "minimal", "minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high"}
MAX_STOPS = 16
MAX_TOKENS = 10_000_000
T = TypeVar("T", bound=msgspec.Struct)


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ReasoningOptions(msgspec.Struct):
    """`exclude`: think, but do not show it."""

    effort: str | None = None
    exclude: bool | None = None


class ChatRequest(msgspec.Struct):
    """What is read of the body. Types are checked strictly, ranges in `check`."""

    model: str
    messages: list[Turn]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    reasoning_effort: str | None = None
    web_search_options: dict[str, Any] | None = None
    response_format: dict[str, Any] | None = None
    modalities: list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    functions: list[dict[str, Any]] | None = None
    function_call: str | dict[str, Any] | None = None
    reasoning: ReasoningOptions | None = None

    @property
    def places(self) -> Places:
        return Places(effort="reasoning_effort" if self.reasoning_effort else "reasoning")

    @property
    def include_usage(self) -> bool:
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def effort(self) -> str | None:
        return self.reasoning_effort or (self.reasoning.effort if self.reasoning else None)


@dataclass(frozen=True)
class Parsed:
    """A request ready to run, and the names of the parameters that have no effect."""

    request: ChatRequest
    prompt: Prompt
    wanted: Wanted
    show: Show
    ignored: tuple[str, ...]


# Has no effect by itself, or asks for what is so anyway: not worth naming.
HARMLESS = {"user", "metadata", "store", "safety_identifier", "prompt_cache_key", "service_tier"}


def parse(body: bytes) -> tuple[ChatRequest, tuple[str, ...]]:
    """The body's request and the names of what is ignored. Raises `InvalidRequest` naming the parameter."""
    request, ignored = decoded(body, ChatRequest)
    check(request)
    return request, ignored


def decoded(body: bytes, kind: type[T]) -> tuple[T, tuple[str, ...]]:
    """The body as a `kind`, and the names of its other fields. Raises `InvalidRequest` naming the parameter."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidRequest("The request body is not valid JSON.", code="invalid_json") from None
    if not isinstance(raw, Mapping):
        raise InvalidRequest("The request body must be a JSON object.", code="invalid_json")
    try:
        request = msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    known = {*kind.__struct_fields__, *HARMLESS}
    return request, tuple(sorted(name for name, value in raw.items() if value is not None and name not in known))


def to_prompt(
    request: ChatRequest,
    ignored: tuple[str, ...],
    models: Mapping[str, Model] | None,
    preferences: Preferences,
) -> Parsed:
    """The request as a prompt for one of `models` (None: not known, the school decides)."""
    wanted = Wanted(
        toolbox(
            request.tools, request.tool_choice, request.parallel_tool_calls, request.functions, request.function_call
        ),
        format_of(request.response_format, request.places.format),
    )
    name, wants_online = request.model, request.web_search_options is not None
    if name.endswith(ONLINE_SUFFIX) and name not in (models or {}):
        name, wants_online = name.removesuffix(ONLINE_SUFFIX), True
    model = _model(name, models)
    more_ignored = list(ignored)
    if wants_online and model is not None and not model.online:
        wants_online = False
        more_ignored.append(request.places.web_search)
    thinking = THINKING[request.effort] if request.effort else None
    if thinking and model is not None and not model.thinking:
        thinking = None
        more_ignored.append(request.places.effort)
    text, images = conversation(request.messages, wanted, request.places)
    if images and model is not None and not model.multimodal:
        raise InvalidRequest(
            f"The model '{name}' does not see images. GET /v1/models tells which do (capabilities.vision).",
            param=images[0].param,
            code="images_not_supported",
        )
    prompt = Prompt(
        model=name,
        text=text,
        images=tuple(images),
        temperature=1.0 if request.temperature is None else request.temperature,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        presence_penalty=request.presence_penalty or 0.0,
        frequency_penalty=request.frequency_penalty or 0.0,
        stop=_stops(request.stop),
        online=wants_online or (preferences.web_search and model is not None and model.online),
        thinking=thinking,
    )
    return Parsed(request, prompt, wanted, _show(request, preferences), tuple(sorted(set(more_ignored))))


def _show(request: ChatRequest, preferences: Preferences) -> Show:
    if request.reasoning and request.reasoning.exclude:
        return Show.HIDDEN
    return Show.THINK if preferences.fold_reasoning else Show.FIELD


def _model(name: str, models: Mapping[str, Model] | None) -> Model | None:
    if models is None:
        return None
    if name not in models:
        raise ModelNotFound(
            f"The model '{name[:100]}' is not offered to your account. GET /v1/models lists those that are."
        )
    return models[name]


def check(request: ChatRequest) -> None:
    """Whether all values are in their ranges. Raises `InvalidRequest` naming the parameter."""
    if not request.messages:
        raise InvalidRequest("'messages' must hold at least one message.", param="messages", code="empty_array")
    if not request.model.strip():
        raise InvalidRequest("'model' must name a model. GET /v1/models lists them.", param="model")
    check_range("temperature", request.temperature, 0, 2)
    check_range("presence_penalty", request.presence_penalty, -2, 2)
    check_range("frequency_penalty", request.frequency_penalty, -2, 2)
    check_range("max_tokens", request.max_tokens, 1, MAX_TOKENS)
    check_range("max_completion_tokens", request.max_completion_tokens, 1, MAX_TOKENS)
    if request.n not in (None, 1):
        raise InvalidRequest("The school gives one answer a prompt: 'n' must be 1.", param="n")
    if request.effort is not None and request.effort not in THINKING:
        param = "reasoning_effort" if request.reasoning_effort else "reasoning.effort"
        raise InvalidRequest(f"'{param}' must be one of {', '.join(THINKING)}.", param=param)
    if request.modalities and set(request.modalities) != {"text"}:
        raise InvalidRequest("Only text answers are possible: 'modalities' must be [\"text\"].", param="modalities")


def check_range(name: str, value: float | None, least: float, most: float) -> None:
    """Raises `InvalidRequest`."""
    if value is not None and not least <= value <= most:
        raise InvalidRequest(f"'{name}' must be between {least:,} and {most:,}.", param=name)


def _stops(stop: str | list[str] | None) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if len(stops) > MAX_STOPS:
        raise InvalidRequest(f"'stop' may hold at most {MAX_STOPS} sequences.", param="stop")
    return tuple(filter(None, stops))


PATH = re.compile(r" - at `(key in )?\$(?P<path>[^`]*)`$")
MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`")


def _invalid(reason: str) -> InvalidRequest:
    """msgspec's words name types and places, never values."""
    found = PATH.search(reason)
    path = found["path"].lstrip(".") if found else ""
    what = PATH.sub("", reason)
    if missing := MISSING.match(what):
        param = f"{path}.{missing['name']}" if path else missing["name"]
        return InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    return InvalidRequest(
        f"Invalid type for '{path}': {what.replace('`', '')}.", param=path or None, code="invalid_type"
    )
