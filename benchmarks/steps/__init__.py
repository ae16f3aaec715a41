"""Training steps of our network against those of other libraries: same shapes, same batch, same threads.

`shape` defines batch and network, `timing` the measurement; `ours`, `feature_loop`, `tft_pytorch_forecasting` and
`tft_neuralforecast` run the steps of one network each, in separate processes; `inputs` runs ours with blocks read from
a panel on disk (data loading); `comparison` runs them interleaved, `operations` counts FLOPs, `report` writes Markdown.
"""
