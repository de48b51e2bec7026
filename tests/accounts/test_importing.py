"""What an import would make of a CSV file, and what it makes."""

from __future__ import annotations

import pytest

from accounts import crypto, importing
from accounts.importing import Line, NotReadable, Verdict, members_import, preview
from accounts.models import Account, Member
from accounts.services import member_add

pytestmark = pytest.mark.django_db
HEAD = "name,xjtlu_username,xjtlu_password,email\n"


def verdicts(text: str) -> list[Verdict]:
    return [line.verdict for line in preview(text)]


def test_the_sample_is_good() -> None:
    assert verdicts(importing.SAMPLE) == [Verdict.NEW, Verdict.NEW]


def test_a_look_writes_nothing() -> None:
    preview(HEAD + "a,A,pw,\n")
    assert not Member.objects.exists()


def test_the_good_lines_are_imported() -> None:
    members_import(preview(HEAD + "a,A.Li,pw,a@example.org\nnot a name!,B,pw,\n"))
    account = Account.objects.get()
    assert (account.username, account.member.email) == ("A.Li", "a@example.org")
    assert crypto.unseal(account, "password") == "pw"


def test_who_is_there_already_stays_as_they_are() -> None:
    member_add(name="a", xjtlu_username="A.Li", xjtlu_password="old")
    lines = preview(HEAD + "A,a.li,new,\n")
    assert [line.verdict for line in lines] == [Verdict.EXISTS]
    assert members_import(lines) == []
    assert crypto.unseal(Account.objects.get(), "password") == "old"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a,Other,pw,", "A member with this name exists already."),
        ("b,a.LI,pw,", "A member with this XJTLU account exists already."),
        ("not a name!,B,pw,", "Name: Enter a valid username."),
        (",B,pw,", "Name: This field cannot be blank."),
        ("b,,pw,", "XJTLU username: This field cannot be blank."),
        ("b,B,pw,no-mail", "E-mail: Enter a valid email address."),
        (f"b,{'B' * 200},pw,", "at most 150 characters"),
        ("b,San Zhang,pw,", "XJTLU username: Write it as at the school's sign-on"),
        ("b,San.Zhang24@xjtlu.edu.cn,pw,", "XJTLU username: Write it"),
        ("b,张三,pw,", "XJTLU username: Write it"),
    ],
)
def test_a_bad_line_says_why_and_no_password(line: str, problem: str) -> None:
    member_add(name="a", xjtlu_username="A.Li")
    judged = preview(f"{HEAD}{line}\n")[0]
    assert judged.verdict is Verdict.WRONG
    assert problem in judged.problem
    assert "pw" not in repr(judged)


@pytest.mark.parametrize(
    "text",
    [
        "name,xjtlu_username,xjtlu_password\nsan,San.Zhang24,pa,ss\n",
        "name,xjtlu_username,xjtlu_password,\nsan,San.Zhang24,pa,ss\n",
        HEAD + "san,San.Zhang24,pa,ss\n",
        HEAD + "san,San.Zhang24,pa,ss,san@example.org\n",
        HEAD + 'san,San.Zhang24,"pa\nsi,Si.Li23,ss",\n',
    ],
)
def test_a_password_that_was_cut_makes_the_line_wrong_and_is_not_shown(text: str) -> None:
    (line,) = preview(text)
    assert line.verdict is Verdict.WRONG
    assert (line.name, line.xjtlu_username, line.xjtlu_password, line.email) == ("", "", "", "")
    assert "pa" not in line.problem.replace("password", "")


def test_a_password_keeps_its_spaces() -> None:
    assert preview(HEAD + "a, A , p w ,\n")[0] == Line(2, "a", "A", " p w ")


def test_a_line_that_repeats_another_names_it() -> None:
    lines = preview(HEAD + "a,A,,\nb,a,,\nA,C,,\n")
    assert [line.verdict for line in lines] == [Verdict.NEW, Verdict.WRONG, Verdict.WRONG]
    assert "Line 2" in lines[1].problem


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + HEAD + "a,A,,\n",
        HEAD.replace(",", ";") + "a;A;;\n",
        HEAD.replace(",", "\t") + "a\tA\t\t\n",
        "xjtlu_username,name\r\nA,a\r\n,\r\n",
        'Name , "XJTLU Username",E-Mail,Remark\na,A,,"x, y"\n',
    ],
)
def test_files_of_spreadsheets_are_read(text: str) -> None:
    (line,) = preview(text)
    assert (line.name, line.xjtlu_username, line.number) == ("a", "A", 2)


def test_empty_lines_before_the_columns_are_passed_over() -> None:
    assert [line.number for line in preview(f"\n,,,\n{HEAD}a,A,,\n")] == [4]


def test_a_file_as_spreadsheets_in_china_save_it_is_read() -> None:
    assert preview(importing.decoded(f"{HEAD}张三,San.Zhang24,,\n".encode("gb18030")))[0].name == "张三"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "missing: name, xjtlu_username"),
        ("user,pass\nx,y\n", "missing: name, xjtlu_username"),
        (HEAD, "names no member"),
        (HEAD + "a,A,,\n" * 1001, "more than 1000"),
        (HEAD + "a" * 200_000 + ",A,,\n", "Line"),
        (HEAD + 'a,A,"pw,\n', "Line 2 is no CSV"),
        ("name,xjtlu_username,Name\na,A,b\n", "twice: name"),
    ],
)
def test_what_is_no_such_file_says_what_to_change(text: str, problem: str) -> None:
    with pytest.raises(NotReadable, match=problem):
        preview(text)
