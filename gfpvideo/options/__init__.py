"""What may be asked for: the options of a restoration, pipelines that preset them, times as people write them."""
