"""Every text of the page, in the languages that it speaks; names of options under "More" stay the library's own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The texts of one language."""

    language: str
    title: str
    promise: str
    choose: str
    upload: str
    in_folder: str
    """{folder}"""
    refresh: str
    people: str
    people_help: str
    leave: str
    person: str
    """{number}, {shot}, {start}, {end}"""
    looking: str
    """{count}, {frames}"""
    turns: str
    settings: str
    preset: str
    no_preset: str
    strength: str
    strength_help: str
    steady: str
    steady_help: str
    model: str
    grain: str
    grain_help: str
    fields: str
    fields_refuse: str
    fields_weave: str
    fields_keep: str
    more: str
    look: str
    moment: str
    show: str
    slider: str
    start: str
    queue: str
    nothing: str
    stop: str
    go_on: str
    forget: str
    waiting: str
    """{ahead}"""
    running: str
    """{done}, {expected}"""
    running_blind: str
    """{done}"""
    left: str
    """{time}"""
    loading: str
    following: str
    muxing: str
    stopping: str
    stopped: str
    done: str
    """{faces}, {frames}"""
    failed: str
    frame: str
    before: str
    after: str
    download: str
    no_player: str
    minutes: str
    """{count}"""
    seconds: str
    """{count}"""
    hours: str
    """{hours}, {minutes}"""


ENGLISH = Words(
    language="English",
    title="Restore the faces in a film",
    promise="The faces become sharp and stay the same people; picture, sound and subtitles stay as they are. "
    "Everything happens on this computer.",
    choose="1. Choose a film",
    upload="Drop a film or a photograph here",
    in_folder="Or choose one in {folder}",
    refresh="Look again",
    people="2. Who is in it",
    people_help="Press a face to leave that person as they are; press again to restore them.",
    leave="Leave these as they are",
    person="Person {number}, scene {shot}, {start} to {end}",
    looking="Looking for faces: {count} so far, {frames} frames seen",
    turns="Others are looking at films too: you take turns, so it takes longer.",
    settings="3. How",
    preset="Kind of film",
    no_preset="Any",
    strength="Strength",
    strength_help="How much of the restoration goes into the picture",
    steady="Steadiness",
    steady_help="Frames on either side that a face is averaged with where nothing moves",
    model="Network",
    grain="Film grain",
    grain_help="Put the film's own grain back on faces",
    fields="Interlaced film",
    fields_refuse="Tell me if it is",
    fields_weave="Make whole pictures",
    fields_keep="Leave as it is",
    more="More",
    look="4. Look before you start",
    moment="Moment, in seconds from the beginning",
    show="Show this moment",
    slider="Before (left) and after (right): drag the line",
    start="Restore the film",
    queue="5. Your films",
    nothing="Nothing here yet.",
    stop="Stop",
    go_on="Go on",
    forget="Take off the list",
    waiting="Waiting: {ahead} before it",
    running="{done} of about {expected} frames",
    running_blind="{done} frames",
    left="about {time} left",
    loading="Getting ready",
    following="Looking for the person",
    muxing="Putting the film together",
    stopping="Stopping after this piece; what is done stays done",
    stopped="Stopped; what is done is kept",
    done="Done: {faces} faces in {frames} frames",
    failed="It could not be restored",
    frame="The frame just made",
    before="Before",
    after="After",
    download="Save the restored film",
    no_player="If your browser does not play it, save it and open it in a film player.",
    minutes="{count} min",
    seconds="{count} s",
    hours="{hours} h {minutes} min",
)

GERMAN = Words(
    language="Deutsch",
    title="Die Gesichter in einem Film auffrischen",
    promise="Die Gesichter werden scharf und bleiben dieselben Menschen; Bild, Ton und Untertitel bleiben, "
    "wie sie sind. Alles geschieht auf diesem Rechner.",
    choose="1. Film auswählen",
    upload="Einen Film oder ein Foto hierher ziehen",
    in_folder="Oder einen aus {folder} wählen",
    refresh="Noch einmal nachsehen",
    people="2. Wer zu sehen ist",
    people_help="Auf ein Gesicht drücken, um diesen Menschen zu lassen, wie er ist; noch einmal, um ihn aufzufrischen.",
    leave="Diese bleiben, wie sie sind",
    person="Person {number}, Szene {shot}, {start} bis {end}",
    looking="Gesichter werden gesucht: bisher {count}, {frames} Bilder gesehen",
    turns="Auch andere sehen sich gerade Filme an: Es geht der Reihe nach und dauert länger.",
    settings="3. Wie",
    preset="Art des Films",
    no_preset="Beliebig",
    strength="Stärke",
    strength_help="Wie viel von der Auffrischung ins Bild kommt",
    steady="Ruhe",
    steady_help="Über so viele Bilder davor und danach wird ein Gesicht gemittelt, wo sich nichts bewegt",
    model="Netz",
    grain="Filmkorn",
    grain_help="Den Gesichtern das Korn des Films zurückgeben",
    fields="Film mit Zeilensprung",
    fields_refuse="Sagen, falls er welchen hat",
    fields_weave="Ganze Bilder daraus machen",
    fields_keep="So lassen",
    more="Mehr",
    look="4. Vorher ansehen",
    moment="Augenblick, in Sekunden vom Anfang",
    show="Diesen Augenblick zeigen",
    slider="Vorher (links) und nachher (rechts): die Linie verschieben",
    start="Film auffrischen",
    queue="5. Ihre Filme",
    nothing="Hier ist noch nichts.",
    stop="Anhalten",
    go_on="Weitermachen",
    forget="Aus der Liste nehmen",
    waiting="Wartet: noch {ahead} davor",
    running="{done} von etwa {expected} Bildern",
    running_blind="{done} Bilder",
    left="noch etwa {time}",
    loading="Wird vorbereitet",
    following="Die Person wird gesucht",
    muxing="Der Film wird zusammengesetzt",
    stopping="Hält nach diesem Stück an; was fertig ist, bleibt",
    stopped="Angehalten; was fertig ist, ist aufgehoben",
    done="Fertig: {faces} Gesichter in {frames} Bildern",
    failed="Er ließ sich nicht auffrischen",
    frame="Das eben fertige Bild",
    before="Vorher",
    after="Nachher",
    download="Den aufgefrischten Film speichern",
    no_player="Falls der Browser ihn nicht abspielt: speichern und mit einem Filmprogramm öffnen.",
    minutes="{count} min",
    seconds="{count} s",
    hours="{hours} h {minutes} min",
)

KOREAN = Words(
    language="한국어",
    title="영상 속 얼굴 복원",
    promise="얼굴은 선명해지고 같은 사람으로 남습니다. 그 밖의 화면, 소리, 자막은 그대로입니다. "
    "모든 작업은 이 컴퓨터에서 이루어집니다.",
    choose="1. 영상 고르기",
    upload="영상이나 사진을 여기에 놓으세요",
    in_folder="또는 {folder}에서 고르기",
    refresh="다시 살펴보기",
    people="2. 누가 나오나요",
    people_help="그대로 둘 사람의 얼굴을 누르세요. 다시 누르면 복원합니다.",
    leave="그대로 둘 사람",
    person="사람 {number}, 장면 {shot}, {start}부터 {end}까지",
    looking="얼굴을 찾는 중: 지금까지 {count}명, {frames}장 확인",
    turns="다른 사람도 영상을 보고 있어서 차례로 처리합니다. 시간이 더 걸립니다.",
    settings="3. 방법",
    preset="영상의 종류",
    no_preset="아무거나",
    strength="세기",
    strength_help="복원한 얼굴을 화면에 얼마나 넣을지",
    steady="안정",
    steady_help="움직임이 없는 곳에서 얼굴을 앞뒤 몇 장과 평균 낼지",
    model="신경망",
    grain="필름 입자",
    grain_help="필름 본래의 입자를 얼굴에 되돌리기",
    fields="비월 주사 영상",
    fields_refuse="그렇다면 알려 주기",
    fields_weave="온전한 화면으로 만들기",
    fields_keep="그대로 두기",
    more="더 보기",
    look="4. 시작하기 전에 보기",
    moment="시점 (처음부터 초)",
    show="이 시점 보기",
    slider="복원 전(왼쪽)과 후(오른쪽): 선을 끌어 보세요",
    start="영상 복원하기",
    queue="5. 내 영상",
    nothing="아직 아무것도 없습니다.",
    stop="멈추기",
    go_on="이어서 하기",
    forget="목록에서 빼기",
    waiting="기다리는 중: 앞에 {ahead}개",
    running="약 {expected}장 중 {done}장",
    running_blind="{done}장",
    left="약 {time} 남음",
    loading="준비하는 중",
    following="사람을 찾는 중",
    muxing="영상을 합치는 중",
    stopping="이 부분을 마치고 멈춥니다. 끝난 것은 남습니다",
    stopped="멈췄습니다. 끝난 것은 남아 있습니다",
    done="완료: {frames}장에서 얼굴 {faces}개",
    failed="복원할 수 없었습니다",
    frame="방금 만든 화면",
    before="복원 전",
    after="복원 후",
    download="복원한 영상 저장하기",
    no_player="브라우저에서 재생되지 않으면 저장한 뒤 재생기로 여세요.",
    minutes="{count}분",
    seconds="{count}초",
    hours="{hours}시간 {minutes}분",
)

LANGUAGES: dict[str, Words] = {"en": ENGLISH, "ko": KOREAN, "de": GERMAN}
"""By the codes that browsers ask with; the first is for all others."""


def preferred(accepted: str) -> str:
    """The first language of an ``Accept-Language`` header that the page speaks."""
    wanted = [part.split(";")[0].strip()[:2].lower() for part in accepted.split(",")]
    return next((code for code in wanted if code in LANGUAGES), next(iter(LANGUAGES)))


def duration(words: Words, seconds: float) -> str:
    """A time as people say it, never shorter than it is by much."""
    whole = max(1, round(seconds))
    if whole < 90:
        return words.seconds.format(count=whole)
    minutes = -(-whole // 60)
    if minutes < 90:
        return words.minutes.format(count=minutes)
    return words.hours.format(hours=minutes // 60, minutes=minutes % 60)
