"""`llm`, the command-line tool, with a model of its `extra-openai-models.yaml`."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.endpoint import (
    BAD_KEY,
    FAILING,
    FILTERED,
    HELD,
    PERSON,
    SEEING,
    STREAMED,
    Endpoint,
    answering,
    assert_client_left,
    assert_one_image_was_seen,
    assert_result_was_sent,
    calling,
)
from tests.school import MODEL, School

PROGRAM = str(Path(sys.executable).with_name("llm"))
RUN_SECONDS = 180
MODELS = """
- model_id: {id}
  model_name: {id}
  api_base: "{url}"
  api_key_name: xipu
  supports_tools: true
  supports_schema: true
  vision: true
"""
WEATHER = f"""
def weather(city: str) -> str:
    "The weather in a city."
    return "{answering("wet")}"
"""
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}


class Tool:
    """The program, with a configuration of its own in `home`."""

    def __init__(self, home: Path, endpoint: Endpoint) -> None:
        models = [MODELS.format(id=model, url=endpoint.base_url) for model in (MODEL, SEEING)]
        (home / "extra-openai-models.yaml").write_text("".join(models))
        (home / "keys.json").write_text(json.dumps({"xipu": endpoint.api_key}))
        self._env = {**os.environ, "LLM_USER_PATH": str(home), "PYTHONUNBUFFERED": "1"}

    def run(self, prompt: str, *options: str, model: str = MODEL) -> subprocess.CompletedProcess[str]:
        command = [PROGRAM, "prompt", "-m", model, *options, prompt]
        return subprocess.run(
            command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )

    def answer(self, prompt: str, *options: str, model: str = MODEL) -> str:
        done = self.run(prompt, *options, model=model)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextmanager
    def started(self, prompt: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [PROGRAM, "prompt", "-m", MODEL, prompt]
        process = subprocess.Popen(command, env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def llm(endpoint: Endpoint, tmp_path: Path) -> Tool:
    return Tool(tmp_path, endpoint)


def test_a_text_comes_with_usage(llm: Tool) -> None:
    done = llm.run("[[sim text=fine]]", "--no-stream", "--usage")
    assert done.stdout.strip() == "fine"
    assert "Token usage" in done.stderr


def test_a_streamed_text_comes_with_usage(llm: Tool) -> None:
    done = llm.run(STREAMED, "--usage")
    assert done.stdout.strip() == "one two three"
    assert "Token usage" in done.stderr


@pytest.mark.parametrize("options", [[], ["--no-stream"]])
def test_a_tool_is_called_and_its_result_answered(llm: Tool, school: School, options: list[str]) -> None:
    assert llm.answer(calling("weather", city="Suzhou"), "--functions", WEATHER, *options) == "wet"
    assert_result_was_sent(school, "weather")


@pytest.mark.parametrize("options", [[], ["--no-stream"]])
def test_an_answer_fits_the_schema(llm: Tool, options: list[str]) -> None:
    answer = llm.answer(PERSON, "--schema", json.dumps(SCHEMA), *options)
    assert json.loads(answer) == {"name": "Ada", "age": 36}


def test_an_image_reaches_the_school(llm: Tool, school: School, png: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(base64.b64decode(png.partition(",")[2]))
    assert llm.answer("[[sim text=seen]]", "-a", str(picture), model=SEEING) == "seen"
    assert_one_image_was_seen(school)


def test_a_bad_key_is_an_error_that_says_so(llm: Tool) -> None:
    done = llm.run("hello", "--key", BAD_KEY)
    assert done.returncode != 0
    assert "401 - This API key is not known" in done.stderr


def test_what_the_filter_refuses_is_not_sent_again(llm: Tool, school: School) -> None:
    done = llm.run(FILTERED)
    assert done.returncode != 0
    assert "400 - The school's content filter refused" in done.stderr
    assert len(school.prompts()) == 1


def test_a_failure_in_mid_stream_is_an_error(llm: Tool, school: School) -> None:
    done = llm.run(FAILING)
    assert done.returncode != 0
    assert "The school reported an error" in done.stderr
    assert len(school.prompts()) == 1


def test_a_client_that_leaves_ends_the_schools_answer(llm: Tool, school: School) -> None:
    with llm.started(HELD) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
    assert_client_left(school)
