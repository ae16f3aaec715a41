"""FAN and SAN against NumPy's FFT and hand-made windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gogooku3.model.adaptive_norm import FrequencyAdaptiveNorm, SliceAdaptiveNorm


def by_fft(window: np.ndarray, components: int) -> np.ndarray:
    spectrum = np.fft.rfft(window)
    strength = np.abs(spectrum) ** 2 * np.where(np.arange(len(spectrum)) * 2 == len(window), 0.5, 1.0)
    strength[0] = -1
    kept = np.zeros_like(spectrum)
    best = np.argsort(strength)[::-1][:components]
    kept[best] = spectrum[best]
    return np.fft.irfft(kept, n=len(window))


@pytest.mark.parametrize("length", [8, 9, 20])
@pytest.mark.parametrize("components", [1, 3])
def test_fan_takes_out_the_strongest_fourier_components(length: int, components: int) -> None:
    windows = np.random.default_rng(0).standard_normal((5, 4, length))
    fan = FrequencyAdaptiveNorm(4, length, components)
    found = fan.dominant(torch.tensor(windows, dtype=torch.float32)).detach().numpy()
    expected = np.array([[by_fft(w, components) for w in channels] for channels in windows])
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_an_open_fan_leaves_nothing_of_a_pure_wave() -> None:
    time = torch.arange(20) / 20 * 2 * torch.pi
    wave = (3 * torch.sin(4 * time + 0.7)).expand(1, 1, 20)
    fan = FrequencyAdaptiveNorm(1, 20, 1)
    torch.nn.init.ones_(fan.removed_H)
    residual, _ = fan(wave)
    torch.testing.assert_close(residual, torch.zeros_like(residual), atol=1e-5, rtol=0)


def test_an_open_san_standardises_every_slice() -> None:
    windows = 5 + 3 * torch.randn(2, 3, 20) + torch.arange(20.0)
    san = SliceAdaptiveNorm(3, 20, 5)
    torch.nn.init.ones_(san.removed_H)
    normal, _ = san(windows)
    slices = normal.unflatten(-1, (-1, 5))
    torch.testing.assert_close(slices.mean(-1), torch.zeros(2, 3, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(slices.var(-1, correction=0), torch.ones(2, 3, 4), atol=1e-3, rtol=0)


def test_a_constant_slice_stays_finite() -> None:
    san = SliceAdaptiveNorm(1, 8, 4)
    torch.nn.init.ones_(san.removed_H)
    normal, coming = san(torch.full((1, 1, 8), 7.0))
    assert normal.isfinite().all()
    assert coming.isfinite().all()
