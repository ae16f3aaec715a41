"""Shared parts of the HTML pages: colours, number formats, SVG charts, time axis. A page is one self-contained file."""
