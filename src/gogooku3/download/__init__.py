"""J-Quants over the network: what brings the raw answers that `sources.jquants` makes quotes of."""
