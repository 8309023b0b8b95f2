"""Every text of the page, in the languages that it speaks; English ones of options are those of the options model."""

from dataclasses import dataclass, field


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
    groups: dict[str, str] = field(default_factory=dict)
    """What stands above a group of options, by its name."""
    options: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What an option is called, and what it does, by its name."""


ENGLISH = Words(
    language="English",
    title="Restore the faces in a film",
    promise="The faces become sharp and stay the same people; picture, sound and subtitles stay as they are. "
    "Everything happens on this computer.",
    choose="Choose a film",
    upload="Drop a film or a photograph here",
    in_folder="Or choose one in {folder}",
    refresh="Look again",
    people="Who is in it",
    people_help="Press a face to leave that person as they are; press again to restore them.",
    leave="Leave these as they are",
    person="Person {number}, scene {shot}, {start} to {end}",
    looking="Looking for faces: {count} so far, {frames} frames seen",
    turns="Others are looking at films too: you take turns, so it takes longer.",
    settings="How",
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
    look="Look before you start",
    moment="Moment, in seconds from the beginning",
    show="Show this moment",
    slider="Before (left) and after (right): drag the line",
    start="Restore the film",
    queue="Your films",
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
    choose="Film auswählen",
    upload="Einen Film oder ein Foto hierher ziehen",
    in_folder="Oder einen aus {folder} wählen",
    refresh="Noch einmal nachsehen",
    people="Wer zu sehen ist",
    people_help="Auf ein Gesicht drücken, um diesen Menschen zu lassen, wie er ist; noch einmal, um ihn aufzufrischen.",
    leave="Diese bleiben, wie sie sind",
    person="Person {number}, Szene {shot}, {start} bis {end}",
    looking="Gesichter werden gesucht: bisher {count}, {frames} Bilder gesehen",
    turns="Auch andere sehen sich gerade Filme an: Es geht der Reihe nach und dauert länger.",
    settings="Wie",
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
    look="Vorher ansehen",
    moment="Augenblick, in Sekunden vom Anfang",
    show="Diesen Augenblick zeigen",
    slider="Vorher (links) und nachher (rechts): die Linie verschieben",
    start="Film auffrischen",
    queue="Ihre Filme",
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
    groups={
        "find": "Gesichter finden",
        "follow": "Ihnen folgen",
        "restore": "Auswählen und auffrischen",
        "time": "Über die Zeit ruhig halten",
        "engine": "Netze und Geräte",
        "before": "Vor der Auffrischung",
        "after": "Nach der Auffrischung",
        "write": "Den Film schreiben",
    },
    options={
        "detector": ("Gesichtsfinder", "Das Netz, das Gesichter sucht."),
        "detect_size": ("Suchgröße", "Lange Seite des Bildes, in dem gesucht wird."),
        "detect_every": ("Suchabstand", "Höchstens so viele Bilder von einer Suche zur nächsten."),
        "refine": (
            "Genau platzieren",
            "Gesichter nach eigenen Punkten platzieren; lassen, was nicht zu retten ist.",
        ),
        "min_score": ("Mindestsicherheit", "So sicher muss ein Gesicht sein, damit es eines ist."),
        "min_face": ("Mindestgröße", "Kleinster Abstand von Augen zu Mund, in Bildpunkten."),
        "lag": ("Vorausschau", "So viele Bilder schaut das Verfolgen voraus."),
        "max_gap": ("Größte Lücke", "So viele Bilder lang wird ein übersehenes Gesicht ergänzt."),
        "smooth": ("Beruhigen", "Lage der Gesichter über die Zeit beruhigen und Lücken füllen."),
        "max_faces": ("Höchstens", "So viele Gesichter eines Bildes werden aufgefrischt, die größten zuerst."),
        "adapt": ("Anpassen", "Weniger tun, wo ein Gesicht scharf, winzig oder von der Seite zu sehen ist."),
        "believe": ("Zweifeln", "Vom Geratenen nur so viel nehmen, wie man ihm glauben kann."),
        "every": (
            "Läufe des Netzes",
            "Das Netz jedes Bild rechnen lassen (1), oder aus denen daneben nehmen, was sich wenig bewegt.",
        ),
        "gather": ("Sammeln", "Dem Netz zeigen, was die Bilder davor und danach vom Gesicht wissen."),
        "mask": (
            "Umriss",
            "Was als Gesicht gilt: sein Umriss, eine Ellipse, oder was ein Netz findet (langsam).",
        ),
        "around": (
            "Drumherum",
            "Wie es ist (none), oder mit dem, was die Bilder davor und danach wissen: Haare, Hals und Kragen (crop), "
            "das ganze Bild (picture).",
        ),
        "guard": ("Schützen", "Lassen, was vor einem Gesicht ist: Hände, Mikrofone, Haare."),
        "color": ("Farbe", "Woher Farbe und Licht kommen: vom Film oder vom Netz."),
        "engine": ("Rechenwerk", "Womit die Netze gerechnet werden."),
        "device": ("Gerät", "auto, cpu, cuda, cuda:N oder gpu."),
        "precision": ("Genauigkeit", "Rechengenauigkeit des Netzes."),
        "compiler": ("Übersetzer", "Was die Netze von torch übersetzt."),
        "batch": ("Auf einmal", "So viele Gesichter gehen zusammen durch das Netz."),
        "reuse": (
            "Wiederverwenden",
            "Um so viele Graustufen darf ein Gesicht vom letzten abweichen, das wieder dient.",
        ),
        "start": ("Von", "Ab hier auffrischen: Sekunden oder h:mm:ss vom Anfang."),
        "end": ("Bis", "Bis hierher auffrischen."),
        "telecine": ("Telecine aufheben", "24 ganze Bilder aus den 30, die das Fernsehen daraus gemacht hat."),
        "upscale": ("Vergrößern", "Das Bild so viele Male vergrößern."),
        "compare": ("Vergleichsfilm", "Nebeneinander, in der Mitte geteilt, oder mit einer wandernden Grenze."),
        "container": ("Dateiart", "Art der neuen Datei."),
        "codec": ("Bildkodierer", "auto ist libx264, oder einer, der nichts verliert."),
        "crf": ("Güte", "Gleichbleibende Güte; kleiner ist besser."),
        "preset": ("Geschwindigkeit", "Wie schnell der Kodierer arbeitet."),
        "audio_codec": ("Ton", "Den Ton damit neu kodieren; copy lässt ihn, wie er ist."),
        "audio_kbits": ("Tonrate", "Kilobit in der Sekunde, wenn der Ton neu kodiert wird."),
        "strict": ("Streng", "Scheitern, wenn die Datei eine Spur nicht aufnehmen kann, statt nur zu warnen."),
    },
)

KOREAN = Words(
    language="한국어",
    title="영상 속 얼굴 복원",
    promise="얼굴은 선명해지고 같은 사람으로 남습니다. 그 밖의 화면, 소리, 자막은 그대로입니다. "
    "모든 작업은 이 컴퓨터에서 이루어집니다.",
    choose="영상 고르기",
    upload="영상이나 사진을 여기에 놓으세요",
    in_folder="또는 {folder}에서 고르기",
    refresh="다시 살펴보기",
    people="누가 나오나요",
    people_help="그대로 둘 사람의 얼굴을 누르세요. 다시 누르면 복원합니다.",
    leave="그대로 둘 사람",
    person="사람 {number}, 장면 {shot}, {start}부터 {end}까지",
    looking="얼굴을 찾는 중: 지금까지 {count}명, {frames}장 확인",
    turns="다른 사람도 영상을 보고 있어서 차례로 처리합니다. 시간이 더 걸립니다.",
    settings="방법",
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
    look="시작하기 전에 보기",
    moment="시점 (처음부터 초)",
    show="이 시점 보기",
    slider="복원 전(왼쪽)과 후(오른쪽): 선을 끌어 보세요",
    start="영상 복원하기",
    queue="내 영상",
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
    groups={
        "find": "얼굴 찾기",
        "follow": "따라가기",
        "restore": "고르고 복원하기",
        "time": "시간에 따라 안정시키기",
        "engine": "신경망과 장치",
        "before": "복원 전",
        "after": "복원 후",
        "write": "영상 쓰기",
    },
    options={
        "detector": ("얼굴 검출기", "얼굴을 찾는 신경망."),
        "detect_size": ("찾는 크기", "얼굴을 찾을 그림의 긴 변."),
        "detect_every": ("찾는 간격", "한 번 찾고 다음에 찾을 때까지의 최대 장수."),
        "refine": ("정확한 위치", "얼굴을 그 자체의 점으로 맞추고, 복원할 수 없는 것은 그대로 두기."),
        "min_score": ("최소 확신", "얼굴로 볼 최소 점수."),
        "min_face": ("최소 크기", "눈에서 입까지의 최소 거리 (픽셀)."),
        "lag": ("미리 보기", "따라갈 때 앞을 내다보는 장수."),
        "max_gap": ("최대 빈틈", "놓친 얼굴을 채우는 최대 장수."),
        "smooth": ("매끄럽게", "얼굴 위치를 시간에 따라 안정시키고 빈틈을 채우기."),
        "max_faces": ("최대 얼굴 수", "한 장에서 복원할 얼굴 수, 큰 것부터."),
        "adapt": ("알맞게", "선명하거나 아주 작거나 옆에서 본 얼굴은 덜 복원하기."),
        "believe": ("믿을 만큼만", "신경망이 짐작한 것에서 믿을 수 있는 만큼만 쓰기."),
        "every": (
            "신경망 실행",
            "장면마다 신경망을 돌리거나(1), 얼굴이 적게 움직이면 앞뒤 결과를 가져오기.",
        ),
        "gather": ("모으기", "앞뒤 장면이 얼굴에 대해 아는 것을 신경망에 함께 보여 주기."),
        "mask": ("영역", "얼굴의 윤곽, 타원, 또는 신경망이 찾은 것(느림)."),
        "around": (
            "얼굴 둘레",
            "그대로 두거나(none), 앞뒤 장면이 아는 것을 쓰기: 머리카락, 목, 옷깃(crop) 또는 화면 전체(picture).",
        ),
        "guard": ("가린 것 지키기", "얼굴 앞의 손, 마이크, 머리카락을 그대로 두기."),
        "color": ("색", "색과 빛을 영상에서 가져올지 신경망에서 가져올지."),
        "engine": ("계산 엔진", "신경망을 계산하는 것."),
        "device": ("장치", "auto, cpu, cuda, cuda:N 또는 gpu."),
        "precision": ("정밀도", "신경망 계산의 정밀도."),
        "compiler": ("컴파일러", "torch의 신경망을 컴파일하는 것."),
        "batch": ("한 번에", "신경망에 함께 넣는 얼굴 수."),
        "reuse": ("다시 쓰기", "방금 복원한 얼굴을 다시 쓸 수 있는 최대 차이 (회색 단계)."),
        "start": ("시작", "여기부터 복원: 초, 또는 처음부터 h:mm:ss."),
        "end": ("끝", "여기까지 복원."),
        "telecine": ("텔레시네 되돌리기", "TV가 만든 30장에서 온전한 24장으로."),
        "upscale": ("확대", "화면을 이만큼 확대하기."),
        "compare": ("비교 영상", "나란히, 가운데를 나누어, 또는 움직이는 경계로."),
        "container": ("파일 형식", "새 파일의 형식."),
        "codec": ("영상 인코더", "auto는 libx264, 또는 손실이 없는 것."),
        "crf": ("품질", "일정한 품질. 작을수록 좋음."),
        "preset": ("속도", "인코더의 속도."),
        "audio_codec": ("소리", "소리를 이것으로 새로 인코딩. copy는 그대로 둠."),
        "audio_kbits": ("소리 비트", "소리를 새로 인코딩할 때 초당 킬로비트."),
        "strict": ("엄격하게", "파일에 담을 수 없는 스트림이 있으면 경고 대신 그만두기."),
    },
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
