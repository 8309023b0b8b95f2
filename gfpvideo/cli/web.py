"""``gfpvideo web``."""

import re
from pathlib import Path
from typing import Annotated

import typer

from gfpvideo.cli.common import command, need_packages
from gfpvideo.cli.flags import plain
from gfpvideo.errors import OptionError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


@command
def web(
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help=plain("Where films lie and go [default: Videos/gfpvideo].")),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to serve; any but this machine's own needs --auth.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="Port to serve.", min=1, max=65535)] = 7860,
    auth: Annotated[str | None, typer.Option("--auth", metavar="USER:PASSWORD", help="Ask for these.")] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name by which a proxy on this machine asks for the page.")
    ] = None,
    max_upload: Annotated[
        str, typer.Option("--max-upload", help="Largest file that a browser may send: 500M, 20G.")
    ] = "20G",
) -> int:
    """Open a page for restoring films in the browser."""
    need_packages("web", "gradio")
    limit = size(max_upload)
    from gfpvideo.web.folder import Folder

    place = Folder(folder or _films())
    with place.opened():
        from gfpvideo.web.server import application, listen, serve

        with listen(host, port) as at, application(place, host=host, name=name, auth=auth, max_upload=limit) as app:
            typer.echo(
                f"http://{f'[{host}]' if ':' in host else host}:{port}/ - leave this window open; Ctrl-C ends it"
            )
            serve(app, at)
    return 0


def _films() -> Path:
    from platformdirs import user_videos_path

    return user_videos_path() / "gfpvideo"


def size(text: str) -> int:
    """Bytes of ``500M`` or ``20G``.

    Raises:
        OptionError: if it is not a size.
    """
    found = re.fullmatch(r"(\d{1,12})([kmgt]?)b?", text.strip().lower())
    if found is None or not int(found[1]):
        raise OptionError(f"option max-upload = {text!r}: must be a size, such as 500M or 20G")
    return int(found[1]) * _UNITS[found[2]]
