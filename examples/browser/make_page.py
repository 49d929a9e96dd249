"""A page that renders frames in a browser: ONNX Runtime's WebAssembly, one thread, no server behind it.

    npm install --prefix examples/browser            # onnxruntime-web, once
    pip install '.[onnx]'
    python examples/browser/make_page.py page/       # writes the folder, and serves it until Ctrl-C

Open the address that it prints: the page draws the frames, and says its milliseconds a frame and how far
its pictures are from PyTorch's.  The figures are printed here too.  ``--host 0.0.0.0`` lets a phone of the
same network open the page; any web server can serve the folder as well.

In the folder are ``index.html``, ``ort/`` (the runtime), ``graphs/`` (of ``neurocodec export``), pictures as
rows of RGB bytes, and ``frames.json``::

    {"model": name, "size": S, "graphs": {"reference": path, "render": path},
     "references": [{"picture": path, "keypoints": [x, y, x, y, ...]}],
     "frames": [{"keypoints": [...], "expected": path of PyTorch's picture}]}
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import torch

import neurocodec
from neurocodec.errors import InputError
from neurocodec.files.samples import sample_clips
from neurocodec.models.model_files import find, load
from neurocodec.models.onnx_export import export_model, spread_pictures

HERE = Path(__file__).parent
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
MOST_FIGURES = 1 << 16


def make(
    out: Path,
    runtime: Path,
    model: str = "swift256",
    *,
    frames: int = 8,
    references: int = 1,
    int8: bool = False,
) -> None:
    """Write the folder ``out``, which must be new or empty; ``runtime`` is the package onnxruntime-web.

    Raises:
        InputError: no such model, no such package, or a folder that holds something.
        UnsupportedError: packages are missing.
    """
    missing = [name for name in RUNTIME if not (runtime / "dist" / name).is_file()]
    if missing:
        raise InputError(f"{runtime} lacks dist/{missing[0]}; npm install --prefix {HERE} brings it")
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty")
    described = find(model, "motion")
    network = load(described)
    if references > network.max_references:
        raise InputError(f"{model} renders from at most {network.max_references} references")
    export_model(model, out / "graphs", int8=int8)
    ending = ".int8.onnx" if int8 else ".onnx"
    graphs = {"reference": f"graphs/reference{ending}", "render": f"graphs/render{references}{ending}"}
    (out / "ort").mkdir()
    for name in RUNTIME:
        shutil.copyfile(runtime / "dist" / name, out / "ort" / name)
    shutil.copyfile(HERE / "index.html", out / "index.html")

    pictures = spread_pictures(sample_clips()[0], described.size, frames + references)
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    chosen = np.linspace(0, len(pictures) - 1, references).astype(int)
    told: dict[str, Any] = {"model": model, "size": described.size, "graphs": graphs}
    told |= {"references": [], "frames": []}
    with torch.inference_mode():
        points = network.keypoints(tensor)
        made = [network.encode_reference(tensor[i : i + 1], points[i : i + 1]) for i in chosen]
        for k, i in enumerate(chosen):
            name = f"reference{k}.rgb"
            (out / name).write_bytes(pictures[i].tobytes())
            told["references"].append({"picture": name, "keypoints": points[i].flatten().tolist()})
        for i in sorted(set(range(len(pictures))) - set(chosen.tolist())):
            name = f"frame{i}.rgb"
            rendered = network.render(made, points[i : i + 1])[0].permute(1, 2, 0)
            (out / name).write_bytes(rendered.mul(255).round().clamp(0, 255).byte().numpy().tobytes())
            told["frames"].append({"keypoints": points[i].flatten().tolist(), "expected": name})
    (out / "frames.json").write_text(json.dumps(told))


class Handler(SimpleHTTPRequestHandler):
    """Files of a folder, and what the page says at the end."""

    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript", ".wasm": "application/wasm",
    }  # fmt: skip

    def __init__(self, *arguments: Any, folder: Path, report: Callable[[str], None]) -> None:
        self._report = report
        super().__init__(*arguments, directory=str(folder))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/figures" or not 0 <= length <= MOST_FIGURES:
            self.send_error(404)
            return
        self._report(self.rfile.read(length).decode(errors="replace"))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Requests are not worth a line."""


def server(
    folder: Path, report: Callable[[str], None], host: str = "127.0.0.1", port: int = 0
) -> ThreadingHTTPServer:
    """A server of a folder that hands the figures, as JSON, to ``report``; port 0 is any that is free."""
    return ThreadingHTTPServer((host, port), partial(Handler, folder=folder, report=report))


def main() -> int:
    parser = argparse.ArgumentParser(description="A page that renders frames in a browser.")
    parser.add_argument("out", type=Path, metavar="OUT_DIR", help="new or empty")
    parser.add_argument("--model", default="swift256", help="a motion model that can be exported")
    parser.add_argument("--int8", action="store_true", help="graphs in 8 bits")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--references", type=int, default=1, help="that a frame is rendered from")
    parser.add_argument(
        "--runtime", type=Path, default=HERE / "node_modules" / "onnxruntime-web", metavar="DIR",
        help="the npm package onnxruntime-web",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--no-serve", action="store_true", help="only write the folder")
    given = parser.parse_args()
    if not (1 <= given.references <= 3 and 2 <= given.frames <= 90):
        parser.error("1 to 3 references, 2 to 90 frames")
    try:
        make(
            given.out, given.runtime, given.model,
            frames=given.frames, references=given.references, int8=given.int8,
        )  # fmt: skip
    except neurocodec.NeurocodecError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if given.no_serve:
        return 0
    try:
        serving = server(given.out, partial(print, flush=True), given.host, given.port)
    except OSError as error:
        print(f"cannot serve {given.host}:{given.port}: {error.strerror or error}", file=sys.stderr)
        return 1
    with serving:
        print(f"http://{given.host}:{serving.server_port}/", flush=True)
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
