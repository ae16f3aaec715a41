"""Adaptive normalisation of a window: FAN removes its dominant frequencies, SAN the drift of its slices.

Both work on the latent window at two points. Before the temporal block they remove the non-stationary part; after it
they add back their prediction from that part. Both points have gates that start at exactly zero, so a phase that
switches the block on starts with bitwise the same predictions as the phase before.

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
    """FAN: models the `components` strongest Fourier components of a window separately.

    The transform is a matrix product with fixed cosine and sine tables: for windows of some tens of sessions it is
    cheaper than an FFT, and its bits depend only on the matrix product. The mean (frequency 0) is left to SAN.
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
        """Shapes: windows [N, H, L] → windows without their dominant part [N, H, L], prediction from it [N, H]."""
        dominant_NHL = self.dominant(z_NHL)
        residual_NHL = z_NHL - self.removed_H.unsqueeze(-1) * dominant_NHL
        return residual_NHL, self.returned_H * self.predict(dominant_NHL).squeeze(-1)


class SliceAdaptiveNorm(nn.Module):
    """SAN: standardises each slice of a window by itself, and models its mean and standard deviation separately."""

    def __init__(self, size: int, window: int, slice_length: int) -> None:
        super().__init__()
        self.slice_length = slice_length
        self.removed_H = nn.Parameter(torch.zeros(size))
        statistics = 2 * (window // slice_length)
        self.predict = nn.Sequential(nn.Linear(statistics, statistics), nn.ReLU(), nn.Linear(statistics, 2))
        self.returned_H = nn.Parameter(torch.zeros(size))

    def forward(self, z_NHL: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes: windows [N, H, L] → normalised windows [N, H, L], (scale, shift) of the next slice [N, H, 2]."""
        z_NHsl = z_NHL.unflatten(-1, (-1, self.slice_length))
        mean_NHs1 = z_NHsl.mean(-1, keepdim=True)
        variance_NHs1 = (z_NHsl - mean_NHs1).square().mean(-1, keepdim=True) + _EPSILON
        # x·rsqrt(x), not sqrt(x): the vector square root is the one operation whose bits differ between CPU vendors.
        inverse_NHs1 = variance_NHs1.rsqrt()
        normal_NHL = ((z_NHsl - mean_NHs1) * inverse_NHs1).flatten(-2)
        statistics_NHs2 = torch.cat([mean_NHs1, variance_NHs1 * inverse_NHs1], dim=-1)
        next_NH2 = self.predict(statistics_NHs2.flatten(-2))
        gate_H1 = self.removed_H.unsqueeze(-1)
        return z_NHL + gate_H1 * (normal_NHL - z_NHL), self.returned_H.unsqueeze(-1) * next_NH2


class AdaptiveNorm(nn.Module):
    """FAN, then SAN, around a temporal block."""

    def __init__(self, size: int, window: int, components: int, slice_length: int) -> None:
        super().__init__()
        self.frequency = FrequencyAdaptiveNorm(size, window, components)
        self.slices = SliceAdaptiveNorm(size, window, slice_length)

    def normalise(self, z_NHL: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Shapes: windows [N, H, L] → normalised windows [N, H, L], the predictions that `restore` adds."""
        with torch.autocast(z_NHL.device.type, enabled=False):
            residual_NHL, predicted_NH = self.frequency(z_NHL.float())
            normal_NHL, next_NH2 = self.slices(residual_NHL)
        return normal_NHL, (predicted_NH, next_NH2)

    @staticmethod
    def restore(summary_NH: Tensor, predictions: tuple[Tensor, Tensor]) -> Tensor:
        """Denormalises: adds back the predictions from the removed part. Shapes: summary [N, H] → [N, H]."""
        predicted_NH, next_NH2 = predictions
        scale_NH, shift_NH = next_NH2.unbind(-1)
        return summary_NH + (scale_NH * summary_NH + shift_NH) + predicted_NH
