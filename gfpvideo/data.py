"""Where the files that ship with gfpvideo lie: inside an installed package, or beside it in a checkout."""

from pathlib import Path


def data_folder(name: str) -> Path:
    """Folder of shipped files (``weights``): packed into the wheel, or the repository's own folder."""
    package = Path(__file__).parent
    packed = package / "_data" / name
    return packed if packed.is_dir() else package.parent / name
