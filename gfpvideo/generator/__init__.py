"""The generator: run a network on aligned crops, in batches, on the device that there is."""
