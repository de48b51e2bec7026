"""The 21 models of `chat/config`, with flags and prices in the mixed forms that the school uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Model:
    """One model; `counts` tells whether its summaries carry token counts."""

    value: str
    label: str
    integral: str = ""
    online: bool | int | str = False
    thinking: bool | int | str = False
    multimodal: bool | int | str = False
    plugin: bool | int | str = False
    expired: str = ""
    counts: bool = True
    plain: bool = False

    def public(self) -> dict[str, Any] | str:
        """Return the model as `chat/config` lists it: an object, or a bare string."""
        if self.plain:
            return self.value
        names = ("value", "label", "integral", "online", "thinking", "multimodal", "plugin", "expired")
        return {name: getattr(self, name) for name in names}


MODELS = (
    Model("qwen3.6-27b", "Qwen3.6 27B", online=1, thinking=1),
    Model("qwen3.6-max", "Qwen3.6 Max", integral="2", online=True, thinking=True, plugin=1),
    Model("qwen-vl-plus", "Qwen VL Plus", integral="1", multimodal=1, counts=False),
    Model("qwen-long", "Qwen Long", online=0, thinking=""),
    Model("gpt-5.4-nano", "GPT-5.4 nano", online=0, thinking=0, multimodal=0, plugin=0),
    Model("gpt-5.6-luna", "GPT-5.6 Luna", integral="3", online=True, multimodal=True),
    Model("gpt-5.6-sol", "GPT-5.6 Sol", integral="5", online=True, thinking=True, multimodal=True),
    Model("gpt-4o", "GPT-4o", integral="2", multimodal=1, expired="2026-06-30 23:59:59"),
    Model("o4-mini", "o4-mini", integral="3", thinking=1, counts=False),
    Model("deepseek-v4", "DeepSeek V4", online=1, thinking=1),
    Model("deepseek-v3.2", "DeepSeek V3.2", online=True, thinking="", counts=False),
    Model("deepseek-r2", "DeepSeek R2", thinking=True),
    Model("claude-sonnet-5", "Claude Sonnet 5", integral="5", thinking=True, multimodal=True),
    Model("claude-haiku-5", "Claude Haiku 5", integral="2", multimodal=True, counts=False),
    Model("gemini-3.5-pro", "Gemini 3.5 Pro", integral="4", online=1, thinking=1, multimodal=1),
    Model("gemini-3.5-flash", "Gemini 3.5 Flash", integral="1", online=1, multimodal=1),
    Model("glm-5", "GLM-5", thinking=1, online=""),
    Model("kimi-k3", "Kimi K3", online=True, plugin=True),
    Model("豆包-2.0-pro", "豆包 2.0 Pro", integral="1", online=1, thinking=1),
    Model("西浦学习助手", "XJTLU 学习助手", counts=False),
    Model("llama-4-scout", "llama-4-scout", plain=True),
)
BY_VALUE = {model.value: model for model in MODELS}
