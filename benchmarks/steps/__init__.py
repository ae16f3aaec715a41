"""Training steps of our network beside those of others: the same shapes, the same batch, the same threads.

`shape` is what is asked for, `timing` how it is measured; `ours`, `feature_loop`, `tft_pytorch_forecasting` and
`tft_neuralforecast` each take the steps of one network in a process of its own; `inputs` takes ours with blocks cut
from a panel on disk; `comparison` runs them in turn, `operations` counts what ours must compute, `report` tells.
"""
