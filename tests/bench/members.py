"""`{username: upstream token}` on standard input: makes a member of each; `{username: API key}` on standard output."""

from __future__ import annotations

import json
import sys
from typing import Any

import django

django.setup()

from accounts.keys import key_issue  # noqa: E402  models can be imported only now
from accounts.services import member_add  # noqa: E402
from tokens.services import token_import  # noqa: E402


def _add(name: str, token: dict[str, Any]) -> str:
    account = member_add(name=name, xjtlu_username=name)
    token_import(account=account, pasted=token)
    return key_issue(member=account.member)[1]


if __name__ == "__main__":
    print(json.dumps({name: _add(name, token) for name, token in json.load(sys.stdin).items()}))
