"""Downloads J-Quants data into the raw folder that `sources.jquants` converts to quotes."""
