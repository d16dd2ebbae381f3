import errno
import os
import socket
import sys
import tempfile
import threading
import warnings
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coursekit import images
from coursekit.errors import PictureUnavailable
from coursekit.images import image_from_url

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def encoded(form="PNG", pixels=PIXELS, mode=None, **options):
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = BytesIO()
    (picture.convert(mode) if mode else picture).save(file, form, **options)
    return file.getvalue()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, self.headers["User-Agent"]))
        with suppress(OSError):  # the client may go, as it should
            self.server.answer(self)

    def log_message(self, *_):
        pass

    def give(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch):
    """A server on this machine, with ``answer`` to be set by the test; ``stop`` is set when the test is over."""
    monkeypatch.setenv("no_proxy", "*")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.stop = [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def serve(server):
    """Let the server answer everything with one body; returns an address."""

    def run(body, **options):
        server.answer = lambda request: request.give(body, **options)
        return f"{server.url}/picture"

    return run


def open_files():
    """What the open descriptors of this process lead to; sockets apart, since the server has some too."""
    folder = Path("/proc/self/fd")
    links = [os.readlink(link) for link in folder.iterdir() if link.is_symlink()] if folder.is_dir() else []  # noqa: PTH115
    return sorted(link for link in links if not link.startswith(("/proc", "socket")))


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch, tmp_path_factory):
    """No temporary file, no open file, no open connection, no thread, on every path: in every test of this file."""
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    connections, connect = [], socket.create_connection

    def recorded(*args, **options):
        connections.append(connect(*args, **options))
        return connections[-1]

    monkeypatch.setattr(socket, "create_connection", recorded)
    before = open_files()
    yield
    assert list(folder.iterdir()) == []
    assert open_files() == before
    assert [connection.fileno() for connection in connections] == [-1] * len(connections)
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def refused(url):
    with pytest.raises(PictureUnavailable) as caught:
        image_from_url(url)
    assert url in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF", "JPEG", "WEBP"])
def test_every_usual_format_is_read_as_colours_of_8_bits(serve, form):
    smooth = np.broadcast_to(np.array([200, 100, 50], np.uint8), (16, 24, 3))
    picture = image_from_url(serve(encoded(form, smooth)))
    assert picture.shape == (16, 24, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_allclose(picture.astype(int), smooth, atol=4)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_a_format_without_loss_gives_every_pixel(serve, form):
    np.testing.assert_array_equal(image_from_url(serve(encoded(form))), PIXELS)


def test_a_grey_picture_becomes_three_equal_channels(serve):
    picture = image_from_url(serve(encoded(pixels=PIXELS[..., 0])))
    np.testing.assert_array_equal(picture, np.stack([PIXELS[..., 0]] * 3, axis=2))


def test_a_picture_of_black_and_white_becomes_0_and_255(serve):
    picture = image_from_url(serve(encoded(pixels=Image.fromarray(PIXELS[..., 0] > 127))))
    np.testing.assert_array_equal(picture[..., 1], np.where(PIXELS[..., 0] > 127, 255, 0))


def test_a_palette_becomes_its_colours(serve):
    palette = Image.fromarray(PIXELS).quantize(40)
    np.testing.assert_array_equal(image_from_url(serve(encoded(pixels=palette))), np.asarray(palette.convert("RGB")))


def test_transparent_places_become_white_and_half_transparent_ones_half_white(serve):
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 100, 200, 128]]], np.uint8)
    picture = image_from_url(serve(encoded(pixels=pixels)))
    np.testing.assert_array_equal(picture, [[[10, 20, 30], [255, 255, 255], [127, 177, 227]]])


def test_the_transparent_colour_of_a_palette_becomes_white(serve):
    palette = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    palette.putpalette([9, 9, 9, 50, 60, 70])
    picture = image_from_url(serve(encoded(pixels=palette, transparency=0)))
    np.testing.assert_array_equal(picture, [[[255, 255, 255], [50, 60, 70]]])


def test_a_picture_in_printing_colours_is_not_taken_for_a_transparent_one(serve):
    picture = image_from_url(serve(encoded("TIFF", mode="CMYK")))
    np.testing.assert_array_equal(picture, PIXELS)


def test_sixteen_bits_become_eight(serve):
    wide = np.array([[0, 257, 32896, 65535]], np.uint16)
    picture = image_from_url(serve(encoded(pixels=wide)))
    np.testing.assert_array_equal(picture[0, :, 0], [0, 1, 128, 255])
    assert picture.shape == (1, 4, 3)


def test_floating_point_numbers_go_from_0_to_1(serve):
    numbers = np.array([[-1, 0, 0.5, 1, 7, np.nan]], np.float32)
    np.testing.assert_array_equal(image_from_url(serve(encoded("TIFF", numbers)))[0, :, 2], [0, 0, 128, 255, 255, 0])


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_read(serve, form):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue", "lime")]
    body = encoded(form, frames[0], save_all=True, append_images=frames[1:], duration=50)
    picture = image_from_url(serve(body))
    assert picture.shape == (6, 8, 3)
    np.testing.assert_allclose(picture[0, 0].astype(int), [255, 0, 0], atol=4)


def test_a_photograph_is_turned_upright(serve):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side
    assert image_from_url(serve(encoded("JPEG", exif=exif))).shape == (7, 5, 3)


def test_the_kit_says_who_asks(server, serve):
    image_from_url(serve(encoded()))
    assert server.seen[0][1].startswith("coursekit/")


def test_spaces_and_letters_beyond_ascii_in_an_address_are_sent_as_http_wants_them(server, serve):
    serve(encoded())
    image_from_url(f"  {server.url}/eine schöne%20Katze.png?größe=2 #Bild ")
    assert server.seen[0][0] == "/eine%20sch%C3%B6ne%20Katze.png?gr%C3%B6%C3%9Fe=2%20"


def test_redirects_are_followed(server):
    def answer(request):
        if request.path == "/new":
            request.give(encoded())
        else:
            request.give(status=302, Location="/new")

    server.answer = answer
    np.testing.assert_array_equal(image_from_url(f"{server.url}/old"), PIXELS)


def test_a_redirect_with_an_endless_body_is_followed_without_reading_it(server):
    def answer(request):
        if request.path == "/new":
            request.give(encoded())
        else:
            request.give(status=302, Location="/new", Content_Length=None)
            while not server.stop.is_set():
                request.wfile.write(bytes(2**16))

    server.answer = answer
    assert image_from_url(f"{server.url}/old").shape == PIXELS.shape


def test_a_circle_of_redirects_is_an_error(server):
    server.answer = lambda request: request.give(status=302, Location="/again")
    assert "redirects in a circle" in refused(f"{server.url}/start")


@pytest.mark.parametrize("scheme", ["file", "ftp"])
def test_a_redirect_leads_to_web_addresses_alone(server, tmp_path, scheme):
    (tmp_path / "secret.png").write_bytes(encoded())
    address = (tmp_path / "secret.png").as_uri().replace("file", scheme, 1)
    server.answer = lambda request: request.give(status=302, Location=address)
    assert "No picture from http" in refused(f"{server.url}/start")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (404, r"404 (Not Found). The file is not there"),
        (403, "403 (Forbidden). The server refuses access: use"),
        (500, "500 (Internal Server Error)"),
    ],
)
def test_a_dead_link_says_what_the_server_answers(serve, status, told):
    message = refused(serve(b"x" * 100, status=status))
    assert told in message
    assert "Try" in message or "correct" in message or "use another address" in message


def test_a_closed_port_is_an_error_that_says_what_to_try(server):
    port = server.server_port
    server.shutdown()
    server.server_close()
    assert "refuses the connection. Check the network" in refused(f"http://127.0.0.1:{port}/a.png")


def test_a_silent_server_is_given_up(server, monkeypatch):
    monkeypatch.setattr(images, "TIMEOUT", 0.05)
    server.answer = lambda _: server.stop.wait(10)
    assert "the server is silent" in refused(f"{server.url}/a.png")


@pytest.mark.parametrize("where", ["status", "headers", "body"])
def test_a_server_that_drips_is_given_up_at_the_deadline(server, monkeypatch, where):
    monkeypatch.setattr(images, "DEADLINE", 0.15)
    start = {
        "status": b"HTTP/1.0 200",
        "headers": b"HTTP/1.0 200 OK\r\nX-A: ",
        "body": b"HTTP/1.0 200 OK\r\n\r\n",
    }[where]

    def answer(request):
        request.wfile.write(start)
        while not server.stop.wait(0.005):
            request.wfile.write(b" ")

    server.answer = answer
    assert "it had not arrived after 0.15 s" in refused(f"{server.url}/a.png")


def test_a_connection_that_is_made_after_the_deadline_is_cut_before_anything_is_asked(serve, server, monkeypatch):
    monkeypatch.setattr(images, "DEADLINE", 0.05)
    connect = socket.create_connection

    def late(*args, **options):
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                thread.join()
        return connect(*args, **options)

    monkeypatch.setattr(socket, "create_connection", late)
    assert "it had not arrived after 0.05 s" in refused(serve(encoded()))
    assert server.seen == []


def test_a_full_disk_is_told_as_that_wherever_the_picture_comes_from(serve, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(images, "_copy", full)
    (tmp_path / "a.png").write_bytes(encoded())
    for url in (serve(encoded()), (tmp_path / "a.png").as_uri()):
        assert "there is no room left on the disk. Make room." in refused(url)


def test_a_picture_that_says_that_it_is_too_large_is_not_fetched(serve, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 2**20)
    assert "it has more than 1 MB" in refused(serve(b"", Content_Length=2**20 + 1))


def test_an_endless_body_is_cut_off_while_it_is_read(server, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 2**20)
    sent = []

    def answer(request):
        request.give(Content_Length=None)
        while not server.stop.is_set():
            sent.append(request.wfile.write(bytes(2**16)))

    server.answer = answer
    assert "it has more than 1 MB" in refused(f"{server.url}/a.png")
    assert sum(sent) < 2**25


def test_a_broken_connection_is_not_taken_for_a_whole_picture(serve):
    whole = encoded("BMP")
    assert "the connection broke. Try again" in refused(serve(whole, Content_Length=len(whole) + 5))


def test_an_answer_that_is_not_http_is_an_error(server):
    server.answer = lambda request: request.wfile.write(b"\x00\x01\x02 hello\r\n\r\n")
    assert "does not speak HTTP" in refused(f"{server.url}/a.png")


def test_a_web_page_in_place_of_a_picture_is_called_by_its_name(serve):
    message = refused(serve(b"\n  <!DOCTYPE html><html><img src=cat.png>", Content_Type="image/png"))
    assert "this is a web page, not a picture. Open it in a browser" in message


@pytest.mark.parametrize(
    "body", [b"GIF89a", b"hello", b"<svg/>", encoded("JPEG")[:-60], encoded()[:60], encoded("TIFF")[:30], bytes(999)]
)
def test_what_is_no_picture_or_half_a_picture_is_an_error(serve, body):
    assert "not a picture that can be read, or only a part of one" in refused(serve(body))


def test_an_empty_answer_is_an_error(serve):
    assert "there is nothing in it" in refused(serve(b""))


def test_a_small_file_that_unfolds_to_a_huge_picture_is_refused_without_unfolding_it(serve, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 99)
    assert "it has 10 x 10 pixels" in refused(serve(encoded(pixels=np.zeros((10, 10), np.uint8))))


def test_a_large_picture_is_read_without_a_warning(serve, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert image_from_url(serve(encoded())).shape == PIXELS.shape


@pytest.mark.parametrize("name", ["a.png", "two words.png", "große Katze 猫.png", "100%.png", "a#b?c.png"])
def test_a_file_on_this_machine_is_read(tmp_path, name):
    (tmp_path / name).write_bytes(encoded())
    np.testing.assert_array_equal(image_from_url((tmp_path / name).as_uri()), PIXELS)


def test_a_file_address_may_be_written_by_hand(tmp_path, monkeypatch):
    (tmp_path / "große Katze.png").write_bytes(encoded())
    monkeypatch.chdir(tmp_path)
    for url in (
        f"file://localhost{tmp_path}/große Katze.png",
        f"file:{tmp_path}/große Katze.png",
        "file:große Katze.png",
    ):
        np.testing.assert_array_equal(image_from_url(url), PIXELS)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    message = refused((tmp_path / "no such.png").as_uri())
    assert f"there is no file {tmp_path / 'no such.png'}" in message


def test_a_folder_or_a_device_is_not_read(tmp_path):
    assert "is not a file" in refused(tmp_path.as_uri())
    assert "is not a file" in refused("file:///dev/zero")


def test_a_file_that_is_too_large_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    (tmp_path / "a.png").write_bytes(encoded())
    assert "Take a smaller version" in refused((tmp_path / "a.png").as_uri())


@pytest.mark.parametrize(
    "url", ["", "cat.png", "ftp://host/cat.png", "data:image/png;base64,AAAA", "http://", "http:///a", "javascript:1"]
)
def test_an_address_of_another_kind_is_refused(url):
    assert "Addresses begin with http://, https:// or file:" in refused(url)


@pytest.mark.parametrize("url", ["http://[::1", "http://host:port/a.png", f"http://{'a' * 70}é.com/a.png"])
def test_what_is_no_address_at_all_is_an_error_too(url):
    assert "Check" in refused(url) or "Correct it" in refused(url)


def test_something_that_is_no_text_is_an_error_too():
    with pytest.raises(PictureUnavailable, match="this is no address"):
        image_from_url(None)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="open descriptors are listed in /proc")
def test_the_descriptor_is_closed_before_the_file_is_removed(tmp_path, monkeypatch):
    (tmp_path / "good.png").write_bytes(encoded())
    (tmp_path / "bad.png").write_bytes(b"no picture")
    removed, unlink = [], Path.unlink

    def watched(self, *, missing_ok=False):
        links = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]  # noqa: PTH115
        removed.append(str(self) in links)
        unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    image_from_url((tmp_path / "good.png").as_uri())
    refused((tmp_path / "bad.png").as_uri())
    refused((tmp_path / "missing.png").as_uri())
    assert removed == [False, False, False]
