"""A member's everyday in the browser: a key, a client's check, a chat in the page."""

from __future__ import annotations

import pytest

from accounts.keys import key_issue
from accounts.models import Account, ApiKey
from gateway import catalogue
from gateway.models import Catalogue, UsageRecord, UsageStatus
from gateway.school.catalog import Model
from tests.browser.axe import barriers
from tests.browser.browser import PHONE, Browser
from tests.conftest import until
from tests.school import School

pytestmark = pytest.mark.usefixtures("offered")
PLAYGROUND, CONNECT = "/dashboard/playground/", "/dashboard/connect/"
MARKDOWN = (
    r"# Title\n\nA **bold** and *slanted* `word` & <b>no tag</b>\n\n- one\n  - inner\n1. first\n2. second\n\n> said\n\n"
    r"```js\nalert(\"<script>\")\n```\n[link](javascript:alert(1))\n\n"
    r"### Deep\n~~old~~ [new **one**](https://a.example/x_(y)) <https://b.example/> https://c.example/z。\n"
    r"| a | b |\n|:-:|--:|\n| `1` | x \\| y |\n"
)
LINK = '<a href="{0}" target="_blank" rel="noreferrer noopener">{1}</a>'
RENDERED = (
    "<h2>Title</h2>"
    "<p>A <strong>bold</strong> and <em>slanted</em> <code>word</code> &amp; &lt;b&gt;no tag&lt;/b&gt;</p>"
    '<ul><li>one<ul><li>inner</li></ul></li></ul><ol start="1"><li>first</li><li>second</li></ol>'
    "<blockquote><p>said</p></blockquote>"
    '<pre class="code" tabindex="0"><code>alert("&lt;script&gt;")</code></pre><p>[link](javascript:alert(1))</p>'
    "<h3>Deep</h3><p><del>old</del> "
    + LINK.format("https://a.example/x_(y)", "new <strong>one</strong>")
    + f" {LINK.format('https://b.example/', 'https://b.example/')} "
    + f"{LINK.format('https://c.example/z', 'https://c.example/z')}。</p>"
    '<div class="table-box" tabindex="0"><table><thead><tr><th style="text-align: center;">a</th>'
    '<th style="text-align: right;">b</th></tr></thead><tbody><tr><td style="text-align: center;"><code>1</code></td>'
    '<td style="text-align: right;">x | y</td></tr></tbody></table></div>'
)


@pytest.fixture
def member(browser: Browser, account: Account) -> Browser:
    browser.sign_in(account.member)
    return browser


def ask(browser: Browser, text: str) -> None:
    browser.fill("#chat-text", text + "\n")


def answered(browser: Browser, count: int = 1) -> None:
    browser.until(lambda: len(browser.all(".turn-foot")) == count, "the end of the answer")


def answer(browser: Browser) -> str:
    return str(browser.script("return document.querySelector('.turn:last-child .answer').innerHTML"))


# Playground


def test_a_chat_in_the_page_is_answered_and_on_record(member: Browser) -> None:
    member.open(PLAYGROUND)
    ask(member, "hello")
    answered(member)
    assert "hello" in answer(member)
    ask(member, "and again")
    answered(member, 2)
    until(lambda: not UsageRecord.objects.filter(status=UsageStatus.OPEN).exists(), "the records' end")
    assert list(UsageRecord.objects.values_list("endpoint", "status")) == 2 * [("playground", UsageStatus.DONE)]


def test_the_conversation_so_far_goes_with_a_question(member: Browser, school: School) -> None:
    member.open(PLAYGROUND)
    for count, text in enumerate(("first question", "second question"), 1):
        ask(member, text)
        answered(member, count)
    assert "first question" in school.prompts()[-1]
    member.click("[data-new-chat]")
    ask(member, "third question")
    answered(member)
    assert "first question" not in school.prompts()[-1]


def test_markdown_becomes_elements_and_markup_stays_text(member: Browser) -> None:
    member.open(PLAYGROUND)
    ask(member, f'[[sim text="{MARKDOWN}"]]')
    answered(member)
    assert answer(member) == RENDERED


def test_reasoning_is_folded(member: Browser) -> None:
    member.open(PLAYGROUND)
    ask(member, '[[sim reasoning="I think about it."]]')
    answered(member)
    assert member.all(".reasoning div") == []
    member.click(".reasoning summary")
    assert member.find(".reasoning div").text == "I think about it."


def test_an_answer_can_be_stopped(member: Browser) -> None:
    member.open(PLAYGROUND)
    ask(member, "[[sim pieces=500 delay_ms=100]]")
    member.see("piece3")
    member.click("[data-stop]")
    answered(member)
    member.see("Stopped.")
    assert "piece500" not in member.words
    until(lambda: UsageRecord.objects.filter(status=UsageStatus.CANCELLED).exists())


def test_an_error_is_told_and_the_question_can_be_asked_again(member: Browser, school: School) -> None:
    member.expect("502")
    member.open(PLAYGROUND)
    school.fault("server_error", call="saveSession", times=1)
    ask(member, "hello")
    member.see("The school reported an error of its own.")
    member.click(".error-said summary")
    member.see("The school's server failed")
    member.click("[data-again]")
    member.see_gone("The school reported an error of its own.")
    answered(member)
    assert "hello" in answer(member)


def test_who_is_signed_out_meanwhile_is_told(member: Browser) -> None:
    member.expect("401")
    member.open(PLAYGROUND)
    member.sign_out()
    ask(member, "hello")
    member.see("Sign in and open the playground again.")


def test_web_search_is_offered_where_the_model_can(member: Browser, school: School, offered: list[str]) -> None:
    member.open(PLAYGROUND)
    member.click("#chat-online")
    ask(member, "news")
    answered(member)
    assert "(online)" in answer(member)
    member.choose("#chat-model", offered[1])
    assert member.all("#chat-online") == []


def test_nothing_of_a_chat_is_stored_in_the_browser(member: Browser) -> None:
    member.open(PLAYGROUND)
    ask(member, "secret-word")
    answered(member)
    stored = member.script("return JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})")
    assert "secret-word" not in stored


def test_a_running_chat_has_no_barriers(member: Browser, axe: str) -> None:
    member.open(PLAYGROUND)
    ask(member, f'[[sim text="{MARKDOWN}" reasoning="I think."]]')
    answered(member)
    assert barriers(member, axe) == []


# Connect


def test_a_clients_calls_pass_and_their_key_is_revoked(member: Browser) -> None:
    member.open(f"{CONNECT}#cherry-studio")
    member.click("[data-check-start]")
    member.see("All calls passed")
    assert len(member.all(".check-calls .passed")) == 2
    until(lambda: ApiKey.objects.get().revoked_at)


def test_a_browsers_client_asks_first_and_lists_the_models(member: Browser) -> None:
    member.open(f"{CONNECT}#lobechat")
    member.click("[data-check-start]")
    member.see("All calls passed")
    assert len(member.all(".check-calls .passed")) == 3


def test_a_stream_that_says_nothing_does_not_pass(member: Browser) -> None:
    member.open(f"{CONNECT}#cherry-studio")
    member.script(
        """const { fetch } = window;
        window.fetch = (path, options) => path.endsWith("completions")
          ? Promise.resolve(new Response("data: [DONE]\\n\\n")) : fetch(path, options);"""
    )
    member.click("[data-check-start]")
    member.see("The stream brought no text")


def test_without_a_model_there_is_nothing_to_check_and_the_page_says_why(member: Browser, account: Account) -> None:
    Catalogue.objects.all().delete()
    member.open(CONNECT)
    member.see("The check needs a model")
    assert not member.find("[data-check-start]").is_enabled()


def test_a_failed_call_shows_its_cause_and_the_gateways_words(member: Browser, account: Account) -> None:
    member.expect("401")
    member.language("zh-CN")
    member.open(f"{CONNECT}#curl")
    member.click("#checks summary")
    member.fill("#own-key", "xg-wrong")
    member.click("[data-check-start]")
    member.see("401 · API 密钥不存在、已过期或已吊销")
    member.click(".error-said summary")
    member.see("This API key is not known here.")
    assert not ApiKey.objects.exists()


def test_a_pasted_key_is_used_and_not_revoked(member: Browser, account: Account) -> None:
    key, text = key_issue(member=account.member)
    member.open(f"{CONNECT}#curl")
    member.click("#checks summary")
    member.fill("#own-key", text)
    member.click("[data-check-start]")
    member.see("All calls passed")
    assert ApiKey.objects.get() == key
    key.refresh_from_db()
    assert key.is_live


# Keys


def test_a_key_is_created_and_gone_when_its_page_is_left(member: Browser) -> None:
    member.open("/dashboard/keys/")
    member.click("a.button.primary")
    member.fill("#id_name", "Laptop")
    member.click("button.primary")
    text = member.find("#api-key").text
    member.click("[data-check-start]")
    member.see("All calls passed")
    assert ApiKey.objects.get().is_live
    member.click("a.button", "I have copied it")
    member.at("/dashboard/keys/")
    member.see("Laptop")
    member.driver.back()
    member.until(lambda: text not in member.driver.page_source, "a page without the key")


@pytest.mark.parametrize("what", ["new/", "{pk}/", "{pk}/edit/", "{pk}/rotate/", "{pk}/revoke/"])
def test_the_pages_of_a_key_have_room_and_no_barriers(member: Browser, axe: str, account: Account, what: str) -> None:
    key, _ = key_issue(member=account.member, requests_per_day=5, allowed_networks=["2001:db8:1234::/48"])
    member.size(*PHONE)
    member.open(f"/dashboard/keys/{what.format(pk=key.pk)}")
    assert barriers(member, axe) == []
    assert member.overflow() <= 0


def test_a_new_keys_page_has_room_and_no_barriers(member: Browser, axe: str) -> None:
    member.size(*PHONE)
    member.theme("dark")
    member.open("/dashboard/keys/new/")
    member.fill("#id_name", "n" * 60)
    member.click("button.primary")
    member.find("#api-key")
    assert barriers(member, axe) == []
    assert member.overflow() <= 0


def test_the_models_are_searched_and_ordered(member: Browser) -> None:
    member.open("/dashboard/models/")
    member.fill("#model-search", "luna")
    assert [each.text for each in member.all(".model h2")] == ["Luna"]
    member.choose("#model-can", "thinking")
    member.see("No model is like that.")


def test_the_button_that_asks_the_school_says_that_it_does(member: Browser) -> None:
    member.open("/dashboard/models/")
    member.script("document.querySelector('[data-ask-school]').addEventListener('submit', (e) => e.preventDefault())")
    member.click("[data-ask-school] button")
    member.see("Asking the school…")


def test_the_page_of_models_fills_itself(member: Browser, account: Account) -> None:
    Catalogue.objects.all().delete()
    member.open("/dashboard/models/")
    member.see("They show up here by themselves.")
    catalogue.store(account.pk, [Model(id="m", label="The first")])
    member.see("The first")
