"""Code of our own that runs in this process, as if it were in a box."""

import sys
import threading

from autograder.sandbox import Step, Workspace
from coursekit.notebook import Statement


def test_what_its_code_prints_goes_nowhere_and_what_other_threads_print_arrives(capsys):
    def draw():
        for stream in (sys.stdout, sys.stderr):
            stream.write("bar\n")
            stream.flush()

    def progress(_):
        """What happens meanwhile."""
        bar = threading.Thread(target=draw)
        bar.start()
        bar.join()

    workspace = Workspace(progress)
    workspace.lend(["ask"])
    source = "import sys\ndef f():\n    print('mine', flush=True)\n    ask()\n    print('mine', file=sys.stderr)"
    workspace.run(Statement(source, 1, 1, 0))
    workspace.do([Step("call", "f")], [])
    sys.stdout.write("after\n")
    assert capsys.readouterr() == ("bar\nafter\n", "bar\n")
