"""Look before and after: sheets of tracks, previews, what this machine can do."""
