"""The doctor finds what each bad plugin does, and only that, and nothing in clean ones."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import Compile
from tests.measuring.doctor_modules import BAD, CLEAN, line_of

from jumptable.measuring.doctor.diagnosis import Diagnosis, Target, diagnose
from jumptable.measuring.doctor.findings import Finding

psutil = pytest.importorskip("psutil")

pytestmark = [
    pytest.mark.thread_unsafe(reason="changes sys.path, and starts processes"),
    pytest.mark.skipif(sys.platform == "win32", reason="the plugins are written for POSIX"),
]

# In C: what -D makes the constructor do, and the symptom of it.
NATIVE = {
    "THREAD": ("threads", "starts 1 thread, 1 still running"),
    "LISTENER": ("sockets", "listens on 127.0.0.1:"),
    "CONNECTION": ("sockets", "is connected to 127.0.0.1:"),
    "CHILD": ("processes", "starts a process, 1 still running"),
    "ENDED_CHILD": ("processes", "starts a process"),
    "READING": ("files", "reads files: 4.0 MiB"),
    "DESCRIPTOR": ("descriptors", "leaves 1 descriptor open"),
    "SIGNAL": ("signals", "SIGUSR2"),
    "DIRECTORY": ("directory", "changes the working directory to /"),
    "ENVIRONMENT": ("environment", "changes the environment: DOCTOR_BAD"),
    "LOCALE": ("locale", "C.UTF-8"),
    "MEMORY": ("memory", "takes 12"),
    "OUTPUT": ("output", "writes 7 bytes to standard output"),
    "ABORTS": ("crashed", "SIGABRT"),
    "EXITS": ("exited", "exits with status 0"),
}


def look_at(target: str, *, runs: int = 0, timeout: float = 60.0) -> Diagnosis:
    """Watched, and not timed unless a test is about times."""
    (found,) = diagnose([Target(target, target)], runs=runs, timeout=timeout)
    return found


def only(diagnosis: Diagnosis) -> Finding:
    found = [(finding.symptom, finding.message) for finding in diagnosis.findings]
    assert len(found) == 1, found
    return diagnosis.findings[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where modules are found, by what the doctor starts too."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_bad_modules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each symptom, and no other, at the line that has it."""
    modules = {name: folder / f"{re.sub('[^a-z]', '_', name)}_plugin.py" for name in BAD}
    for name, module in modules.items():
        module.write_text(BAD[name])
        module.with_suffix(".json").write_text("[1, 2, 3]")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("DOCTOR_PORT", str(server.getsockname()[1]))
        targets = [Target(name, module.stem) for name, module in modules.items()]
        found = {one.target.name: one.findings for one in diagnose(targets, runs=0, timeout=60)}
    assert {name: {finding.symptom for finding in found[name]} for name in BAD} == {
        name: {name.partition(" ")[0]} for name in BAD
    }
    lines = {name: line_of(text) for name, text in BAD.items()}
    assert {
        name: {(spot.file, spot.line) for finding in found[name] for spot in finding.spots}
        for name in BAD
        if lines[name]
    } == {name: {(str(modules[name]), line)} for name, line in lines.items() if line}
    assert "secret" not in repr(found)


def test_clean_modules(folder: Path) -> None:
    """And an extension module."""
    targets = [Target("an extension module", "jumptable.measuring.loops")]
    for name, text in CLEAN.items():
        targets.append(Target(name, f"clean_{len(targets)}"))
        (folder / f"{targets[-1].target}.py").write_text(text)
    found = diagnose(targets, runs=0, timeout=60)
    assert {one.target.name: one.findings for one in found} == {
        target.name: [] for target in targets
    }
    assert [(one.kind, one.unknown) for one in found] == [("python", [])] * len(targets)
    assert found[0].path is not None and found[0].path.endswith((".so", ".pyd"))


@pytest.mark.parametrize("name", NATIVE)
def test_a_bad_library(name: str, compile_plugin: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # C's streams would be, too
    symptom, words = NATIVE[name]
    finding = only(look_at(str(compile_plugin("doctor_bad", None, f"-D{name}", "-pthread"))))
    assert finding.severity != "note"
    assert finding.symptom == symptom
    assert words in finding.message
    assert "secret" not in repr(finding)


@pytest.mark.parametrize("flags", [["-DCLEAN"], ["-DCLEAN", "-g"]])
def test_a_clean_library(flags: list[str], compile_plugin: Compile) -> None:
    diagnosis = look_at(str(compile_plugin("doctor_bad", None, *flags)))
    assert diagnosis.findings == []
    assert (diagnosis.kind, diagnosis.unknown) == ("native", [])


@pytest.mark.skipif(sys.platform != "linux", reason="names glibc's library")
def test_a_library_of_the_system_is_clean() -> None:
    assert look_at("libm.so.6").findings == []


def test_what_hangs_is_ended(folder: Path, compile_plugin: Compile) -> None:
    (folder / "hanging.py").write_text("import threading\n\nthreading.Event().wait()\n")
    library = str(compile_plugin("doctor_bad", None, "-DHANGS"))
    finding = only(look_at("hanging", timeout=0.5))
    assert (finding.symptom, finding.message) == ("hung", "is not open after 0.5 s, and was ended")
    assert [(spot.file, spot.line) for spot in finding.spots] == [(str(folder / "hanging.py"), 3)]
    assert only(look_at(library, timeout=0.5)).symptom == "hung"


def test_what_it_started_is_ended(folder: Path) -> None:
    """In the process group or out of it."""
    (folder / "leaving.py").write_text(
        "import subprocess\nfrom pathlib import Path\n"
        "numbers = [subprocess.Popen(['sleep', '1000'], start_new_session=new).pid\n"
        "           for new in (False, True)]\n"
        "Path(__file__).with_suffix('.numbers').write_text(repr(numbers))\n"
    )
    found = {finding.symptom for finding in look_at("leaving").findings}
    assert found == {"processes", "writes"}
    for number in eval((folder / "leaving.numbers").read_text()):
        while is_running(number):  # a signal takes its time
            time.sleep(0.01)


def is_running(number: int) -> bool:
    """What has ended may still wait to be reaped, by init."""
    try:
        return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_slow_plugin(folder: Path, compile_plugin: Compile) -> None:
    (folder / "slow_plugin.py").write_text("import time\n\ntime.sleep(0.12)\n")
    finding = only(look_at("slow_plugin", runs=1))
    assert (finding.symptom, finding.severity) == ("slow", "warning")
    assert [(spot.detail, spot.line) for spot in finding.spots] == [("sleeps 0.12 s", 3)]
    finding = only(look_at(str(compile_plugin("doctor_bad", None, "-DSLOW")), runs=1))
    assert finding.symptom == "slow"


def test_slow_dependencies(folder: Path) -> None:
    """They are a finding of who imports them, at that line, and not the plugin's own time."""
    (folder / "heavy.py").write_text(
        "import heavier, re\n\nRE = [re.compile(x) for x in 'abcdefg']\n"
    )
    (folder / "heavier.py").write_text("import time\ntime.sleep(0.25)\n")
    (folder / "light_plugin").mkdir()
    (folder / "light_plugin/__init__.py").write_text("")
    (folder / "light_plugin/child.py").write_text("import json\nimport heavy\n")
    diagnosis = look_at("light_plugin.child", runs=2)
    finding = only(diagnosis)
    assert (finding.symptom, finding.severity) == ("imports", "warning")
    assert finding.message.endswith("ms: heavy")  # heavier is part of it
    (spot,) = finding.spots
    assert (spot.file, spot.line) == (str(folder / "light_plugin/child.py"), 2)
    times = diagnosis.times
    assert times is not None
    assert times.dependencies > 0.25
    assert times.total == pytest.approx(times.finding + times.dependencies + times.own)
    named = {one.name: one for one in times.imports}
    assert named["light_plugin"].own and named["light_plugin.child"].own
    assert not named["heavy"].own
    assert times.imports[named["heavier"].parent].name == "heavy"
    assert times.imports[named["heavy"].parent].name == "light_plugin.child"


def test_a_dependency_that_does_it(folder: Path) -> None:
    """Both are named: the plugin's line, and the one that it led to."""
    (folder / "starter.py").write_text("import os\n\ndef start():\n    os.system('true')\n")
    (folder / "user_plugin.py").write_text("import starter\n\n\nstarter.start()\n")
    (spot,) = only(look_at("user_plugin")).spots
    assert (spot.file, spot.line) == (str(folder / "user_plugin.py"), 4)
    assert (spot.by_file, spot.by_line) == (str(folder / "starter.py"), 4)


def test_a_dependency_of_many(folder: Path) -> None:
    """However deep, the plugin's line is found, and what is not its own is not charged to it."""
    (folder / "deep_plugin.py").write_text("import deep_0\n")
    for number in range(30):
        (folder / f"deep_{number}.py").write_text(f"import deep_{number + 1}\n")
    (folder / "deep_30.py").write_text(
        "import atexit, os, re\n\nos.environ['DEEP'] = '1'\nre.compile('a+')\n"
        "atexit.register(print)\n"
    )
    finding = only(look_at("deep_plugin"))
    assert finding.symptom == "environment"
    (spot,) = finding.spots
    assert (spot.file, spot.line) == (str(folder / "deep_plugin.py"), 1)
    assert (spot.by_file, spot.by_line) == (str(folder / "deep_30.py"), 3)


def test_threads_that_an_extension_starts(folder: Path, compile_plugin: Compile) -> None:
    """Of code that is not Python, the module that was loaded then."""
    library = compile_plugin("doctor_bad", None, "-DTHREAD", "-pthread")
    (folder / "loads.py").write_text(f"import ctypes\nctypes.CDLL({str(library)!r})\n")
    finding = only(look_at("loads"))
    assert (finding.symptom, finding.severity) == ("threads", "warning")
    assert [spot.detail for spot in finding.spots] == ["while loads was imported"]
    # A plugin that depends on it has a line that imports it, in the end.
    (folder / "between.py").write_text("\nimport loads\n")
    (folder / "depends_plugin.py").write_text("import json\nimport between\n")
    finding = only(look_at("depends_plugin"))
    assert finding.severity == "note"  # all that it can do is import it later
    (spot,) = finding.spots
    assert (spot.detail, spot.file, spot.line) == (
        "while loads was imported", str(folder / "depends_plugin.py"), 2,
    )  # fmt: skip


def test_a_library_that_needs_another(compile_plugin: Compile) -> None:
    """The other's constructor is not the plugin's own time."""
    slow = compile_plugin("doctor_bad", None, "-DSLOW")
    flags = [f"-L{slow.parent}", f"-l{slow.stem[3:]}", f"-Wl,-rpath,{slow.parent}"]
    user = compile_plugin("using", "int answer(void); int use(void) { return answer(); }\n", *flags)
    times = look_at(str(user), runs=1).times
    assert times is not None
    assert times.dependencies > 0.15 > times.own
    assert times.total == pytest.approx(times.finding + times.dependencies + times.own)


def test_a_plugin_that_opens_once_only(folder: Path) -> None:
    (folder / "unsteady.py").write_text(
        "import os\nfrom pathlib import Path\n"
        "mark = Path(__file__).with_suffix('.mark')\n"
        "if mark.exists():\n    raise KeyError('again')\nos.mkdir(mark)\n"
    )
    finding = only(look_at("unsteady", runs=2))
    assert (finding.symptom, finding.severity) == ("unsteady", "error")
    assert "in 2 of 2 runs" in finding.message and "again" in finding.message


def test_it_does_not_take_the_doctor_down(folder: Path) -> None:
    """Whatever is left of the interpreter."""
    for name, text in {
        "no_modules": "import sys\nsys.path.clear()\nsys.meta_path.clear()\n",
        "no_os": "import os, sys\nos.write = os.open = os.close = sys.exit = None\n",
        "no_builtins": "import builtins\nvars(builtins).clear()\n",
        "closed": "import os\nos.closerange(0, 100)\n",
        "interrupts": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass\n",
        "recurses": "import recurses_too\nrecurses_too.again()\n",
        "forks": "import os, time\nif not os.fork(): time.sleep(0.01)\n",
    }.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "recurses_too.py").write_text("def again():\n    again()\n")
    names = ["no_modules", "no_os", "no_builtins", "closed", "interrupts", "recurses", "forks"]
    targets = [Target(name, name) for name in names]
    found = diagnose(targets, runs=0, timeout=60)
    symptoms = {one.target.name: {finding.symptom for finding in one.findings} for one in found}
    assert symptoms["recurses"] == symptoms["interrupts"] == {"failed"}
    assert "KeyboardInterrupt" in found[4].findings[0].message
    assert symptoms["no_builtins"] == {"failed"}
    assert symptoms["forks"] == {"processes"}


def test_what_is_left_is_still_enough_for_the_answer(folder: Path) -> None:
    """None of these keeps a host from going on, and none is a finding."""
    for name, text in {
        "odd_path": "import sys\nsys.path = ()\n",
        "odd_finders": "import sys\nsys.meta_path = tuple(sys.meta_path)\n",
        "odd_package": "__path__ = 5\n",
        "odd_names": "import sys\nsys.modules[7] = None\nsys.modules['odd_number'] = 5\n",
        "odd_module": (
            "import sys\n\nclass Lazy:\n    def __getattr__(self, name):\n"
            "        raise ImportError('what it loads is missing')\n\n"
            "sys.modules['odd_lazy'] = Lazy()\n"
        ),
    }.items():
        (folder / f"{name}.py").write_text(text)
    names = ["odd_path", "odd_finders", "odd_package", "odd_names", "odd_module"]
    found = diagnose([Target(name, name) for name in names], runs=0, timeout=60)
    assert {one.target.name: one.findings for one in found} == {name: [] for name in names}


def test_the_last_words_are_the_last(folder: Path) -> None:
    (folder / "talking.py").write_text(
        "import os\nos.write(1, b'chatter\\n' * 1000)\nos.write(2, b'the reason\\n')\nos.abort()\n"
    )
    finding = only(look_at("talking"))
    assert finding.symptom == "crashed"
    assert finding.message.endswith("; its last words: the reason")


def test_a_flood_of_events_is_not_the_memory_of_the_plugin(folder: Path) -> None:
    (folder / "flooding.py").write_text("for number in range(40_000):\n    print(number)\n")
    finding = only(look_at("flooding"))
    assert finding.symptom == "output"
    assert [spot.line for spot in finding.spots] == [2]


def test_threads_of_the_doctor_do_not_count(folder: Path) -> None:
    (folder / "counting_plugin.py").write_text(
        "import os, threading\nassert threading.active_count() == 1\n"
    )
    assert look_at("counting_plugin").findings == []


def test_what_is_found_in_the_folder_it_is_called_in(
    folder: Path, compile_plugin: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = compile_plugin("doctor_bad", None, "-DCLEAN")
    monkeypatch.chdir(library.parent)
    diagnosis = look_at(f"./{library.name}", runs=1)
    assert diagnosis.findings == []
    assert diagnosis.path == os.path.realpath(library)


def test_targets_that_are_not_there() -> None:
    words = {
        "jumptable.measuring.ladr": "did you mean 'ladder'",
        "./no_such.so": "there is no file",
        "colorsys:rgb_to_yi": "did you mean 'rgb_to_yiq'",
        "": "is empty",
        "two..dots": "is no module's name",
    }
    for one in diagnose([Target(name, name) for name in words], runs=0, timeout=60):
        finding = only(one)
        assert (finding.symptom, finding.severity) == ("failed", "error")
        assert words[one.target.target] in finding.message
        assert "Traceback" not in finding.message
