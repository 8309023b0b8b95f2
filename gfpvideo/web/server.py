"""Serve the page: on this machine alone unless told otherwise, to nobody without the password, to no other site."""

import asyncio
import base64
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection, Iterator
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
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gfpvideo.errors import GfpvideoError, OptionError, OutputError
from gfpvideo.web.folder import Folder
from gfpvideo.web.looking import Looking
from gfpvideo.web.page import page
from gfpvideo.web.restorations import Restorations, file_of
from gfpvideo.web.words import LANGUAGES, preferred

_FILMS = "/films/"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; form-action 'self'; base-uri 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
"""Nothing is fetched from anywhere else, whatever Gradio's own template asks for; no other site shows the page."""
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))


def check_access(host: str, auth: str | None, name: str | None = None) -> None:
    """See that nobody from elsewhere comes in without a password.

    Raises:
        OptionError: if others can reach the host, or a proxy that asks by a name, and there is none, or it is no
            USER:PASSWORD.
    """
    if auth is not None and not all(auth.partition(":")):
        raise OptionError("option auth: must be USER:PASSWORD")
    if auth is None and not _local(host):
        raise OptionError(
            f"option host = {host!r}: others can reach that address; give a password with --auth USER:PASSWORD"
        )
    if auth is None and name is not None:
        raise OptionError(
            f"option name = {name!r}: others come through a proxy; give a password with --auth USER:PASSWORD"
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
    folder: Folder,
    *,
    host: str = "127.0.0.1",
    name: str | None = None,
    auth: str | None = None,
    max_upload: int | None = None,
) -> Iterator[FastAPI]:
    """The page as an application that a server runs, with its queue at work.

    Args:
        folder: where films lie, and restored ones go; it is open.
        host: address that it will be served at.
        name: of the machine, as others call it who come through a proxy.
        auth: ``USER:PASSWORD`` that is asked for, if any.
        max_upload: bytes of the largest file that can be uploaded.

    Raises:
        GfpvideoError: if the folder cannot be used.
    """
    check_access(host, auth, name)
    with Restorations(folder) as restorations:
        names = _LOCAL | {host, *([name.lower()] if name else [])}
        yield _application(folder, restorations, None if not _local(host) else names, auth, max_upload)


def _application(
    folder: Folder,
    restorations: Restorations,
    names: Collection[str] | None,
    auth: str | None,
    max_upload: int | None,
) -> FastAPI:
    looking = Looking(folder)
    app = FastAPI(openapi_url=None, lifespan=_getting_ready(looking))
    _routes(app, restorations)
    for code, words in LANGUAGES.items():
        blocks = page(words, folder, restorations, looking, _FILMS)
        blocks.queue(api_open=False)
        gr.mount_gradio_app(
            app, blocks, f"/{code}", footer_links=[], ssr_mode=False, max_file_size=max_upload, enable_monitoring=False,
            theme=_theme(),
            css=_shipped("style.css"),
            head=f'<script>document.documentElement.lang = "{code}";\n{_shipped("page.js")}</script>',
        )  # fmt: skip
    app.add_middleware(Guard, names=names, auth=auth)
    return app


def _shipped(name: str) -> str:
    return files("gfpvideo.web").joinpath(name).read_text(encoding="utf-8")


def _theme() -> themes.Base:
    """Gradio's plainest, with fonts of the system, and text that can be read everywhere."""
    return themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]).set(
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300",
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300",
        block_label_text_color="*neutral_700", block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_700", block_title_text_color_dark="*neutral_200",
        button_primary_background_fill="*primary_700", button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800", button_primary_background_fill_hover_dark="*primary_800",
    )  # fmt: skip


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
        # A browser asks each time whether it is still the same, and gets it again only if not.
        return FileResponse(
            path, filename=path.name, content_disposition_type=kind, headers={"Cache-Control": "no-cache"}
        )

    @app.get("/films/{number}/frame/{which}")
    def frame(number: int, which: Literal["before", "after"]) -> Response:
        picture = restorations.picture(number, which)
        if picture is None:
            raise HTTPException(404, "There is no such picture now.")
        done, coded = cv2.imencode(".jpg", picture[..., ::-1])
        assert done, "a picture of bytes can be written"
        return Response(coded.tobytes(), media_type="image/jpeg", headers={"Cache-Control": "no-store"})


class Guard:
    """Lets in who may: this host's own pages, with the password if there is one."""

    def __init__(self, app: ASGIApp, names: Collection[str] | None, auth: str | None) -> None:
        """Stand before ``app``, which goes by these names alone, or by any."""
        self._app, self._names, self._auth = app, names, auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on, what is asked."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Request(scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            await self._app(scope, receive, answer)
        except asyncio.CancelledError:  # the page is closed, with tabs still open
            await answer.end()

    def _refusal(self, request: Request) -> Response | None:
        if self._auth is not None and not _knows(request, self._auth):
            asked = {"WWW-Authenticate": 'Basic realm="gfpvideo", charset="UTF-8"'}
            return Response("A password is needed.", 401, asked)
        if self._names is not None and _host_of(request) not in self._names:
            # a name that another site lets point here would make its pages the same origin
            return Response("This page has another name.", 400)
        return Response("Another site may not do this.", 403) if _from_elsewhere(request) else None


class _Answer:
    """Sends an answer with our headers, and knows how far it is."""

    def __init__(self, send: Send) -> None:
        self._send, self._open = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        self._open = message["type"] == "http.response.start" or message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """End what was to go on, such as a stream of news."""
        if self._open:
            await self({"type": "http.response.body"})


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
