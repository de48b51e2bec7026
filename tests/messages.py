"""`make messages`: the strings of the pages, collected into the Chinese catalogue, and the catalogue compiled.

With `--check`: nothing is written, and the faults of the catalogue are listed. GNU gettext is not needed.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "gateway" / "locale" / "zh_Hans" / "LC_MESSAGES"
OURS = ("gateway", "accounts", "tokens", "templates")
# The theme has no languages of its own; these are the parts of it that are installed.
THEME = (
    "*.py",
    "mixins/*.py",
    "templatetags/*.py",
    "templates/**/*.html",
    "contrib/f[io]*/**/*.py",
    "contrib/f[io]*/**/*.html",
)
# What these have in Chinese already needs no words of ours.
SPEAKING = ("django/conf", "django/contrib/admin", "django/contrib/auth", "rest_framework")
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    **dict.fromkeys(("gettext_lazy", "gettext_noop")),
    **{f"{name}_lazy": DEFAULT_KEYWORDS[name] for name in ("ngettext", "pgettext", "npgettext")},
}
PLACEHOLDER = re.compile(r"%\(\w+\)[-#0-9.]*[a-z]|%[sdrif]|\{\w*\}|</?\w+")
Ids = str | tuple[str, ...] | list[str]


@dataclass(frozen=True)
class Found:
    """A string of the source; `ids` has two parts where there is a plural."""

    ids: Ids
    context: str | None
    comments: tuple[str, ...]
    file: str


class Chinese(Catalog):
    """One whose bytes depend on its strings alone: its header has no dates and names no program."""

    def __init__(self) -> None:
        comment = "# What the pages say, in Simplified Chinese. `make messages` collects and compiles it."
        super().__init__(locale="zh_Hans", header_comment=comment, fuzzy=False)

    @property
    def mime_headers(self) -> list[tuple[str, str]]:
        return [
            ("Language", "zh_Hans"),
            ("Plural-Forms", "nplurals=1; plural=0;"),
            ("MIME-Version", "1.0"),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Transfer-Encoding", "8bit"),
        ]


# Collecting


def python_strings(source: bytes, file: str) -> Iterator[Found]:
    """The strings that a Python source marks for translation."""
    marked = extract("python", io.BytesIO(source), KEYWORDS, ["Translators:"], {"encoding": "utf-8"}, True)
    for _, ids, comments, context in marked:
        yield Found(ids, context, tuple(comments), file)


def template_strings(source: str, file: str) -> Iterator[Found]:
    """The strings that a Django template marks for translation."""
    # Only the marked strings are left as code; the indentation of what lay around them would be a fault in Python.
    lines = (line.lstrip() for line in templatize(source).splitlines())
    yield from python_strings("\n".join(lines).encode(), file)


def strings(path: Path, file: str) -> Iterator[Found]:
    if path.suffix == ".py":
        return python_strings(path.read_bytes(), file)
    return template_strings(path.read_text(), file)


def collected() -> list[Found]:
    """All strings: ours, and those of the theme that nobody else translates."""
    ours = [found for path, file in our_files() for found in strings(path, file)]
    theirs = [found for path, file in theme_files() for found in strings(path, file)]
    known = spoken()
    return ours + [found for found in theirs if (first(found.ids), found.context) not in known]


def our_files() -> Iterator[tuple[Path, str]]:
    for folder in OURS:
        paths = (path for kind in ("py", "html", "txt") for path in (ROOT / folder).rglob(f"*.{kind}"))
        yield from ((path, str(path.relative_to(ROOT))) for path in sorted(paths))


def theme_files() -> Iterator[tuple[Path, str]]:
    theme = package("unfold")
    paths = {path for pattern in THEME for path in theme.glob(pattern) if "unfold_crispy" not in path.parts}
    yield from ((path, str(path.relative_to(theme.parent))) for path in sorted(paths))


def package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def spoken() -> set[tuple[str, str | None]]:
    """The strings that Django and others translate themselves."""
    files = []
    for name in SPEAKING:
        root, _, rest = name.partition("/")
        files.append(package(root) / rest / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.mo")
    catalogues = [read_mo(io.BytesIO(file.read_bytes())) for file in files]
    return {(first(message.id), message.context) for catalogue in catalogues for message in catalogue}


def first(ids: Ids) -> str:
    """The string itself, without its plural."""
    return ids if isinstance(ids, str) else ids[0]


# The catalogue


def merged(found: Iterable[Found], old: Catalog) -> Chinese:
    """The strings of the source in the order of the alphabet, with the translations that there are."""
    book = Chinese()
    for each in sorted(found, key=lambda each: (first(each.ids), each.context or "", each.file)):
        known = old.get(each.ids, each.context)
        # A string that has a plural now, or has none any more, begins anew.
        same = known is not None and known.pluralizable != isinstance(each.ids, str)
        string, flags = (known.string, known.flags & {"fuzzy"}) if known and same else ("", ())
        book.add(each.ids, string, [(each.file, 1)], flags, each.comments, context=each.context)
    return book


def as_po(book: Catalog) -> bytes:
    file = io.BytesIO()
    write_po(file, book, width=120, include_lineno=False)
    return file.getvalue().rstrip(b"\n") + b"\n"


def as_mo(book: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, book)
    return file.getvalue()


def stored() -> Catalog:
    try:
        return read_po(io.BytesIO((FOLDER / "django.po").read_bytes()), locale="zh_Hans")
    except FileNotFoundError:
        return Chinese()


# What is wrong


def faults(message: Message) -> Iterator[str]:
    """What is wrong with one translation."""
    translations = [message.string] if isinstance(message.string, str) else message.string or [""]
    if not all(translations):
        yield "is not translated"
    elif message.fuzzy:
        yield "is fuzzy"
    elif any(placeholders(each) != placeholders(longest(message)) for each in translations):
        yield "has other placeholders or tags in its translation"


def longest(message: Message) -> str:
    """The form whose placeholders every translation needs: the plural, where there is one."""
    return message.id if isinstance(message.id, str) else message.id[-1]


def placeholders(text: str) -> list[str]:
    return sorted(PLACEHOLDER.findall(text))


def check() -> list[str]:
    """Lines that say what is wrong with the catalogue; empty where nothing is."""
    old = stored()
    book = merged(collected(), old)
    lines = [f"{message.id!r} {fault}" for message in book if message.id for fault in faults(message)]
    if as_po(book) != (FOLDER / "django.po").read_bytes():
        lines.append("django.po does not have the strings of the source: run `make messages`")
    if as_mo(book) != (FOLDER / "django.mo").read_bytes():
        lines.append("django.mo is not what django.po says: run `make messages`")
    return lines


def update() -> None:
    """Write both files, and say how much is left to translate."""
    book = merged(collected(), stored())
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "django.po").write_bytes(as_po(book))
    (FOLDER / "django.mo").write_bytes(as_mo(book))
    wrong = [message for message in book if message.id and any(faults(message))]
    print(f"{len(book)} strings; {len(wrong)} need work.")


def main(arguments: list[str]) -> None:
    if arguments == ["--check"]:
        lines = check()
        print("\n".join(lines))
        sys.exit(bool(lines))
    update()


if __name__ == "__main__":
    main(sys.argv[1:])
