"""The loader: landing files into ``raw``, one transaction per file."""
