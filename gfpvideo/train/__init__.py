"""Training GFP-GAN: degradation, losses, discriminators, loop."""
