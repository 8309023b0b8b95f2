"""Films and pictures in and out; the only room that knows FFmpeg."""
