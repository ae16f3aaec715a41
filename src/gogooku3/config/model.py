"""Network architecture: section `model` of `params.yaml`."""

from __future__ import annotations

from gogooku3.config.section import require, section


@section
class Backbone:
    """Variable selection and temporal blocks."""

    window: int
    """Length of the input window in sessions (L)."""
    hidden_size: int
    heads: int
    """Heads of the temporal attention; divides `hidden_size`."""
    dropout: float

    def __post_init__(self) -> None:
        require(self.window >= 2, f"`model.backbone.window` is {self.window}", "use 2 sessions or more")
        require(
            self.heads >= 1 and self.hidden_size % self.heads == 0,
            f"`model.backbone.hidden_size` of {self.hidden_size} is not divisible by `heads` of {self.heads}",
            "choose a hidden size that is a multiple of the number of heads",
        )
        require(0 <= self.dropout < 1, f"`model.backbone.dropout` is {self.dropout}", "use 0 to less than 1")


@section
class AdaptiveNorm:
    """Frequency-adaptive (FAN) and slice-level adaptive (SAN) normalisation of the latent window."""

    components: int
    """Dominant Fourier components that FAN removes from a window."""
    slice_length: int
    """Sessions per SAN slice; divides `model.backbone.window`."""

    def __post_init__(self) -> None:
        require(self.components >= 1, f"`model.adaptive_norm.components` is {self.components}", "use 1 or more")
        require(
            self.slice_length >= 2,
            f"`model.adaptive_norm.slice_length` is {self.slice_length}",
            "use 2 or more",
        )


@section
class GraphAttention:
    """Graph attention (GAT) over the k nearest neighbours."""

    heads: int
    """Heads of the graph attention; divides `model.backbone.hidden_size`."""

    def __post_init__(self) -> None:
        require(self.heads >= 1, f"`model.graph.heads` is {self.heads}", "use 1 or more")


@section
class Model:
    """Section `model`."""

    backbone: Backbone
    adaptive_norm: AdaptiveNorm
    graph: GraphAttention

    def __post_init__(self) -> None:
        window, hidden = self.backbone.window, self.backbone.hidden_size
        require(
            self.adaptive_norm.components <= window // 2,
            f"`model.adaptive_norm.components` of {self.adaptive_norm.components} exceeds the"
            f" {window // 2} frequencies of a {window}-session window",
            f"use at most {window // 2}",
        )
        require(
            window % self.adaptive_norm.slice_length == 0,
            f"`model.adaptive_norm.slice_length` of {self.adaptive_norm.slice_length} does not divide the window"
            f" of {window} sessions",
            "choose a divisor of `model.backbone.window`",
        )
        require(
            hidden % self.graph.heads == 0,
            f"`model.backbone.hidden_size` of {hidden} is not divisible by `model.graph.heads` of {self.graph.heads}",
            "choose a hidden size that is a multiple of the number of heads",
        )
