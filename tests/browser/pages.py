"""Every page, by a name for its picture, its path, and who looks at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import Literal

from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.backends.db import SessionStore
from django.utils.http import urlsafe_base64_encode
from django_otp import DEVICE_ID_SESSION_KEY
from selenium.webdriver.common.by import By

from accounts.models import ApiKey, Member, SecondFactor
from gateway.health.heartbeats import BEAT, CHROME, DRIVER, Worker, heartbeat_note
from gateway.models import UpstreamSession
from tests.browser.browser import Browser
from tests.browser.sample import Sample

Who = Literal["nobody", "alice", "wei", "tom", "mei", "admin"]
Act = Callable[[Browser, Sample], None]


@dataclass(frozen=True)
class Page:
    """A `path` that is callable gets the sample. `fault`: what the console says of it although all is well.

    `ready`: a selector of what comes after the page itself. `then`: what leads from there to the page that is meant.
    """

    name: str
    who: Who
    path: str | Callable[[Sample], str]
    fault: str = ""
    ready: str = "body"
    then: Act | None = None

    def open(self, browser: Browser, sample: Sample) -> None:
        """As the one who looks at it."""
        workers_at_work()
        browser.sign_out()
        if self.who != "nobody":
            browser.sign_in(sample.member(self.who))
        if self.fault:
            browser.expect(self.fault)
        browser.open(self.path if isinstance(self.path, str) else self.path(sample))
        browser.find(self.ready)
        if self.then:
            self.then(browser, sample)


def workers_at_work() -> None:
    """The signs of life that the admin's front page looks for."""
    for part in (*Worker, BEAT):
        heartbeat_note(name=part)
    for program in (CHROME, DRIVER):
        heartbeat_note(name=program, version="142.0.7444.59")


# Pages to which no address leads


def become_first_admin(browser: Browser, sample: Sample) -> None:
    """The form that a fresh installation's link shows: for this moment there is no admin."""
    admins = Member.objects.filter(is_superuser=True)
    admins.update(is_active=False)
    browser.open(f"/dashboard/first-admin/{sample.first_admin}/")
    browser.find("#id_again")
    admins.update(is_active=True)


def choose_first_client(browser: Browser, sample: Sample) -> None:
    ApiKey.objects.filter(member=sample.tom.member).delete()
    browser.open("/dashboard/welcome/")
    browser.click("[name='client'][value='cherry-studio']")
    browser.find("#api-key")


def create_key(browser: Browser, sample: Sample) -> None:
    browser.fill("#id_name", "Laptop")
    browser.click("main form button.primary")
    browser.find("#api-key")
    ApiKey.objects.filter(name="Laptop").delete()


def look_at_file(browser: Browser, sample: Sample) -> None:
    lines = ["name,xjtlu_username", "san,San.Zhang25", f"wei,{sample.wei.username}", f"wen,{sample.wei.username}"]
    with NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("\n".join(lines))
        file.flush()
        # The theme hides the field itself.
        browser.driver.find_element(By.CSS_SELECTOR, "form [type='file']").send_keys(file.name)
        browser.click("#content-main form [type='submit']")
        browser.find("table.stacked")


def press(act: str) -> Act:
    """A button of the admin's, by its action."""

    def pressed(browser: Browser, sample: Sample) -> None:
        # Of what was invited before, it asks first.
        browser.script("window.confirm = () => true")
        browser.click(f"form[action$='/act/{act}/'] button")
        browser.find("[data-secret] code, [name='grace']")

    return pressed


def run(action: str) -> Act:
    """An action of the list's, for all of its rows."""

    def ran(browser: Browser, sample: Sample) -> None:
        browser.click("#action-toggle")
        browser.choose("select[name='action']", action)
        browser.click("[name='index']")
        browser.find("[data-secret] code, .button.danger")

    return ran


def reset_link(sample: Sample) -> str:
    member = sample.wei.member
    member.refresh_from_db()
    uid = urlsafe_base64_encode(str(member.pk).encode())
    return f"/dashboard/password-reset/{uid}/{default_token_generator.make_token(member)}/"


def past_second_factor(page: str) -> Act:
    """A page of those who have given their second factor."""

    def passed(browser: Browser, sample: Sample) -> None:
        cookie = browser.driver.get_cookie("sessionid")
        assert cookie is not None
        session = SessionStore(str(cookie["value"]))
        session[DEVICE_ID_SESSION_KEY] = SecondFactor.objects.get(user__username="mei").persistent_id
        session.save()
        browser.open(f"/dashboard/second-factor/{page}/")
        browser.find("main form")

    return passed


def ask_in_playground(browser: Browser, sample: Sample) -> None:
    browser.fill("#chat-text", "Write a haiku about a gateway.\n")
    browser.find(".turn-foot")


def admin_session(sample: Sample) -> str:
    return f"/admin/gateway/upstreamsession/{UpstreamSession.objects.earliest('created_at').pk}/change/"


def admin_account(sample: Sample) -> str:
    return f"/admin/accounts/account/{sample.wei.pk}/change/"


def admin_key(sample: Sample) -> str:
    return f"/admin/accounts/apikey/{sample.key.pk}/change/"


TOLD = "[data-begun=told]"
"""The WebSocket of an account's logins has said how they are."""

PAGES = (
    Page("sign-in", "nobody", "/dashboard/sign-in/"),
    Page("password-reset", "nobody", "/dashboard/password-reset/"),
    Page("password-reset-sent", "nobody", "/dashboard/password-reset/sent/"),
    Page("password-reset-confirm", "nobody", reset_link, ready="[name='new_password1']"),
    Page("password-reset-done", "nobody", "/dashboard/password-reset/done/"),
    Page("second-factor", "mei", "/dashboard/", ready="#id_code"),
    Page("invitation", "nobody", lambda sample: f"/dashboard/invitation/{sample.invitation}/"),
    Page("first-admin", "nobody", "/dashboard/sign-in/", then=become_first_admin),
    Page("invitation-gone", "nobody", lambda sample: f"/dashboard/first-admin/{sample.first_admin}/", "410 (Gone)"),
    Page("welcome", "alice", "/dashboard/welcome/", ready=TOLD),
    Page("welcome-key", "tom", "/dashboard/welcome/", then=choose_first_client),
    Page("overview", "alice", "/dashboard/"),
    Page("overview-needs-you", "wei", "/dashboard/"),
    Page("account", "alice", "/dashboard/account/", ready=TOLD),
    Page("account-needs-you", "wei", "/dashboard/account/", ready=TOLD),
    Page("handover", "alice", "/dashboard/handover/"),
    Page("keys", "alice", "/dashboard/keys/"),
    Page("keys-none", "wei", "/dashboard/keys/"),
    Page("key", "alice", lambda sample: f"/dashboard/keys/{sample.key.pk}/"),
    Page("key-new", "alice", "/dashboard/keys/new/"),
    Page("key-created", "alice", "/dashboard/keys/new/", then=create_key),
    Page("key-edit", "alice", lambda sample: f"/dashboard/keys/{sample.key.pk}/edit/"),
    Page("key-rotate", "alice", lambda sample: f"/dashboard/keys/{sample.key.pk}/rotate/"),
    Page("key-revoke", "alice", lambda sample: f"/dashboard/keys/{sample.key.pk}/revoke/"),
    Page("usage", "alice", "/dashboard/usage/"),
    Page("usage-none", "wei", "/dashboard/usage/"),
    Page("usage-record", "alice", lambda sample: f"/dashboard/usage/{sample.failed.request_id}/"),
    Page("models", "alice", "/dashboard/models/"),
    Page("models-none", "wei", "/dashboard/models/"),
    Page("connect", "alice", "/dashboard/connect/"),
    Page("playground", "alice", "/dashboard/playground/"),
    Page("playground-chat", "alice", "/dashboard/playground/", then=ask_in_playground),
    Page("playground-needs-you", "wei", "/dashboard/playground/"),
    Page("settings", "alice", "/dashboard/settings/"),
    Page("second-factor-set-up", "alice", "/dashboard/second-factor/set-up/"),
    Page("second-factor-new-codes", "mei", "/dashboard/", then=past_second_factor("recovery-codes")),
    Page("second-factor-off", "mei", "/dashboard/", then=past_second_factor("off")),
    Page("api-docs", "alice", "/api/docs/", ready="#operations[role=group]"),
    Page("not-found", "alice", "/dashboard/nothing/", "404 (Not Found)"),
    Page("admin-not-found", "admin", "/admin/nothing/", "404 (Not Found)"),
    Page("admin", "admin", "/admin/"),
    Page("admin-members", "admin", "/admin/accounts/member/"),
    Page("admin-member", "admin", lambda sample: f"/admin/accounts/member/{sample.alice.member.pk}/change/"),
    Page("admin-staff-add", "admin", "/admin/accounts/member/add/"),
    Page("admin-accounts", "admin", "/admin/accounts/account/"),
    Page("admin-accounts-log-in", "admin", "/admin/accounts/account/", then=run("log_in_now")),
    Page("admin-accounts-invited", "admin", "/admin/accounts/account/", then=run("invite")),
    Page("admin-account", "admin", lambda sample: f"/admin/accounts/account/{sample.alice.pk}/change/"),
    Page("admin-account-needs-you", "admin", admin_account),
    Page("admin-account-wrong-password", "admin", lambda sample: f"/admin/accounts/account/{sample.tom.pk}/change/"),
    Page("admin-token", "admin", lambda sample: f"/admin/accounts/account/{sample.wei.pk}/token/"),
    Page("admin-account-add", "admin", "/admin/accounts/account/add/"),
    Page("admin-account-remove", "admin", lambda sample: f"/admin/accounts/account/{sample.wei.pk}/delete/"),
    Page("admin-import", "admin", "/admin/accounts/account/import/"),
    Page("admin-import-check", "admin", "/admin/accounts/account/import/", then=look_at_file),
    Page(
        "admin-invited",
        "admin",
        admin_account,
        then=press("invite"),
    ),
    Page("admin-keys", "admin", "/admin/accounts/apikey/"),
    Page("admin-keys-revoke", "admin", "/admin/accounts/apikey/", then=run("revoke")),
    Page("admin-key", "admin", admin_key),
    Page(
        "admin-key-rotate",
        "admin",
        admin_key,
        then=press("rotate"),
    ),
    Page("admin-key-add", "admin", "/admin/accounts/apikey/add/"),
    Page("admin-invitations", "admin", "/admin/accounts/invitation/"),
    Page("admin-logins", "admin", "/admin/tokens/loginattempt/"),
    Page("admin-login", "admin", lambda sample: f"/admin/tokens/loginattempt/{sample.login.pk}/change/"),
    Page("admin-usage", "admin", "/admin/gateway/usagerecord/"),
    Page("admin-usage-record", "admin", lambda sample: f"/admin/gateway/usagerecord/{sample.failed.pk}/change/"),
    Page("admin-sessions", "admin", "/admin/gateway/upstreamsession/"),
    Page("admin-session", "admin", admin_session),
    Page("admin-password", "admin", "/admin/password_change/"),
    Page(
        "admin-member-password",
        "admin",
        lambda sample: f"/admin/accounts/member/{sample.alice.member.pk}/password/",
    ),
    Page("admin-audit", "admin", "/admin/accounts/auditentry/"),
    Page("admin-audit-entry", "admin", lambda sample: f"/admin/accounts/auditentry/{sample.entry.pk}/change/"),
)
