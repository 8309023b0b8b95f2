"""Feed damaged files to the readers of what people and interrupted runs leave behind, guided by coverage.

    pip install ".[fuzz]"
    timeout 60 python tests/fuzz/fuzz_readers.py tracks folder-of-good-files

The first argument names the reader, the rest is libFuzzer's: how long, and folders of inputs to begin with. A reader
may refuse with one of our errors, and do nothing else. What is found becomes a test of that reader.
"""

import sys
import tempfile
from pathlib import Path

import atheris
from readers import READERS


def main() -> None:
    """Fuzz one reader."""
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if name not in READERS:
        raise SystemExit(f"name one of {', '.join(READERS)}")
    read = READERS[name]
    folder = Path(tempfile.mkdtemp(prefix="gfpvideo-fuzz-"))
    atheris.instrument_all()
    atheris.Setup(sys.argv, lambda content: read(content, folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
