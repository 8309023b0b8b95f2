"""What a frame's neighbours tell about its faces."""
