"""All documents against the repository: links, paths, commands, options."""

from __future__ import annotations

import pkgutil
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from places import ROOT

from neurocodec.commands.main import main

DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / name / "README.md" for name in ("checkpoints", "samples", "attacks")),
    ]
)
every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@every_document
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_document
def test_named_files_exist(path: Path) -> None:
    """Paths in code type with a folder in front: from the root, the package, or the document's own folder."""
    places = (ROOT, ROOT / "neurocodec", path.parent)
    for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|toml|sh|mp4|nfc|png))`", path.read_text()):
        if not name.startswith(("demo/", "graphs/", "run/")):
            assert any((place / name).exists() for place in places), name


@every_document
def test_named_modules_and_functions_exist(path: Path) -> None:
    for name in set(re.findall(r"`(?:python -m )?(neurocodec(?:\.\w+)+)", path.read_text())):
        pkgutil.resolve_name(name)


def test_every_picture_is_shown() -> None:
    shown = {
        (path.parent / link).resolve()
        for path in DOCUMENTS
        for link in re.findall(r"!\[[^]]*\]\(([^)]+)\)", path.read_text())
    }
    assert set((ROOT / "docs").glob("*.png")) == shown


def command_at(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that some words call, and what they give it."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words
        command, words = found, words[1:]
    return command, words


def shown_commands(text: str) -> Iterator[list[str]]:
    """The words after ``neurocodec`` of every command in a code block or in code type."""
    text = text.replace("\\\n", " ")
    blocks = re.findall(r"^(?: {4,}|\$ )(?:.*-m )?neurocodec +(.+)$", text, re.MULTILINE)
    spans = re.findall(r"`neurocodec\s+([^`]+)`", text)
    for line in [*blocks, *spans]:
        line = re.split(r" \| | < | > |  +#", " ".join(line.split("\n")))[0]
        yield [w for w in shlex.split(line) if not w.startswith("...")]


@every_document
def test_commands_and_their_options_exist(path: Path) -> None:
    for words in shown_commands(path.read_text()):
        if not re.match(r"[a-z]|--help", words[0]) or "|" in words[0]:
            continue
        command, rest = command_at(words)
        known = {o for p in command.params for o in [*p.opts, *p.secondary_opts]} | {"--help", "--version"}
        given = {w.split("=")[0] for w in rest if re.match(r"--?[a-z]", w)}
        assert given <= known, (words, given - known)


def stated(name: str) -> dict[str, dict[str, str]]:
    """Options and defaults by group, as a command's section of the options' page has them."""
    text = (ROOT / "docs" / "options.md").read_text()
    part = text.split(f"\n## `{name} ")[1].split("\n## ")[0]
    groups = {}
    for group in part.split("\n### ")[1:]:
        rows = re.findall(r"^\| (`-.+?) \| (.*?) ?\| .+ \|$", group, re.MULTILINE)
        groups[group.split("\n")[0]] = {re.findall(r"--[\w-]+", names)[0]: default for names, default in rows}
    return groups


@pytest.mark.parametrize("name", ["encode", "decode"])
def test_every_option_has_its_line(name: str) -> None:
    """In the groups and the order of ``--help``, with its default."""
    command, _ = command_at([name])
    groups = stated(name)
    if name == "decode":
        groups["Running"] = {o: d for o, d in stated("encode")["Running"].items() if o != "--verify"}
    helped: dict[str, list[str]] = {}
    for line in command.get_help(click.Context(command)).split("\n"):
        if found := re.fullmatch(r"(\w.*):", line):
            helped[found[1]] = []
        elif (found := re.match(r"  (?:-\w, )?(--[\w-]+)", line)) and found[1] != "--help":
            helped[list(helped)[-1]].append(found[1])
    assert {group: list(options) for group, options in groups.items()} == {
        group: options for group, options in helped.items() if group in groups
    }
    options = {p.opts[-1]: p for p in command.params if isinstance(p, click.Option)}
    defaults = {option: default for group in groups.values() for option, default in group.items()}
    assert set(options) - {"--help"} == set(defaults)
    for option, default in defaults.items():
        actual = options[option].default
        if isinstance(actual, (int, float)) and not isinstance(actual, bool):
            assert default == f"{actual:.12g}", option
        elif isinstance(actual, str):
            assert default == actual, option
