"""The tests of usual numbers over a made-up shop's days, beside Elementary's method."""
