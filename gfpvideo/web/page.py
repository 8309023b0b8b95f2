"""The page itself, in one language: what a person sees and presses, and which part of the library answers."""

import html
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import gradio as gr

from gfpvideo.errors import GfpvideoError, InputError, StoppedError
from gfpvideo.options.pipelines import pipeline_names
from gfpvideo.options.restore import RestoreOptions
from gfpvideo.options.timecode import timecode
from gfpvideo.restoration.batch import is_picture
from gfpvideo.restoration.survey import SoFar
from gfpvideo.web import form
from gfpvideo.web.folder import Folder
from gfpvideo.web.looking import Looking, Pair, Person, people
from gfpvideo.web.restorations import Glance, Restoration, Restorations
from gfpvideo.web.words import LANGUAGES, Words, duration

_POLL = 1.0
"""Seconds from one look at the queue to the next."""
_ARRIVE = 1.0
"""Seconds after which faces that were found meanwhile are shown."""
_AT_ONCE: dict[str, Any] = {"concurrency_limit": None}
"""Whoever looks takes turns with others (:class:`gfpvideo.web.looking.Turns`); Gradio's own queue need not know."""
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
            with gr.Column(visible=False) as self.look:
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
        where = words.in_folder.format(folder=Path(*self.folder.root.parts[-2:]))
        with gr.Row(equal_height=True):
            self.name = gr.Dropdown(
                self._names(),
                value="",
                label=where,
                elem_id="name",
                scale=4,
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
                label=words.people, show_label=False, columns=4, height="auto", fit_columns=False,
                allow_preview=False, buttons=[], elem_id="faces",
            )  # fmt: skip
            self.left = gr.CheckboxGroup([], label=words.leave, elem_id="left")

    def _settings(self) -> None:
        words = self.words
        gr.HTML(f"<h2>{words.settings}</h2>")
        presets = [(words.no_preset, ""), *((name.replace("_", " "), name) for name in pipeline_names())]
        self.preset = gr.Dropdown(presets, value="", label=words.preset, elem_id="preset")
        made = {name: form.component(name, words) for name in form.PLAIN}
        with gr.Accordion(words.more, open=False):
            for title, names in form.groups(words).items():
                gr.HTML(f"<h3>{title}</h3>")
                with gr.Row():
                    made |= {name: form.component(name, words) for name in names}
        self.settings = [made[name] for name in form.FIELDS]

    def _before(self) -> None:
        words = self.words
        gr.HTML(f"<h2>{words.look}</h2>")
        with gr.Row(equal_height=True) as self.at:
            self.moment = gr.Number(0, label=words.moment, minimum=0, elem_id="moment", scale=3)
            self.show = gr.Button(words.show, scale=1, elem_id="show")
        self.slider = gr.ImageSlider(
            label=words.slider, interactive=False, height=512, buttons=["fullscreen"], elem_id="slider"
        )
        self.start = gr.Button(words.start, variant="primary", elem_id="start")

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
        self._connect_choice()
        self._connect_looking()
        self._connect_queue()

    def _connect_choice(self) -> None:
        self.upload.upload(self._uploaded, self.upload, [self.upload, self.name, self.trouble], **_HIDDEN)
        self.refresh.click(lambda: gr.Dropdown(self._names()), None, self.name, **_HIDDEN)
        self.preset.change(form.shown_values, self.preset, self.settings, **_HIDDEN)

    def _connect_looking(self) -> None:
        asked = [self.name, self.preset, *self.settings]
        found = [self.looked, self.gallery, self.seen, self.left, self.moment, self.slider, self.trouble]
        follow: dict[str, Any] = {"inputs": asked, "outputs": found, "show_progress": "hidden", **_AT_ONCE, **_HIDDEN}
        picked = self.name.change(self._chosen, self.name, [self.trouble, self.people, self.look, self.at], **_HIDDEN)
        picked.then(self._follow, **follow)
        gr.on(form.changes(self.settings), self._follow_again, trigger_mode="always_last", **follow)
        gr.on(
            [self.show.click, self.moment.submit], self._look, [self.left, self.moment, *asked],
            [self.slider, self.trouble], **_AT_ONCE, **_HIDDEN,
        )  # fmt: skip
        self.gallery.select(self._pressed, [self.seen, self.left], [self.left, self.moment], **_HIDDEN)
        self.blocks.unload(self._left)

    def _connect_queue(self) -> None:
        asked = [self.name, self.preset, *self.settings]
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
            return [None, gr.skip(), _trouble(error)]
        return [None, gr.Dropdown(self._names(), value=name), ""]

    def _chosen(self, name: str) -> list[Any]:
        """Make room for what a film or a photograph needs."""
        film = _is_film(name)
        return ["", gr.Column(visible=film), gr.Column(visible=bool(name)), gr.Row(visible=film)]

    def _follow(self, request: gr.Request, name: str, preset: str, *shown: Any) -> Iterator[list[Any]]:
        """Faces as they are found, now and then, and the first moment as soon as there is one."""
        yield ["", [], [], gr.CheckboxGroup([], value=[]), 0, None, gr.skip()]
        try:
            source, options = self._asked(name, preset, shown)
            if _is_film(name):
                yield from self._faces(source, options, _who(request))
            elif name:
                yield _found(slider=self.looking.moment(source, options, 0, _who(request)))
        except StoppedError:  # something else was chosen
            return
        except GfpvideoError as error:
            yield _found(looked="", trouble=_trouble(error))

    def _follow_again(self, request: gr.Request, name: str, preset: str, *shown: Any) -> Iterator[list[Any]]:
        """The same, once people would be found, or numbered, in another way."""
        with suppress(GfpvideoError):  # told once it is to be used
            source, options = self._asked(name, preset, shown)
            if _is_film(name) and not self.looking.is_known(source, options, _who(request)):
                yield from self._follow(request, name, preset, *shown)
                return
        yield _found()

    def _asked(self, name: str, preset: str, shown: Sequence[Any]) -> tuple[Path, RestoreOptions]:
        options = RestoreOptions.parse(form.given(preset, list(shown), film=not is_picture(Path(name))))
        return self.folder.path(name) if name else self.folder.root, options

    def _faces(self, source: Path, options: RestoreOptions, who: str) -> Iterator[list[Any]]:
        told, count, so_far, pair = time.monotonic(), 0, None, None
        for so_far in self.looking.follow(source, options, who):
            if time.monotonic() - told < _ARRIVE:
                continue
            found = people(so_far, options) if so_far.count != count else None
            yield self._seen(found, so_far, who)
            if pair is None and so_far.count:
                moment, pair = self._first_look(source, options, who, so_far)
                yield _found(moment=moment, slider=pair or gr.skip())
            told, count = time.monotonic(), so_far.count
        assert so_far is not None, "a film without frames was refused"
        yield self._seen(people(so_far, options))
        if pair is None:
            moment = people(so_far, options)[0].middle
            yield _found(moment=moment, slider=self.looking.moment(source, options, moment, who))

    def _first_look(self, source: Path, options: RestoreOptions, who: str, so_far: SoFar) -> tuple[float, Pair | None]:
        """The first of them, if a face is to be restored there."""
        moment = people(so_far, options)[0].middle
        try:
            return moment, self.looking.moment(source, options, moment, who)
        except InputError:
            return moment, None

    def _seen(self, found: list[Person] | None, so_far: SoFar | None = None, who: str = "") -> list[Any]:
        """Everybody found; ``None`` for those who are shown already."""
        told = f'<p role="status">{self._told(so_far, who)}</p>' if so_far else ""
        if found is None:
            return _found(looked=told)
        labelled = [(person, self._label(person)) for person in found]
        return _found(
            looked=told,
            gallery=[(person.picture, label) for person, label in labelled],
            seen=[(person.track, round(person.middle, 2), label) for person, label in labelled],
            left=gr.CheckboxGroup([(label, person.track) for person, label in labelled]),
        )

    def _told(self, so_far: SoFar, who: str) -> str:
        how_far = f"{so_far.frames} / {so_far.expected}" if so_far.expected else f"{so_far.frames}"
        told = self.words.looking.format(count=so_far.count, frames=how_far)
        return f"{told}. {self.words.turns}" if self.looking.others(who) else told

    def _label(self, person: Person) -> str:
        start, end = (text.removeprefix("0:").partition(".")[0] for text in (person.start, person.end))
        return self.words.person.format(number=person.track, shot=person.shot, start=start, end=end)

    def _pressed(self, seen: list[list[Any]], left: list[int], event: gr.SelectData) -> tuple[list[int], float]:
        track, middle, _ = seen[event.index]
        return ([other for other in left if other != track] if track in left else [*left, track]), middle

    def _look(
        self, request: gr.Request, left: list[int], moment: float | None, name: str, preset: str, *shown: Any
    ) -> Iterator[list[Any]]:
        who = _who(request)
        yield [gr.skip(), f'<p role="status">{self.words.turns}</p>' if self.looking.others(who) else ""]
        try:
            source, options = self._asked(name, preset, shown)
            pair = self.looking.moment(source, options, float(moment or 0), who, [int(track) for track in left])
            yield [pair, ""]
        except GfpvideoError as error:
            yield [None, _trouble(error)]

    def _left(self, request: gr.Request) -> None:
        self.looking.leave(_who(request))

    def _start(self, left: list[int], name: str, preset: str, *shown: Any) -> list[Any]:
        try:
            values = form.given(preset, list(shown), film=not is_picture(Path(name)))
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
        # What was chosen while this was asked for stays: only a choice that there is no more gives way to the newest.
        offered = gr.Radio(listed)
        if number not in known:
            number = known[-1] if known else None
            offered = gr.Radio(listed, value=number)
        if number is None:
            return [offered, f"<p>{self.words.nothing}</p>", *_hidden(3), "", "", ""]
        found, glance = self.restorations.get(number), self.restorations.glance
        running = found.state in ("running", "stopping")
        key = f"{number} {found.state}"
        return [
            offered,
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
        kind = "img" if is_picture(Path(found.source)) else "video"
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


_FOUND = ("looked", "gallery", "seen", "left", "moment", "slider", "trouble")


def _found(**changes: Any) -> list[Any]:
    """What following shows, as far as it changes."""
    return [changes.get(name, gr.skip()) for name in _FOUND]


def _who(request: gr.Request) -> str:
    return request.session_hash or ""


def _is_film(name: str) -> bool:
    """Whether something is chosen, and no photograph: only films are looked at beforehand."""
    return bool(name) and not is_picture(Path(name))


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
