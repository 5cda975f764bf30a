"""Python plugins that do what they should leave to the host: one symptom each.

The line that does it is the one that ends in ``# here``.
"""

from __future__ import annotations

# Symptom, in words, to the module's text.
BAD = {
    "threads": "import threading, time\n\n"
    "def work():\n    time.sleep(1000)\n\n"
    "threading.Thread(target=work, daemon=True).start()  # here\n",
    "threads that end": "import threading\n"
    "thread = threading.Thread(target=len, args=((),))\nthread.start()  # here\nthread.join()\n",
    "threads of _thread": "import _thread, time\n"
    "_thread.start_new_thread(time.sleep, (1000,))  # here\n",
    "processes": "import subprocess\nsubprocess.run(['true'])  # here\n",
    "processes that stay": "import subprocess\n"
    "child = subprocess.Popen(['sleep', '1000'])  # here\n",
    "processes by os.system": "import os\nos.system('true')  # here\n",
    "processes by fork": "import os\n"
    "child = os.fork()  # here\nif not child:\n    os._exit(0)\nos.waitpid(child, 0)\n",
    "sockets": "import socket\n\n"
    "def connect(address):\n    made = socket.socket()\n    made.connect(address)  # here\n"
    "    return made\n\n"
    "class Database:\n    def __init__(self, address):\n"
    "        self.connection = connect(address)\n\n"
    "import os\ndatabase = Database(('127.0.0.1', int(os.environ['DOCTOR_PORT'])))\n",
    "sockets that listen": "import socket\nserver = socket.socket()\n"
    "server.bind(('127.0.0.1', 0))  # here\nserver.listen()\n",
    "files": "import json\nfrom pathlib import Path\n"
    "table = json.loads(Path(__file__).with_suffix('.json').read_text())  # here\n",
    "writes": "import os\nlog = open(os.path.splitext(__file__)[0] + '.log', 'w')  # here\n"
    "log.close()\n",
    "regexes": "import re\n\npattern = re.compile('a+[bc]*d|e')  # here\n",
    "signals": "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: None)  # here\n",
    "directory": "import os\nos.chdir(os.path.dirname(os.path.abspath(__file__)))  # here\n",
    "environment": "import os\nos.environ['DOCTOR_BAD'] = 'secret'  # here\n",
    "locale": "import locale\nlocale.setlocale(locale.LC_CTYPE, 'C')  # here\n",
    "descriptors": "import os\nends = os.pipe()\n",
    "memory": "table = bytearray(b'x') * (128 << 20)  # here\n",
    "output": "print('loaded')  # here\n",
    "output to standard error": "import sys\nsys.stderr.write('loaded')  # here\n",
    "atexit": "import atexit\n\ndef bye():\n    pass\n\natexit.register(bye)  # here\n",
    "failed": "x = 1\nif x:\n    x / 0  # here\n",
    "failed to compile": "x = 1\nx = = 2  # here\n",
    "failed to find": "import no_such_dependency  # here\n",
    "exited": "import sys\nsys.exit('no licence')  # here\n",
    "exited at once": "import os\nos._exit(3)  # here\n",
    "exited by another program": "import os\nos.execvp('true', ['true'])  # here\n",
    "crashed": "import ctypes\nctypes.string_at(8)  # here\n",
    "crashed by a signal": "import os\nos.kill(os.getpid(), 9)\n",
}

CLEAN = {
    "a registry": '"""Nothing but definitions."""\n\n'
    "import functools\n\nREGISTRY = {}\n\n\ndef new():\n    return object()\n\n\n"
    "REGISTRY['new'] = new\n",
    "the standard library": "import argparse, collections, dataclasses, email.message, enum, json\n"
    "import logging, string, textwrap, threading, tokenize, typing, uuid\n\n"
    "logger = logging.getLogger(__name__)\nlock = threading.Lock()\n\n"
    "@dataclasses.dataclass\nclass Setting:\n    name: str\n    value: int = 0\n\n"
    "Point = collections.namedtuple('Point', 'x y')\n",
    "what it does is undone": "import os, signal, tempfile\n"
    "here = os.getcwd()\nos.chdir('/')\nos.chdir(here)\n"
    "os.environ['DOCTOR_BAD'] = ''\ndel os.environ['DOCTOR_BAD']\n"
    "os.close(os.open(os.devnull, os.O_RDONLY))\n",
}


def line_of(text: str) -> int | None:
    """The number of the marked line."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.endswith("# here"):
            return number
    return None
