"""One load each, in a process of its own, in the environment that has the peer."""
