"""Face detectors: one interface, one contract test for all."""
