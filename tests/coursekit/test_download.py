import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from coursekit import download
from coursekit.errors import DownloadFailed

BODY = b"PK" + bytes(range(256)) * 80


class Server(ThreadingHTTPServer):
    """Serves one file as web servers do; the attributes are what goes wrong with it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/file.zip"
        self.body, self.kind = BODY, "application/zip"
        self.headers = {"ETag": '"one"'}
        self.ranges = True  # whether it knows about ranges
        self.heeds_if_range = True
        self.shift = 0  # how far from what was asked for a range begins
        self.tells_size = True
        self.breaks = []  # after how many bytes the answers break off, one after the other
        self.status = 200
        self.asked = []  # the range of each request


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        server.asked.append(asked)
        start = int(asked[len("bytes=") : -1]) if asked and server.ranges else 0
        current = condition in {None, *server.headers.values()}
        if not current and server.heeds_if_range:
            start = 0
        start += server.shift if start else 0
        rest = server.body[start:]
        partial = 206 if rest else 416
        self.send_response(partial if start and server.status == 200 else server.status)
        for name, value in {**server.headers, "Content-Type": server.kind}.items():
            self.send_header(name, value)
        if start:
            total = len(server.body)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        if server.tells_size:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(rest[: server.breaks.pop(0)] if server.breaks else rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setenv("no_proxy", "*")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "file.zip"


@pytest.fixture
def get(target):
    """Download the file; returns what was said, and the error's text if there was one."""

    def run(url):
        said = []
        try:
            download.download(url, target, b"PK", said.append)
        except DownloadFailed as error:
            said.append(f"FAILED {error}")
        return "\n".join(said)

    return run


def assert_whole(target, body=BODY):
    assert target.read_bytes() == body
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def part_of(target):
    return target.with_name("file.zip.part")


def write_part(target, content, **note):
    part_of(target).write_bytes(content)
    target.with_name("file.zip.part.json").write_text(json.dumps(note))


def test_a_file_is_fetched_and_nothing_else_is_left(server, get, target):
    assert get(server.url) == ""
    assert_whole(target)
    assert server.asked == [None]


def test_a_connection_that_breaks_goes_on_where_it_was(server, get, target):
    server.breaks = [5000, 7000]
    assert get(server.url).count("the connection broke after 0.0 MB; going on from there") == 2
    assert server.asked == [None, "bytes=5000-", "bytes=12000-"]
    assert_whole(target)


def test_a_download_that_fails_keeps_what_it_has_and_the_next_one_goes_on(server, get, target):
    server.breaks = [5000, 0]
    assert "FAILED" in get(server.url)
    assert part_of(target).read_bytes() == BODY[:5000]
    assert not target.exists()
    get(server.url)
    assert server.asked[-1] == "bytes=5000-"
    assert_whole(target)


def test_a_server_without_ranges_starts_over(server, get, target):
    server.ranges = False
    server.breaks = [5000]
    assert "starting over" in get(server.url)
    assert_whole(target)


def test_a_server_without_ranges_that_always_breaks_is_given_up(server, get):
    server.ranges = False
    server.breaks = [5000] * 99
    assert "FAILED" in get(server.url)
    assert len(server.asked) == 2


def test_connections_that_keep_breaking_are_given_up(server, get):
    server.breaks = [10] * 999
    assert "the connection broke. Try again" in get(server.url)
    assert len(server.asked) == download.ATTEMPTS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"ETag": '"one"'}, {"ETag": '"two"'}),
        (
            {"Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"},
            {"Last-Modified": "Sun, 02 Jan 2000 00:00:00 GMT"},
        ),
    ],
)
@pytest.mark.parametrize("heeds", [True, False])
def test_a_file_that_changed_on_the_server_is_never_mixed_with_what_is_here(server, get, target, old, new, heeds):
    server.headers, server.heeds_if_range, server.breaks = old, heeds, [5000, 0]
    get(server.url)
    server.headers, server.body = new, BODY[:2] + BODY[:1:-1]
    get(server.url)
    assert server.asked[2:] == ["bytes=5000-"] if heeds else ["bytes=5000-", None]
    assert_whole(target, server.body)


def test_a_server_that_sends_another_range_than_was_asked_for_is_not_believed(server, get, target):
    server.breaks, server.shift = [5000], -1
    get(server.url)
    assert server.asked == [None, "bytes=5000-", None]
    assert_whole(target)


def test_a_file_that_changed_its_size_alone_is_not_mixed_either(server, get, target):
    write_part(target, b"PK of before", url=server.url, version='"one"', size=999)
    get(server.url)
    assert server.asked == ["bytes=12-", None]
    assert_whole(target)


def test_without_anything_that_tells_versions_apart_a_download_starts_over(server, get, target):
    server.headers = {"ETag": 'W/"weak"'}
    server.breaks = [5000]
    get(server.url)
    assert server.asked == [None, None]
    assert_whole(target)


def test_a_part_of_another_address_is_not_gone_on_with(server, get, target):
    server.breaks = [5000, 0]
    get(server.url)
    get(f"{server.url}?copy")
    assert server.asked[-1] is None
    assert_whole(target)


@pytest.mark.parametrize("note", [{}, [], {"url": 3}, {"url": None, "version": '"one"', "size": 30}])
def test_a_part_without_a_readable_note_is_not_gone_on_with(server, get, target, note):
    write_part(target, b"PK of something else")
    target.with_name("file.zip.part.json").write_text(json.dumps(note))
    get(server.url)
    assert_whole(target)


def test_a_part_longer_than_the_file_is_not_gone_on_with(server, get, target):
    write_part(target, BODY + b"more", url=server.url, version='"one"', size=len(BODY))
    get(server.url)
    assert server.asked == [None]
    assert_whole(target)


def test_what_was_killed_after_the_last_byte_is_not_fetched_again(server, get, target):
    write_part(target, BODY, url=server.url, version='"one"', size=len(BODY))
    get(server.url)
    assert server.asked == []
    assert_whole(target)


def test_a_server_that_does_not_tell_the_size_is_no_obstacle(server, get, target):
    server.tells_size = False
    get(server.url)
    assert_whole(target)


def test_a_download_of_unknown_size_can_be_gone_on_with_too(server, get, target):
    server.tells_size = False
    write_part(target, BODY[:5000], url=server.url, version='"one"', size=None)
    get(server.url)
    assert server.asked == ["bytes=5000-"]
    assert_whole(target)


def test_a_range_that_begins_beyond_the_file_starts_over(server, get, target):
    write_part(target, BODY + b"more", url=server.url, version='"one"', size=None)
    get(server.url)
    assert server.asked == [f"bytes={len(BODY) + 4}-", None]
    assert_whole(target)


@pytest.mark.parametrize(("status", "told"), [(404, "404 (Not Found)"), (500, "500 (Internal Server Error)")])
def test_a_server_that_refuses_is_quoted_and_what_is_here_stays(server, get, target, status, told):
    server.breaks = [5000, 0]
    get(server.url)
    server.status = status
    assert f"could not be fetched: the server answers {told}" in get(server.url)
    assert part_of(target).read_bytes() == BODY[:5000]


def test_a_web_page_is_not_the_file_and_does_not_cost_what_is_here(server, get, target):
    server.breaks = [5000, 0]
    get(server.url)
    server.body, server.kind, server.ranges = b"<html>Please log in", "text/html", False
    with pytest.raises(
        download.WrongContent, match="begins with b'<html>Please log in', and the server calls it text/"
    ):
        get(server.url)
    assert part_of(target).read_bytes() == BODY[:5000]


def test_an_empty_answer_is_a_broken_connection(server, get, target):
    server.body = b""
    assert "the connection broke" in get(server.url)
    assert not target.exists()


def test_what_is_at_no_web_address_is_not_fetched(get, target):
    target.with_name("source").write_bytes(BODY)
    url = target.with_name("source").as_uri()
    assert get(url) == f"FAILED {url} is not fetched: it must begin with http:// or https://. Correct the address."
    assert not target.exists()


def test_a_silent_server_is_given_up(server, get, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.05)
    over = threading.Event()
    monkeypatch.setattr(Handler, "do_GET", lambda _: over.wait(10))
    said = get(server.url)
    over.set()
    assert "the server is silent" in said


def test_without_a_server_it_says_what_to_do(get):
    with Server() as gone:
        url = gone.url
    assert f"{url} could not be fetched: the host refuses the connection. Check the network" in get(url)
