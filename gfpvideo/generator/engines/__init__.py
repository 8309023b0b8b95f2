"""Inference engines: run a network on a device. One interface, one contract test for all."""
