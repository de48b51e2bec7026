"""The models that the school offers, as `chat/config` lists them (protocol page)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Any

from gateway.errors import SchoolMalformed

SCHOOL_CLOCK = timezone(timedelta(hours=8))


@dataclass(frozen=True)
class Model:
    """One model. `price` is the school's text, `points` the same as a number: 0.0 when free, None when unreadable.

    `expired` is the school's text of a date, None when it names none; a model stays listed after it.
    """

    id: str
    label: str
    price: str = ""
    points: float | None = 0.0
    online: bool = False
    thinking: bool = False
    multimodal: bool = False
    plugin: bool = False
    expired: str | None = None

    @property
    def expires_at(self) -> datetime | None:
        """`expired` by the school's clock, a day alone with its end; None where there is none that can be read."""
        text = self.expired or ""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        if ":" not in text:
            moment = datetime.combine(moment, time(23, 59, 59))
        return moment if moment.tzinfo else moment.replace(tzinfo=SCHOOL_CLOCK)

    @property
    def is_over(self) -> bool:
        return self.expires_at is not None and self.expires_at < datetime.now(UTC)


def parse_models(config: object) -> list[Model]:
    """The models of the `data` of `chat/config`, in its order, each id once.

    An entry that cannot be read is skipped: one odd model must not take the others away.
    Raises SchoolMalformed when there is no list of models at all.
    """
    entries = config.get("models") if isinstance(config, dict) else None
    if not isinstance(entries, list):
        raise SchoolMalformed("The school's list of models cannot be read.")
    models: dict[str, Model] = {}
    for model in _readable(entries):
        models.setdefault(model.id, model)
    return list(models.values())


def _readable(entries: Iterable[object]) -> Iterable[Model]:
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {"value": entry}
        if model_id := _text(fields.get("value")):
            yield _model(model_id, fields)


def _model(model_id: str, fields: dict[str, Any]) -> Model:
    price = _text(fields.get("integral"))
    return Model(
        id=model_id,
        label=_text(fields.get("label")) or model_id,
        price=price,
        points=_points(price),
        online=_flag(fields.get("online")),
        thinking=_flag(fields.get("thinking")),
        multimodal=_flag(fields.get("multimodal")),
        plugin=_flag(fields.get("plugin")),
        expired=_text(fields.get("expired")) or None,
    )


def _text(value: object) -> str:
    """Text or a number as text; "" for all else (null, lists, true)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).strip()


def _points(price: str) -> float | None:
    if not price:
        return 0.0
    try:
        points = float(price)
    except ValueError:
        return None
    return points if math.isfinite(points) else None


def _flag(value: object) -> bool:
    """The school writes true as `true`, 1, "1" or "true"."""
    return str(value).strip().lower() in {"true", "1"}
