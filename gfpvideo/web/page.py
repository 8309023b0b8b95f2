"""The page itself, in one language: what a person sees and presses, and which part of the library answers."""

import html
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import gradio as gr

from gfpvideo.errors import GfpvideoError
from gfpvideo.media.still import PICTURE_SUFFIXES
from gfpvideo.options.pipelines import pipeline_names
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.options.timecode import timecode
from gfpvideo.web import form
from gfpvideo.web.folder import Folder
from gfpvideo.web.looking import Looking, Person, people
from gfpvideo.web.restorations import Glance, Restoration, Restorations
from gfpvideo.web.words import LANGUAGES, Words, duration

_POLL = 1.0
"""Seconds from one look at the queue to the next."""
_ARRIVE = 1.0
"""Seconds after which faces that were found meanwhile are shown."""
_ONE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "look"}
"""Looking takes the whole processor: one person after the other, whom Gradio tells how many are before them."""
_HIDDEN: dict[str, Any] = {"api_visibility": "private"}


def page(words: Words, folder: Folder, restorations: Restorations, looking: Looking, path: str) -> gr.Blocks:
    """The page in one language.

    Args:
        words: its texts.
        folder: where films lie.
        restorations: the queue.
        looking: what looks before restoring.
        path: under which films are fetched, with a slash at its end.
    """
    return _Page(words, folder, restorations, looking, path).blocks


class _Page:
    """Its components, and what they do."""

    def __init__(self, words: Words, folder: Folder, restorations: Restorations, looking: Looking, path: str) -> None:
        self.words, self.folder, self.restorations, self.looking, self.path = words, folder, restorations, looking, path
        with gr.Blocks(title=words.title, analytics_enabled=False, delete_cache=(3600, 24 * 3600)) as self.blocks:
            self._head()
            self._choice()
            self._people()
            self._settings()
            self._before()
            self._queue()
            self._connect()

    # What is seen

    def _head(self) -> None:
        links = " · ".join(
            f'<a href="../{code}/" hreflang="{code}" lang="{code}">{words.language}</a>'
            for code, words in LANGUAGES.items()
        )
        gr.HTML(f'<nav class="languages">{links}</nav><h1>{self.words.title}</h1><p>{self.words.promise}</p>')

    def _choice(self) -> None:
        words = self.words
        gr.HTML(f"<h2>{words.choose}</h2>")
        self.upload = gr.File(label=words.upload, file_count="single", type="filepath", elem_id="upload")
        with gr.Row(equal_height=True):
            self.name = gr.Dropdown(
                self._names(), value="", label=words.in_folder.format(folder=self.folder.root), elem_id="name", scale=4
            )
            self.refresh = gr.Button(words.refresh, scale=1, elem_id="refresh")
        self.trouble = gr.HTML("", elem_id="trouble")

    def _people(self) -> None:
        words = self.words
        self.seen = gr.State([])
        with gr.Column(visible=False) as self.people:
            gr.HTML(f"<h2>{words.people}</h2><p>{words.people_help}</p>")
            self.looked = gr.HTML("", elem_id="looked")
            self.gallery = gr.Gallery(
                show_label=False, columns=6, fit_columns=False, allow_preview=False, buttons=[], elem_id="faces"
            )
            self.left = gr.CheckboxGroup([], label=words.leave, elem_id="left")

    def _settings(self) -> None:
        words = self.words
        gr.HTML(f"<h2>{words.settings}</h2>")
        presets = [(words.no_preset, ""), *((name.replace("_", " "), name) for name in pipeline_names())]
        self.preset = gr.Dropdown(presets, value="", label=words.preset, elem_id="preset")
        made = {name: form.component(name, words) for name in form.PLAIN}
        with gr.Accordion(words.more, open=False):
            for title, names in form.groups().items():
                gr.HTML(f"<h3>{title}</h3>")
                with gr.Row():
                    made |= {name: form.component(name, words) for name in names}
        self.settings = [made[name] for name in form.FIELDS]

    def _before(self) -> None:
        words = self.words
        with gr.Column(visible=False) as self.look:
            gr.HTML(f"<h2>{words.look}</h2>")
            with gr.Row(equal_height=True):
                self.moment = gr.Number(0, label=words.moment, minimum=0, elem_id="moment", scale=3)
                self.show = gr.Button(words.show, scale=1, elem_id="show")
            self.slider = gr.ImageSlider(
                label=words.slider, interactive=False, height=512, buttons=["fullscreen"], elem_id="slider"
            )
        self.start = gr.Button(words.start, variant="primary", interactive=False, elem_id="start")

    def _queue(self) -> None:
        words = self.words
        gr.HTML(f"<h2>{words.queue}</h2>")
        self.list = gr.Radio(self._listed(), show_label=False, label=words.queue, elem_id="list")
        self.status = gr.HTML(f"<p>{words.nothing}</p>", elem_id="status")
        with gr.Row():
            self.stop = gr.Button(words.stop, visible=False, elem_id="stop")
            self.go_on = gr.Button(words.go_on, visible=False, elem_id="go-on")
            self.forget = gr.Button(words.forget, visible=False, elem_id="forget")
        self.frame = gr.HTML("", elem_id="frame")
        self.result = gr.HTML("", elem_id="result")
        self.shown = gr.State("")
        self.clock = gr.Timer(_POLL)

    # What happens

    def _connect(self) -> None:
        chosen = [self.name, self.trouble, self.people, self.look, self.start]
        self.upload.upload(self._uploaded, self.upload, [self.upload, *chosen], **_HIDDEN)
        self.refresh.click(lambda: gr.Dropdown(self._names()), None, self.name, **_HIDDEN)
        asked = [self.name, self.preset, *self.settings]
        picked = self.name.change(self._chosen, self.name, [*chosen[1:], self.seen, self.left, self.slider], **_HIDDEN)
        found = picked.then(
            self._follow, asked, [self.looked, self.gallery, self.seen, self.left, self.moment, self.trouble],
            show_progress="hidden", **_ONE, **_HIDDEN,
        )  # fmt: skip
        look: dict[str, Any] = {
            "fn": self._look,
            "inputs": [*asked, self.moment],
            "outputs": [self.slider, self.trouble],
        }
        found.then(**look, **_ONE, **_HIDDEN)
        gr.on([self.show.click, self.moment.submit], **look, **_ONE, **_HIDDEN)
        self.gallery.select(self._pressed, [self.seen, self.left], [self.left, self.moment], **_HIDDEN)
        self.preset.change(form.shown_values, self.preset, self.settings, **_HIDDEN)
        self.start.click(self._start, [self.left, *asked], [self.trouble, self.list, self.status], **_HIDDEN)
        shown = [self.list, self.status, self.stop, self.go_on, self.forget, self.frame, self.result, self.shown]
        for button, act in (
            (self.stop, self.restorations.stop),
            (self.go_on, self.restorations.go_on),
            (self.forget, self.restorations.forget),
        ):
            button.click(_acting(act), self.list, self.trouble, **_HIDDEN)
        self.clock.tick(self._polled, [self.list, self.shown], shown, show_progress="hidden", **_HIDDEN)

    def _names(self) -> list[tuple[str, str]]:
        return [("", ""), *((name, name) for name in self.folder.names())]

    def _uploaded(self, uploaded: str) -> list[Any]:
        try:
            name = self.folder.take_in(Path(uploaded), Path(uploaded).name)
        except GfpvideoError as error:
            return [None, gr.skip(), _trouble(error), gr.skip(), gr.skip(), gr.skip()]
        return [None, gr.Dropdown(self._names(), value=name), "", gr.skip(), gr.skip(), gr.skip()]

    def _chosen(self, name: str) -> list[Any]:
        """Make room for what a film or a photograph needs."""
        film = _is_film(name)
        remark = f"<p>{self.words.photograph}</p>" if name and not film else ""
        nobody = gr.CheckboxGroup([], value=[])
        return [
            remark,
            gr.Column(visible=film),
            gr.Column(visible=film),
            gr.Button(interactive=bool(name)),
            [],
            nobody,
            None,
        ]

    def _follow(self, name: str, preset: str, *shown: Any) -> Iterator[list[Any]]:
        """Faces as they are found, now and then."""
        if not _is_film(name):
            yield [gr.skip()] * 6
            return
        try:
            options = RestoreOptions.parse(form.given(preset, list(shown)))
            told, count, so_far = time.monotonic(), 0, None
            for so_far in self.looking.follow(self.folder.path(name), options):
                if so_far.count != count and time.monotonic() - told >= _ARRIVE:
                    told, count = time.monotonic(), so_far.count
                    yield self._seen(people(so_far, options), so_far.frames, so_far.expected)
            if so_far is not None:
                yield self._seen(people(so_far, options))
        except GfpvideoError as error:
            yield [*[gr.skip()] * 5, _trouble(error)]

    def _seen(self, found: list[Person], frames: int = 0, expected: int | None = None) -> list[Any]:
        labels = [self._label(person) for person in found]
        how_far = f"{frames} / {expected}" if expected else f"{frames}"
        told = self.words.looking.format(count=len(found), seconds=how_far) if frames else ""
        seen = [(person.track, round(person.middle, 2), label) for person, label in zip(found, labels, strict=True)]
        return [
            f'<p role="status">{told}</p>' if told else "",
            [(person.picture, label) for person, label in zip(found, labels, strict=True)],
            seen,
            gr.CheckboxGroup([(label, person.track) for person, label in zip(found, labels, strict=True)]),
            gr.skip() if frames else found[0].middle,
            gr.skip(),
        ]

    def _label(self, person: Person) -> str:
        start, end = (text.removeprefix("0:").partition(".")[0] for text in (person.start, person.end))
        return self.words.person.format(number=person.track, shot=person.shot, start=start, end=end)

    def _pressed(self, seen: list[list[Any]], left: list[int], event: gr.SelectData) -> tuple[list[int], float]:
        track, middle, _ = seen[event.index]
        return ([other for other in left if other != track] if track in left else [*left, track]), middle

    def _look(self, name: str, preset: str, *shown: Any) -> list[Any]:
        *settings, moment = shown
        if not _is_film(name):
            return [gr.skip(), gr.skip()]
        try:
            options = RestoreOptions.parse(form.given(preset, settings))
            found = self.looking.moment(self.folder.path(name), options, float(moment or 0))
        except GfpvideoError as error:
            return [None, _trouble(error)]
        return [(found.before, found.after), ""]

    def _start(self, left: list[int], name: str, preset: str, *shown: Any) -> list[Any]:
        try:
            values = form.given(preset, list(shown))
            if left:
                values["skip"] = [int(track) for track in left]
            added = self.restorations.add(name, _plain(values))
        except GfpvideoError as error:
            return [_trouble(error), gr.skip(), gr.skip()]
        return ["", gr.Radio(self._listed(), value=added.number), self._line(added)]

    # The queue

    def _listed(self) -> list[tuple[str, int]]:
        return [(each.source, each.number) for each in self.restorations.all()]

    def _polled(self, number: int | None, shown: str) -> list[Any]:
        """How the chosen restoration stands; the result only where it has changed, or a film would begin anew."""
        listed = self._listed()
        known = [number for _, number in listed]
        if number not in known:
            number = known[-1] if known else None
        if number is None:
            return [gr.Radio([], value=None), f"<p>{self.words.nothing}</p>", *_hidden(3), "", "", ""]
        found, glance = self.restorations.get(number), self.restorations.glance
        running = found.state in ("running", "stopping")
        key = f"{number} {found.state}"
        return [
            gr.Radio(listed, value=number),
            self._line(found, glance),
            gr.Button(visible=found.state in ("running", "waiting")),
            gr.Button(visible=found.state in ("stopped", "failed")),
            gr.Button(visible=not running),
            self._frame(number, glance) if running else "",
            gr.skip() if key == shown else self._result(found),
            key,
        ]

    def _line(self, found: Restoration, glance: Glance | None = None) -> str:
        """One restoration in words, with how far it is."""
        words = self.words
        texts = {
            "waiting": words.waiting.format(ahead=self.restorations.ahead(found.number)),
            "running": self._running(glance or Glance()),
            "stopping": words.stopping,
            "stopped": words.stopped,
            "done": words.done.format(faces=found.faces, frames=found.frames),
            "failed": words.failed,
        }
        bar = _bar(glance) if found.state in ("running", "stopping") and glance else ""
        message = html.escape(found.message).replace("\n", "<br>")
        said = f'<p class="message">{message}</p>' if message else ""
        source = html.escape(found.source)
        return f'<p role="status"><strong>{source}</strong>: {texts[found.state]}</p>{bar}{said}'

    def _running(self, glance: Glance) -> str:
        words = self.words
        if glance.stage != "restoring":
            return {"loading": words.loading, "following": words.following, "muxing": words.muxing}[glance.stage]
        counted = words.running if glance.expected else words.running_blind
        text = counted.format(done=glance.done, expected=max(glance.done, glance.expected or 0))
        return text if glance.left is None else f"{text}, {words.left.format(time=duration(words, glance.left))}"

    def _frame(self, number: int, glance: Glance) -> str:
        """The frame just made, fetched like a film: what components show, Gradio would keep a file of every second."""
        if glance.after is None:
            return ""
        path, words = f"{self.path}{number}/frame", self.words
        pictures = (("before", words.before), ("after", words.after))
        shown = "".join(_media("img", f"{path}/{which}?{glance.done}", label) for which, label in pictures)
        return f'<p>{words.frame}</p><div class="sides">{shown}</div>'

    def _result(self, found: Restoration) -> str:
        """Film and restored film side by side, and where to save it."""
        if found.state != "done":
            return ""
        words, path = self.words, f"{self.path}{found.number}"
        kind = "img" if Path(found.source).suffix.lower() in PICTURE_SUFFIXES else "video"
        shown = "".join(_media(kind, f"{path}/{which}", label) for which, label in (
            ("source", words.before), ("target", words.after),
        ))  # fmt: skip
        name = html.escape(found.target)
        link = f'<a class="save" href="{path}/target?save" download="{name}">{words.download}</a>'
        return f'<div class="sides">{shown}</div><p>{words.no_player}</p><p>{link}</p>'


_TOGETHER = "this.closest('.sides').querySelectorAll('video').forEach(other => {{ if (other !== this) {action} }})"
"""What one of two films does to the other, so that they are seen side by side at the same moment."""
_EVENTS = {
    "onplay": "{ other.muted = true; other.currentTime = this.currentTime; other.play(); }",
    "onpause": "other.pause();",
    "onseeked": "{ if (Math.abs(other.currentTime - this.currentTime) > 0.05) other.currentTime = this.currentTime; }",
}


def _media(kind: str, url: str, label: str) -> str:
    if kind == "img":
        return f'<figure><img src="{url}" alt="{label}"><figcaption>{label}</figcaption></figure>'
    events = " ".join(f'{name}="{_TOGETHER.format(action=action)}"' for name, action in _EVENTS.items())
    film = f'<video src="{url}" controls preload="metadata" aria-label="{label}" {events}></video>'
    return f"<figure>{film}<figcaption>{label}</figcaption></figure>"


def _bar(glance: Glance) -> str:
    """How far it is, as the browser draws it."""
    if not glance.expected or glance.stage != "restoring":
        return '<progress aria-hidden="true"></progress>'
    done = min(glance.done, glance.expected)
    return f'<progress max="{glance.expected}" value="{done}" aria-hidden="true"></progress>'


def _is_film(name: str) -> bool:
    """Whether something is chosen, and no photograph: only films are looked at beforehand."""
    return bool(name) and Path(name).suffix.lower() not in PICTURE_SUFFIXES


def _trouble(error: GfpvideoError) -> str:
    return f'<p role="alert" class="message">{html.escape(str(error))}</p>'


def _acting(act: Any) -> Any:
    def acted(number: int | None) -> str:
        try:
            if number is not None:
                act(int(number))
        except GfpvideoError as error:
            return _trouble(error)
        return ""

    return acted


def _hidden(count: int) -> list[Any]:
    return [gr.update(visible=False)] * count


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as they can be remembered."""
    return {name: timecode(value) if isinstance(value, Fraction) else value for name, value in values.items()}
