"""Run gfpvideo as ``python -m gfpvideo``."""

from gfpvideo.cli import main

main()
