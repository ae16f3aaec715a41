"""Training: the four phases, batch sampler, loss, training loop, checkpoints, distributed training."""
