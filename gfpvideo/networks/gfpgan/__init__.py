"""GFP-GAN: one topology, two kits of layers."""
