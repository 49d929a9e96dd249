"""Convolutions with their activations: the same results, copied and where oneDNN has no operators."""

import copy
import os
import subprocess
import sys

import pytest
import torch

from neurocodec.models.device import fold_batch_norms
from neurocodec.networks.fused import FusedConvolution, FusedResidual, fuse_activations
from neurocodec.networks.perceptual import Perceptual
from neurocodec.networks.talk import Residual


def test_fusing_keeps_the_result() -> None:
    torch.manual_seed(7)
    layers = torch.nn.Sequential(
        torch.nn.Sequential(torch.nn.Conv2d(6, 8, 3, 2, 1), torch.nn.BatchNorm2d(8), torch.nn.ReLU()),
        Residual(8),
        torch.nn.Conv2d(8, 4, 1),
        torch.nn.LeakyReLU(0.1),
    ).eval()
    x = torch.randn(2, 6, 16, 16).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        wanted = layers(x)
        fold_batch_norms(layers)
        fuse_activations(layers)
        got = layers(x)
    assert any(isinstance(m, FusedResidual) for m in layers.modules())
    assert sum(isinstance(m, FusedConvolution) for m in layers.modules()) == 4
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_bfloat16_works_where_onednn_has_none() -> None:
    """As on a processor with AVX2 alone, where oneDNN's fused operators would raise."""
    code = """if True:
        import torch
        from neurocodec.models.device import has_fast_bfloat16
        from neurocodec.networks.fused import FusedConvolution
        torch.cpu._is_amx_tile_supported = lambda: True
        assert not has_fast_bfloat16()
        torch.manual_seed(1)
        convolution = torch.nn.Conv2d(8, 8, 3, padding=1)
        fused, x = FusedConvolution(convolution, torch.nn.ReLU()), torch.randn(1, 8, 16, 16)
        with torch.inference_mode():
            wanted = fused(x, x)
            fused.to(torch.bfloat16)
            got = fused(x.bfloat16(), x.bfloat16())
        assert got.dtype == torch.bfloat16 and (got.float() - wanted).abs().max() < 0.1
    """
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_a_fused_network_can_be_copied_after_use() -> None:
    network = Perceptual((8, 8, 8, 8, 8)).eval()
    fuse_activations(network)
    a, b = torch.rand(2, 1, 3, 48, 48)
    with torch.inference_mode():
        wanted = network(a, b)
        torch.testing.assert_close(copy.deepcopy(network)(a, b), wanted)


def test_one_picture_first_then_several_give_what_the_layers_give() -> None:
    """Weights are laid out anew for other numbers of pictures."""
    torch.manual_seed(8)
    convolution = torch.nn.Conv2d(32, 16, 3, padding=1)
    fused = FusedConvolution(convolution, torch.nn.ReLU())
    with torch.inference_mode():
        for count in (1, 8, 3, 1):
            x = torch.randn(count, 32, 8, 8).to(memory_format=torch.channels_last)
            torch.testing.assert_close(fused(x), convolution(x).relu(), atol=1e-5, rtol=1e-4)
