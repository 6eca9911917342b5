"""The loader beside its peers: ``python -m benchmarks.load --help``."""
