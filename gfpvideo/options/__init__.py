"""What may be asked for: the options of a restoration and who takes which, pipelines, times as people write them."""
