"""The rooms of the package: lower ones never import upper ones, and nothing lies about at the root."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import DATA, ROOT

PACKAGE = ROOT / "neurocodec"
ROOMS = (
    "errors", "types", "threads", "prefetch",
    "entropy", "format", "options", "option_text", "keypoints", "files", "media", "references", "layers",
    "inspect", "networks", "models", "faces", "compositing", "decoding", "encoding", "api",
    "batch", "measure", "peers", "compare", "call", "datasets", "evaluation", "training", "commands", "bench",
)  # fmt: skip
"""From the ground up; a room may import those before it, and itself."""
FILES = {p: ".".join(p.relative_to(ROOT).with_suffix("").parts) for p in sorted(PACKAGE.rglob("*.py"))}
FACES = {"__init__", "__main__"}


def room(module: str) -> str:
    """The room of ``neurocodec.room.module``."""
    return module.split(".")[1]


def imports(source: str) -> Iterator[str]:
    """The modules of the package that some code imports when it runs; names of modules in full."""
    known = {*FILES.values(), *(m.removesuffix(".__init__") for m in FILES.values())}
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("neurocodec."))
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            module = node.module or ""
            if module.split(".")[0] == "neurocodec":
                full = [f"{module}.{a.name}" for a in node.names]
                yield from (f if f in known else module for f in full)


def test_lower_rooms_never_import_upper_ones() -> None:
    upward = [
        f"{module} imports {imported}"
        for path, module in FILES.items()
        if room(module) not in FACES
        for imported in imports(path.read_text())
        if imported != "neurocodec" and ROOMS.index(room(imported)) > ROOMS.index(room(module))
    ]
    assert not upward


def test_no_module_imports_in_a_circle() -> None:
    edges = {
        m: {
            i if i in FILES.values() else f"{i}.__init__" for i in imports(p.read_text()) if i != "neurocodec"
        }
        for p, m in FILES.items()
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"circle: {' -> '.join((*path, module))}"
        if module not in done:
            for other in edges.get(module, ()):
                visit(other, (*path, module))
            done.add(module)

    for module in edges:
        visit(module, ())


def test_every_room_says_in_a_line_what_is_in_it() -> None:
    found = {room(m) for m in FILES.values()} - FACES
    assert found == set(ROOMS)
    for path, module in FILES.items():
        if module.endswith(".__init__"):
            text = ast.get_docstring(ast.parse(path.read_text()))
            assert text and len(text.splitlines()[0]) <= 110, module
            assert text.count("\n") == 0 or module == "neurocodec.__init__", module


@pytest.mark.parametrize("command", ["info", "repair"])
def test_files_are_inspected_without_torch_and_codecs(command: str, tmp_path: Path) -> None:
    """In a process of its own: what the command imports on a real file."""
    code = f"""
import sys
from neurocodec.commands.main import main
sys.argv[1:] = {[command, str(DATA / "long.nfc"), *([str(tmp_path / "out.nfc")] * (command == "repair"))]!r}
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print(sorted({{"torch", "cv2", "av"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_architecture_names_every_room() -> None:
    rooms_table = (ROOT / "docs" / "architecture.md").read_text().split("## The rooms")[1].split("\n## ")[0]
    for name in ROOMS:
        assert f"`{name}`" in rooms_table, name
