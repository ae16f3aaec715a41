"""A tier of one's own bars: reads the files, proposes the parameters, and writes them into `conf/`."""
