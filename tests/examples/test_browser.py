"""The page of ``examples/browser`` renders what PyTorch renders, in a headless browser where one is here."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, Queue
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from browser import HEADLESS, find_browser, npm_package
from places import ROOT
from scripts import script

FOLDER = ROOT / "examples" / "browser"
page = script(FOLDER / "make_page.py")
SECONDS = 240


def figures_of(browser: str, folder: Path, profile: Path) -> dict:
    """What the page in a folder says of itself."""
    told: Queue[str] = Queue()
    with page.server(folder, told.put) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        running = subprocess.Popen(
            [browser, *HEADLESS, f"--user-data-dir={profile}", f"http://127.0.0.1:{serving.server_port}/"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            return json.loads(told.get(timeout=SECONDS))
        except Empty:
            pytest.fail(f"the page said nothing in {SECONDS} seconds")
        finally:
            running.terminate()
            running.wait(30)
            serving.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("references", [1, 2])
def test_a_browser_renders_what_pytorch_renders(tmp_path: Path, references: int) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    browser = find_browser()
    local = FOLDER / "node_modules" / "onnxruntime-web"
    runtime = local if local.is_dir() else npm_package("onnxruntime-web", "ORT_WEB")
    if browser is None or runtime is None:
        pytest.skip("no headless browser, or no onnxruntime-web (npm install -g, or ORT_WEB=its folder)")
    folder = tmp_path / "page"
    page.make(folder, runtime, frames=3, references=references)
    figures = figures_of(browser, folder, tmp_path / "profile")
    assert "error" not in figures, figures
    assert figures["graph"] == f"graphs/render{references}.onnx"
    assert figures["frames"] == 9
    assert figures["largest_difference"] <= 1  # of 255 levels: both round
    assert figures["mean_difference"] < 0.01
    assert 0 < figures["milliseconds_least"] <= figures["milliseconds_median"]
    assert figures["milliseconds_mean"] < 60_000

    expected = sorted(folder.glob("frame*.rgb"))[1]  # the comparison is no pretence
    expected.write_bytes(bytes(255 - value for value in expected.read_bytes()))
    assert figures_of(browser, folder, tmp_path / "profile")["largest_difference"] > 50


def test_what_cannot_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["make_page.py", *map(str, arguments)])
        return page.main()

    assert run(tmp_path / "new", "--runtime", tmp_path) == 3
    assert "npm install" in capsys.readouterr().err
    (tmp_path / "dist").mkdir()
    for name in page.RUNTIME:
        (tmp_path / "dist" / name).touch()
    assert run(tmp_path, "--runtime", tmp_path) == 3
    assert f"{tmp_path} is not empty" in capsys.readouterr().err
    assert run(tmp_path / "new", "--runtime", tmp_path, "--model", "talk256", "--references", 3) == 3
    assert "at most 2 references" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    with pytest.raises(SystemExit):
        run(tmp_path / "new", "--references", 4)


def test_the_server_takes_figures_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "x.mjs").write_text("1")
    told: Queue[str] = Queue()
    with page.server(tmp_path, told.put) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{serving.server_port}"
        assert urlopen(f"{address}/x.mjs").headers["Content-Type"] == "text/javascript"
        assert urlopen(Request(f"{address}/figures", b'{"a": 1}')).status == 204
        assert told.get(timeout=10) == '{"a": 1}'
        for path, body in (("other", b"1"), ("figures", bytes(page.MOST_FIGURES + 1))):
            with pytest.raises((HTTPError, OSError)):
                urlopen(Request(f"{address}/{path}", body))
        serving.shutdown()
    assert told.empty()


def test_the_runtime_is_pinned() -> None:
    versions = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    assert versions and all(version[0].isdigit() for version in versions.values())
