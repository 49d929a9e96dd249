"""The report passes an accessibility checker (axe-core) in a headless browser, where both are here."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from browser import HEADLESS, find_browser, npm_package
from clips import cut
from places import SAMPLES
from workers_here import Here

from neurocodec.compare import report
from neurocodec.compare.cache import PointCache
from neurocodec.compare.html import write_report
from neurocodec.compare.run import Plan, compare
from neurocodec.measure.metric import MetricFiles
from neurocodec.measure.registry import METRICS
from neurocodec.peers import registry
from neurocodec.peers.ours import LADDERS

RUN = "axe.run(document).then(r => { document.body.innerHTML = '<pre id=axe>' + JSON.stringify(r.violations.map(v => v.id + ': ' + v.nodes.length + ' ' + v.nodes[0].html.slice(0, 120))).replaceAll('<', '&lt;') + '</pre>' })"  # noqa: E501


@pytest.mark.slow
def test_axe_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, axe = find_browser(), npm_package("axe-core", "AXE")
    if browser is None or axe is None:
        pytest.skip("no headless browser, or no axe-core (npm install -g axe-core, or AXE=axe.min.js)")
    monkeypatch.setitem(LADDERS, "default", ("quality", (20,)))
    monkeypatch.setattr(registry.CODECS["h264"], "levels", (30, 40))
    clip = cut(SAMPLES / "astronaut.mp4", tmp_path / "short.mp4", 6)
    metrics = [METRICS[name](MetricFiles()) for name in ("psnr_rgb", "ssim")]
    plan = Plan([registry.CODECS["h264"]()], metrics)
    result = compare([clip], plan, PointCache(tmp_path / "cache"), Here(), lambda done, total, what: None)
    write_report(result, report.build(result), tmp_path)
    page = (tmp_path / "report.html").read_text()
    axe = axe / "axe.min.js" if axe.is_dir() else axe
    script = f"<script>{axe.read_text()}</script><script>{RUN}</script></body>"
    (tmp_path / "checked.html").write_text(page.replace("</body>", script))
    done = subprocess.run(
        [
            browser, *HEADLESS, "--virtual-time-budget=60000", "--dump-dom",
            (tmp_path / "checked.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    found = re.search(r'<pre id="axe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-500:]
    assert json.loads(found.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")) == []
