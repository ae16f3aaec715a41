"""Normalisation that adapts to a window: FAN takes out its dominant frequencies, SAN the drift of its slices.

Both work on the latent window in two places. Before the temporal block they take the non-stationary part out;
behind it they add back what they made of that part. Both places are behind gates that start at exactly zero, so a
phase that switches a block on begins with the predictions of the phase before, bit for bit.

Sources: Ye et al., "Frequency adaptive normalization for non-stationary time series forecasting", NeurIPS 2024;
Liu et al., "Adaptive normalization for non-stationary time series forecasting: a temporal slice perspective",
NeurIPS 2023.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

_EPSILON = 1e-5


class FrequencyAdaptiveNorm(nn.Module):
    """FAN: the `components` strongest Fourier components of a window are modelled apart.

    The transform is a product with a fixed cosine and sine table: for windows of some tens of sessions it costs less
    than an FFT and its bits depend on nothing but the matrix product. The mean (frequency 0) stays: it is SAN's.
    """

    cosine_LQ: Tensor
    sine_LQ: Tensor
    share_Q: Tensor

    def __init__(self, size: int, window: int, components: int) -> None:
        super().__init__()
        self.components = components
        frequencies = window // 2
        angle_LQ = 2 * math.pi / window * torch.outer(torch.arange(window), torch.arange(1, frequencies + 1)).double()
        share_Q = torch.full((frequencies,), 2.0 / window)
        if window % 2 == 0:
            share_Q[-1] = 1.0 / window
        self.register_buffer("cosine_LQ", angle_LQ.cos().float(), persistent=False)
        self.register_buffer("sine_LQ", angle_LQ.sin().float(), persistent=False)
        self.register_buffer("share_Q", share_Q, persistent=False)
        self.removed_H = nn.Parameter(torch.zeros(size))
        self.predict = nn.Sequential(nn.Linear(window, window), nn.ReLU(), nn.Linear(window, 1))
        self.returned_H = nn.Parameter(torch.zeros(size))

    def dominant(self, z_NHL: Tensor) -> Tensor:
        """The sum of a window's strongest Fourier components. Shapes: [N, H, L] → [N, H, L]."""
        real_NHQ, imaginary_NHQ = z_NHL @ self.cosine_LQ, z_NHL @ self.sine_LQ
        with torch.no_grad():
            power_NHQ = (real_NHQ.square() + imaginary_NHQ.square()) * self.share_Q
            weakest_NH1 = power_NHQ.topk(self.components, dim=-1).values[..., -1:]
            kept_NHQ = (power_NHQ >= weakest_NH1) * self.share_Q
        return (real_NHQ * kept_NHQ) @ self.cosine_LQ.T + (imaginary_NHQ * kept_NHQ) @ self.sine_LQ.T

    def forward(self, z_NHL: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: windows [N, H, L] → windows without their dominant part [N, H, L], what it foretells [N, H]."""
        dominant_NHL = self.dominant(z_NHL)
        residual_NHL = z_NHL - self.removed_H.unsqueeze(-1) * dominant_NHL
        return residual_NHL, self.returned_H * self.predict(dominant_NHL).squeeze(-1)


class SliceAdaptiveNorm(nn.Module):
    """SAN: each slice of a window is standardised by itself; its mean and deviation are modelled apart."""

    def __init__(self, size: int, window: int, slice_length: int) -> None:
        super().__init__()
        self.slice_length = slice_length
        self.removed_H = nn.Parameter(torch.zeros(size))
        statistics = 2 * (window // slice_length)
        self.predict = nn.Sequential(nn.Linear(statistics, statistics), nn.ReLU(), nn.Linear(statistics, 2))
        self.returned_H = nn.Parameter(torch.zeros(size))

    def forward(self, z_NHL: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: windows [N, H, L] → normalised windows [N, H, L], (scale, shift) of the coming slice [N, H, 2]."""
        z_NHsl = z_NHL.unflatten(-1, (-1, self.slice_length))
        mean_NHs1 = z_NHsl.mean(-1, keepdim=True)
        variance_NHs1 = (z_NHsl - mean_NHs1).square().mean(-1, keepdim=True) + _EPSILON
        # x·rsqrt(x), not sqrt(x): the vector square root is the one operation that differs between makers.
        inverse_NHs1 = variance_NHs1.rsqrt()
        normal_NHL = ((z_NHsl - mean_NHs1) * inverse_NHs1).flatten(-2)
        statistics_NHs2 = torch.cat([mean_NHs1, variance_NHs1 * inverse_NHs1], dim=-1)
        coming_NH2 = self.predict(statistics_NHs2.flatten(-2))
        gate_H1 = self.removed_H.unsqueeze(-1)
        return z_NHL + gate_H1 * (normal_NHL - z_NHL), self.returned_H.unsqueeze(-1) * coming_NH2


class AdaptiveNorm(nn.Module):
    """FAN, then SAN, around a temporal block."""

    def __init__(self, size: int, window: int, components: int, slice_length: int) -> None:
        super().__init__()
        self.frequency = FrequencyAdaptiveNorm(size, window, components)
        self.slices = SliceAdaptiveNorm(size, window, slice_length)

    def normalise(self, z_NHL: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Shapes: windows [N, H, L] → normalised windows [N, H, L], what `restore` needs."""
        with torch.autocast(z_NHL.device.type, enabled=False):
            residual_NHL, foretold_NH = self.frequency(z_NHL.float())
            normal_NHL, coming_NH2 = self.slices(residual_NHL)
        return normal_NHL, (foretold_NH, coming_NH2)

    @staticmethod
    def restore(summary_NH: Tensor, removed: tuple[Tensor, Tensor]) -> Tensor:
        """Adds back what was taken out. Shapes: summary [N, H] → [N, H]."""
        foretold_NH, coming_NH2 = removed
        scale_NH, shift_NH = coming_NH2.unbind(-1)
        return summary_NH + (scale_NH * summary_NH + shift_NH) + foretold_NH
