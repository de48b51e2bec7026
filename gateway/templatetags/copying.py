"""The small button that copies a text."""

from __future__ import annotations

from django import template

register = template.Library()


@register.inclusion_tag("dashboard/copy_button.html")
def copy_button(text: str, label: object) -> dict[str, object]:
    """`label` says what is copied, to those who do not see it beside the button."""
    return {"text": text, "label": label}
