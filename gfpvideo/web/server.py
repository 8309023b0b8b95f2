"""Serve the page: on this machine alone unless told otherwise, to nobody without the password, to no other site."""

import base64
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from importlib.resources import files
from ipaddress import ip_address
from threading import Thread
from typing import Literal
from urllib.parse import urlsplit

import cv2
import gradio as gr
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from gradio import themes

from gfpvideo.errors import GfpvideoError, OptionError, OutputError
from gfpvideo.web.folder import Folder
from gfpvideo.web.looking import Looking
from gfpvideo.web.page import page
from gfpvideo.web.restorations import Restorations, file_of
from gfpvideo.web.words import LANGUAGES, preferred

_FILMS = "/films/"
_ELSEWHERE = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
"""Nothing is fetched from anywhere else, whatever Gradio's own template asks for; no other site shows the page."""
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))
_Next = Callable[[Request], Awaitable[Response]]


def check_access(host: str, auth: str | None) -> None:
    """See that nobody from elsewhere comes in without a password.

    Raises:
        OptionError: if the host can be reached from elsewhere and there is none, or it is no USER:PASSWORD.
    """
    if auth is not None and not all(auth.partition(":")):
        raise OptionError("option auth: must be USER:PASSWORD")
    if auth is None and not _local(host):
        raise OptionError(
            f"option host = {host!r}: others can reach that address; give a password with --auth USER:PASSWORD"
        )


def _local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def application(
    folder: Folder, *, host: str = "127.0.0.1", auth: str | None = None, max_upload: int | None = None
) -> Iterator[FastAPI]:
    """The page as an application that a server runs, with its queue at work.

    Args:
        folder: where films lie, and restored ones go; it is open.
        host: address that it will be served at.
        auth: ``USER:PASSWORD`` that is asked for, if any.
        max_upload: bytes of the largest file that can be uploaded.

    Raises:
        GfpvideoError: if the folder cannot be used.
    """
    check_access(host, auth)
    with Restorations(folder) as restorations:
        yield _application(folder, restorations, host, auth, max_upload)


def _application(
    folder: Folder, restorations: Restorations, host: str, auth: str | None, max_upload: int | None
) -> FastAPI:
    looking = Looking(folder)
    app = FastAPI(openapi_url=None, lifespan=_getting_ready(looking))
    _routes(app, restorations)
    for code, words in LANGUAGES.items():
        blocks = page(words, folder, restorations, looking, _FILMS)
        blocks.queue(api_open=False)
        gr.mount_gradio_app(
            app, blocks, f"/{code}", footer_links=[], ssr_mode=False, max_file_size=max_upload, enable_monitoring=False,
            theme=themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
            css=files("gfpvideo.web").joinpath("style.css").read_text(encoding="utf-8"),
            head=f'<script>document.documentElement.lang = "{code}"</script>',
        )  # fmt: skip
    guard(app, host, auth)
    return app


def _getting_ready(looking: Looking) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Load networks while the page is served already."""

    @asynccontextmanager
    async def ready(_: FastAPI) -> AsyncIterator[None]:
        loading = Thread(target=looking.get_ready, name="gfpvideo loading")
        loading.start()
        yield
        loading.join()

    return ready


def _routes(app: FastAPI, restorations: Restorations) -> None:
    @app.get("/")
    def start(request: Request) -> RedirectResponse:
        return RedirectResponse(f"/{preferred(request.headers.get('accept-language', ''))}/")

    @app.get("/films/{number}/{which}")
    def film(number: int, which: Literal["source", "target"], save: str | None = None) -> FileResponse:
        try:
            path = file_of(restorations, number, which)
        except GfpvideoError as error:
            raise HTTPException(404, str(error)) from None
        kind = "inline" if save is None else "attachment"
        return FileResponse(path, filename=path.name, content_disposition_type=kind)

    @app.get("/films/{number}/frame/{which}")
    def frame(number: int, which: Literal["before", "after"]) -> Response:
        glance = restorations.glance
        picture = glance.before if which == "before" else glance.after
        if glance.number != number or picture is None:
            raise HTTPException(404, "There is no such picture now.")
        done, coded = cv2.imencode(".jpg", picture[..., ::-1])
        assert done, "a picture of bytes can be written"
        return Response(coded.tobytes(), media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def guard(app: FastAPI, host: str, auth: str | None) -> None:
    """Let in who may: this host's own pages, with the password if there is one."""

    @app.middleware("http")
    async def checked(request: Request, proceed: _Next) -> Response:
        if auth is not None and not _knows(request, auth):
            return Response(
                "A password is needed.", 401, {"WWW-Authenticate": 'Basic realm="gfpvideo", charset="UTF-8"'}
            )
        if _local(host) and _host_of(request) not in _LOCAL | {host}:
            # a name that another site lets point here would make its pages the same origin
            return Response("This page has another name.", 400)
        if _from_elsewhere(request):
            return Response("Another site may not do this.", 403)
        response = await proceed(request)
        response.headers["Content-Security-Policy"] = _ELSEWHERE
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def _host_of(request: Request) -> str | None:
    """The name by which it is asked, without the port and the brackets of an IPv6 address."""
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return None


def _from_elsewhere(request: Request) -> bool:
    """Whether a browser sends this on behalf of another site's page."""
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "none")
    if origin is not None:
        return urlsplit(origin).netloc != request.headers.get("host")
    return site == "cross-site" and request.method != "GET"


def _knows(request: Request, auth: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        said = base64.b64decode(given, validate=True)
    except ValueError:
        return False
    return kind.lower() == "basic" and secrets.compare_digest(said, auth.encode())


def listen(host: str, port: int) -> socket.socket:
    """Take the address to serve at.

    Raises:
        OutputError: if it cannot be had.
    """
    try:
        kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=kind)
    except OSError as error:
        raise OutputError(f"{host}, port {port}: cannot be served ({error.strerror}); try another --port") from None


def serve(app: FastAPI, at: socket.socket) -> None:
    """Serve until interrupted, which is how it ends."""
    with suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run([at])
