"""Networks as ONNX graphs, for runtimes that are not PyTorch.

A motion model becomes graphs that together do all that decoding needs::

    keypoints.onnx   picture (B,3,S,S)                   -> keypoints (B,N,2)
    reference.onnx   picture (B,3,S,S)                   -> restored, small, features0, features1, features2
    render1.onnx     keypoints (B,N,2), one reference    -> picture (B,3,S,S)
    render2.onnx     keypoints (B,N,2), two references   -> picture (B,3,S,S)

and so on, up to as many references as the model takes (talk two, swift three).  A reference is what
``reference.onnx`` makes of its decoded picture, and that picture's keypoints; their names end in ``_0``,
``_1``, ``_2`` in the inputs of ``render``.  A landmark network becomes ``encoder.onnx`` (picture
(B,3,128,128) -> latent (B,L), presence (B,)) and ``landmarks.onnx`` (latent (B,L) -> landmarks (B,68,2)).
Pictures are RGB in [0,1].

Batch norms are folded, splines are fitted by plain elimination, since ONNX has no linear solver, and feature
maps are warped by gathers.  B is fixed at export.  Graphs are checked by running them beside PyTorch; they
can be made smaller by quantizing convolutions to 8 bits, calibrated on pictures.
"""

from __future__ import annotations

import io
import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from neurocodec.errors import OutputError, UnsupportedError
from neurocodec.models.device import fold_batch_norms
from neurocodec.models.model_files import ModelDescription, load
from neurocodec.models.timing import measure
from neurocodec.networks.face68 import SIDE, Face68
from neurocodec.networks.swift import Swift
from neurocodec.networks.talk import Talk
from neurocodec.networks.tps import plain_arithmetic

OPSET = 18
CHANNELS = 16
"""ONNX Runtime's fast convolutions take channels in groups of so many."""
REFERENCE_PARTS = ("restored", "small", "features0", "features1", "features2", "keypoints")
"""What a reference consists of, in the order in which ``render`` takes it."""
Arrays = dict[str, NDArray[np.float32]]


class _Keypoints(nn.Module):
    def __init__(self, network: Talk | Swift) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        return self.network.keypoints(picture)


class _Reference(nn.Module):
    def __init__(self, network: Talk | Swift) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, ...]:
        restored, *rest = self.network.encode_reference(picture, picture.new_zeros(1))[:-1]
        return (restored.clone(), *rest)  # a graph whose output is its input would not export


class _Render(nn.Module):
    def __init__(self, network: Talk | Swift) -> None:
        super().__init__()
        self.network = network

    def forward(self, keypoints: Tensor, *parts: Tensor) -> Tensor:
        each = len(REFERENCE_PARTS)
        references: list[Any] = [parts[k : k + each] for k in range(0, len(parts), each)]
        return self.network.render(references, keypoints)


class _Encoder(nn.Module):
    def __init__(self, network: Face68) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        return self.network.encode(picture)


class _Landmarks(nn.Module):
    def __init__(self, network: Face68) -> None:
        super().__init__()
        self.network = network

    def forward(self, latent: Tensor) -> Tensor:
        return self.network.decode(latent)


class _Padded(nn.Module):
    """A convolution whose input gets channels of zeros up to a multiple of 16."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.more = -convolution.in_channels % CHANNELS
        self.convolution = convolution
        convolution.in_channels += self.more
        convolution.weight = nn.Parameter(F.pad(convolution.weight, (0, 0, 0, 0, 0, self.more)), False)

    @property
    def weight(self) -> Tensor:
        """The convolution's, whose dtype networks ask for."""
        return self.convolution.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(F.pad(x, (0, 0, 0, 0, 0, self.more)))


def pad_channels(network: nn.Module) -> None:
    """Give large convolutions inputs of a multiple of 16 channels, which runtimes have fast code for."""
    for module in network.modules():
        for name, child in list(module.named_children()):
            if not isinstance(child, nn.Conv2d) or isinstance(module, _Padded) or child.groups > 1:
                continue
            if child.in_channels > CHANNELS and child.in_channels % CHANNELS:
                setattr(module, name, _Padded(child))


@dataclass(frozen=True)
class Graph:
    """A network to export: ``module`` with named example ``inputs`` and ``outputs``."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]

    def expected(self) -> Arrays:
        """What PyTorch makes of the example inputs."""
        with torch.inference_mode():
            out = self.module(*self.inputs.values())
        values = out if isinstance(out, tuple) else (out,)
        return {k: v.float().numpy() for k, v in zip(self.outputs, values, strict=True)}


def needs(package: str) -> Any:
    """An optional package.

    Raises:
        UnsupportedError: it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError:
        raise UnsupportedError(f"ONNX needs the package {package} (pip install 'neurocodec[onnx]')") from None


def graphs(model: ModelDescription, pictures: NDArray[np.uint8], batch: int = 1) -> list[Graph]:
    """The graphs of a model, with examples made from ``pictures`` (at least 2+batch of (n,S,S,3)).

    Raises:
        UnsupportedError: a model of another architecture.
    """
    if model.architecture not in ("talk", "swift", "face68"):
        raise UnsupportedError(
            f"{model.name} ({model.architecture}) cannot be exported; motion models of the architectures "
            "talk and swift and landmark networks can"
        )
    network = load(model)
    fold_batch_norms(network)
    pad_channels(network)
    tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
    if isinstance(network, Face68):
        return landmark_graphs(network, tensor, batch)
    return motion_graphs(cast(Talk | Swift, network), tensor, batch)


def landmark_graphs(network: Face68, pictures: Tensor, batch: int = 1) -> list[Graph]:
    """Encoder and decoder of a landmark network; ``pictures`` (n,3,S,S), S a multiple of 128."""
    small = F.adaptive_avg_pool2d(pictures[:batch], SIDE)
    with torch.inference_mode():
        latent = network.encode(small)[0]
    return [
        Graph("encoder", _Encoder(network).eval(), {"picture": small}, ("latent", "presence")),
        Graph("landmarks", _Landmarks(network).eval(), {"latent": latent.clone()}, ("landmarks",)),
    ]


def motion_graphs(network: Talk | Swift, pictures: Tensor, batch: int = 1) -> list[Graph]:
    """Keypoints, reference and renderings of a motion model; ``pictures`` (n,3,S,S), n at least 2+batch.

    References are the first, the last, and the one before the last; the second and following are frames.
    """
    first, frames = pictures[:1], pictures[1 : 1 + batch]
    with torch.inference_mode():
        references = [
            network.encode_reference(p, network.keypoints(p)) for p in (first, pictures[-1:], pictures[-2:-1])
        ]
        keypoints = network.keypoints(frames)
    out = [
        Graph("keypoints", _Keypoints(network).eval(), {"picture": frames.clone()}, ("keypoints",)),
        Graph("reference", _Reference(network).eval(), {"picture": first.clone()}, REFERENCE_PARTS[:-1]),
    ]
    for count in range(1, network.max_references + 1):
        inputs = {"keypoints": keypoints.clone()}
        for k, reference in enumerate(references[:count]):
            inputs |= {f"{n}_{k}": t.clone() for n, t in zip(REFERENCE_PARTS, reference, strict=True)}
        out.append(Graph(f"render{count}", _Render(network).eval(), inputs, ("picture",)))
    return out


@contextmanager
def _quiet() -> Iterator[None]:
    """Exporters and quantizers write pages of remarks."""
    loggers = [logging.getLogger(n) for n in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    root, root_level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(root_level)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def export(graph: Graph, path: Path) -> None:
    """Write a graph as one ONNX file.

    Raises:
        UnsupportedError: the packages onnx and onnxscript are not installed.
        OutputError: the file cannot be written.
    """
    onnx = needs("onnx")
    needs("onnxscript")
    with _quiet(), plain_arithmetic(), torch.no_grad():
        program = torch.onnx.export(
            graph.module, tuple(graph.inputs.values()), input_names=list(graph.inputs),
            output_names=list(graph.outputs), opset_version=OPSET, dynamo=True, verbose=False,
        )  # fmt: skip
    assert program is not None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save_model(program.model_proto, str(path))
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None


def open_session(path: Path, threads: int = 1, flush: bool = False) -> Any:
    """An ONNX Runtime session on the CPU with so many threads.

    ``flush`` makes ONNX Runtime treat denormal numbers as zero, which is faster; it does so in the calling
    thread for good (``torch.set_flush_denormal(False)`` ends it).

    Raises:
        UnsupportedError: onnxruntime is not installed.
    """
    runtime = needs("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    if flush:  # the tails of Gaussians are denormal numbers
        options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run(session: Any, inputs: dict[str, Any]) -> Arrays:
    """Outputs of a session by name."""
    names = [o.name for o in session.get_outputs()]
    used = {i.name for i in session.get_inputs()}
    arrays = {k: np.ascontiguousarray(v, np.float32) for k, v in inputs.items() if k in used}
    return dict(zip(names, session.run(names, arrays), strict=True))


def differences(graph: Graph, session: Any) -> tuple[float, float]:
    """Largest and mean absolute difference of a session's outputs from PyTorch's, on the example inputs."""
    found = run(session, {k: v.numpy() for k, v in graph.inputs.items()})
    off = [np.abs(found[k] - v).ravel() for k, v in graph.expected().items()]
    return float(max(o.max() for o in off)), float(np.concatenate(off).mean())


def milliseconds(graph: Graph, session: Any, runs: int = 20) -> float:
    """Median time of a run on the example inputs, per picture of the batch, after one to warm up.

    With one thread it is the processor's time, so that other work on the machine does not count.
    """
    alone = session.get_session_options().intra_op_num_threads == 1
    clock = time.thread_time if alone else time.perf_counter
    inputs = {k: v.numpy() for k, v in graph.inputs.items()}
    used = {i.name for i in session.get_inputs()}
    inputs = {k: v for k, v in inputs.items() if k in used}
    spent = measure(lambda: session.run(None, inputs), 0, runs, clock)
    return 1000 * spent.median / len(next(iter(inputs.values())))


def multiplications(path: Path) -> int:
    """Multiply-accumulates of a float graph's convolutions and matrix products, from its shapes."""
    onnx = needs("onnx")
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    graph = model.graph
    shapes = {i.name: tuple(i.dims) for i in graph.initializer}
    for value in (*graph.value_info, *graph.input, *graph.output):
        shapes[value.name] = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            weight, out = shapes[node.input[1]], shapes[node.output[0]]
            total += int(np.prod(out)) * int(np.prod(weight[1:]))
        elif node.op_type in ("MatMul", "Gemm"):
            turned = any(a.name == "transA" and a.i for a in node.attribute)
            total += int(np.prod(shapes[node.output[0]])) * shapes[node.input[0]][-2 if turned else -1]
    return total


def calibration(
    model: ModelDescription, pictures: NDArray[np.uint8], batch: int = 1
) -> dict[str, list[Arrays]]:
    """Inputs of each of a model's graphs by its name, as many as ``pictures`` (n,S,S,3) give."""
    out: dict[str, list[Arrays]] = {}
    for k in range(0, len(pictures) - batch - 1, max(1, batch)):
        others = [(k + len(pictures) * part // 4) % len(pictures) for part in (1, 2)]
        some = pictures[[k, *range(k + 1, k + 1 + batch), *others]]
        for graph in graphs(model, some, batch):
            out.setdefault(graph.name, []).append({n: t.numpy() for n, t in graph.inputs.items()})
    return out


class _Calibration:
    """Feeds example inputs to ONNX Runtime's quantizer."""

    def __init__(self, samples: Sequence[Arrays], names: set[str]) -> None:
        self._samples = iter([{k: v for k, v in s.items() if k in names} for s in samples])

    def get_next(self) -> Arrays | None:
        return next(self._samples, None)


def quantize_int8(source: Path, target: Path, samples: Sequence[Arrays]) -> None:
    """Quantize convolutions and dense layers of a graph to 8 bits (QDQ form, weights by channel).

    ``samples`` are inputs by name to take the ranges of activations from: from their extremes, or without the
    outermost thousandth on either side, whichever brings the first one's results nearer to those in float.
    The last layers, which say the result, and geometry (keypoints, splines, warps) stay in float.

    Weights take 7 of the 8 bits, -64 to 64.  A processor with AVX2 and no VNNI adds two products of an
    activation (0 to 255) and a weight in 16 bits, where larger weights would saturate.  So the graph gives
    the same result on both kinds of processor.

    Raises:
        UnsupportedError: the packages are not installed.
    """
    needs("onnxruntime")
    onnx = needs("onnx")
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.calibrate import CalibrationDataReader
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(_Calibration, CalibrationDataReader):
        pass

    prepared = target.with_name(target.name + ".float")
    tried = {
        target.with_name(target.name + ".extremes"): (CalibrationMethod.MinMax, {}),
        target.with_name(target.name + ".most"): (CalibrationMethod.Percentile, {"CalibPercentile": 99.9}),
    }
    try:
        with _quiet():
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            model = onnx.load(str(prepared))
            for path, (method, options) in tried.items():
                quantize_static(
                    str(prepared), str(path), Reader(samples, {i.name for i in model.graph.input}),
                    quant_format=QuantFormat.QDQ,
                    op_types_to_quantize=["Conv", "Gemm"], nodes_to_exclude=_last_convolutions(model),
                    per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    reduce_range=True, calibrate_method=method, extra_options=options,
                )  # fmt: skip
        exact = run(open_session(source), samples[0])
        min(tried, key=lambda path: _apart(exact, run(open_session(path), samples[0]))).replace(target)
    finally:
        for path in (prepared, *tried):
            path.unlink(missing_ok=True)


def _apart(exact: Arrays, found: Arrays) -> float:
    """Mean over results of their mean difference, in shares of their mean magnitude."""
    shares = [np.abs(found[n] - v).mean() / max(np.abs(v).mean(), 1e-6) for n, v in exact.items()]
    return float(np.mean(shares))


def _last_convolutions(model: Any) -> list[str]:
    """Names of the convolutions and dense layers after which no other one comes.

    Convolutions of single channels, which blur pictures, do not count.
    """
    feeds: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            feeds.setdefault(name, []).append(node)

    def heavy(node: Any) -> bool:
        grouped = any(a.name == "group" and a.i > 1 for a in node.attribute)
        return node.op_type in ("Conv", "Gemm", "MatMul") and not grouped

    # Nodes are in topological order: walk back, noting which outputs lead to a further heavy node
    leads: dict[str, bool] = {}
    last = []
    for node in reversed(model.graph.node):
        onward = any(
            heavy(user) or any(leads.get(o, False) for o in user.output)
            for name in node.output
            for user in feeds.get(name, [])
        )
        for name in node.output:
            leads[name] = onward
        if heavy(node) and not onward:
            last.append(node.name)
    return last
