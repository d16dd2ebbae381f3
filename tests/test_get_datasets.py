import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest

from coursekit.data import load_captions

HOME = Path(__file__).parent.parent
WORDS = ("<NULL>", "<START>", "<END>", "<UNK>", "cat", "dog")
SIZES = {"train": (50, 40), "val": (9, 6)}


def h5_bytes(**arrays):
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        for name, array in arrays.items():
            h5[name] = array
    return file.getvalue()


def coco_members():
    """The files of the archive as it is in the world, with small arrays in them."""
    rng = np.random.default_rng(0)
    members, indices = {}, {}
    for name, (captions, pictures) in SIZES.items():
        indices[f"{name}_captions"] = rng.integers(0, 6, (captions, 17), dtype=np.int32)
        indices[f"{name}_image_idxs"] = rng.integers(0, pictures, captions, dtype=np.int32)
        for kind, width in (("_pca", 512), ("", 640)):
            features = rng.standard_normal((pictures, width)).astype(np.float32)
            members[f"{name}2014_vgg16_fc7{kind}.h5"] = h5_bytes(features=features)
        members[f"{name}2014_urls.txt"] = "".join(f"http://host/{name}/{k}.jpg\n" for k in range(pictures)).encode()
    members["coco2014_captions.h5"] = h5_bytes(**indices)
    vocabulary = {"idx_to_word": WORDS, "word_to_idx": {word: index for index, word in enumerate(WORDS)}}
    members["coco2014_vocab.json"] = json.dumps(vocabulary).encode()
    return members


def zipped(members, folder="coco_captioning/"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("coco_captioning")
        for name, content in members.items():
            archive.writestr(name if name.startswith(("/", ".", "C:")) else folder + name, content)
    return file.getvalue()


MEMBERS = coco_members()
ARCHIVE = zipped(MEMBERS)


class Server(ThreadingHTTPServer):
    """Serves one file, whole or from any place on."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/coco_captioning.zip"
        self.body = ARCHIVE
        self.status = 200
        self.tells_size = True
        self.breaks = []  # after how many bytes the answers break off, one after the other
        self.asked = []  # the range of each request


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        start = int((server.asked[-1] or "bytes=0-")[len("bytes=") : -1])
        self.send_response(206 if start else server.status)
        self.send_header("ETag", '"one"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.body) - 1}/{len(server.body)}")
        if server.tells_size:
            self.send_header("Content-Length", str(len(server.body) - start))
        self.end_headers()
        rest = server.body[start:]
        with suppress(OSError):
            self.wfile.write(rest[: server.breaks.pop(0)] if server.breaks else rest)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    server = Server()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("COCO_CAPTIONING_URL", server.url)
    monkeypatch.delenv("COCO_CAPTIONING_SHA256", raising=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_coco(path, width=512):
    data = load_captions(path)
    with h5py.File(io.BytesIO(MEMBERS["coco2014_captions.h5"])) as h5:
        for name, (_, pictures) in SIZES.items():
            split = getattr(data, name)
            np.testing.assert_array_equal(split.captions, h5[f"{name}_captions"][()])
            np.testing.assert_array_equal(split.image_idxs, h5[f"{name}_image_idxs"][()])
            assert split.features.shape == (pictures, width)
            assert split.urls[-1] == f"http://host/{name}/{pictures - 1}.jpg"
    kind = "_pca" if width == 512 else ""
    with h5py.File(io.BytesIO(MEMBERS[f"val2014_vgg16_fc7{kind}.h5"])) as h5:
        np.testing.assert_array_equal(data.val.features, h5["features"][()])
    assert data.idx_to_word == WORDS
    assert names(path.parent) == ["coco.h5"]


def test_coco_is_fetched_and_becomes_a_data_set_and_nothing_else_is_left(server, get, tmp_path):
    code, said = get("coco")
    assert code == 0
    assert "50 captions of 40 pictures to train, 9 captions of 6 pictures to validate, 6 words" in said
    assert_coco(tmp_path / "coco.h5")
    assert server.asked == [None]


def test_a_second_run_does_nothing(server, get):
    get("coco")
    code, said = get("coco")
    assert (code, len(server.asked)) == (0, 1)
    assert "is there and whole: nothing to do" in said


@pytest.mark.usefixtures("server")
def test_a_damaged_data_set_is_made_anew(get, tmp_path):
    get("coco")
    file = tmp_path / "coco.h5"
    file.write_bytes(file.read_bytes()[:-100])
    code, said = get("coco")
    assert code == 0
    assert "coco.h5 is cut off" in said
    assert_coco(file)


def test_an_archive_without_the_reduced_features_gives_the_full_ones(server, get, tmp_path):
    server.body = zipped({name: content for name, content in MEMBERS.items() if "_pca" not in name})
    assert get("coco")[0] == 0
    assert_coco(tmp_path / "coco.h5", width=640)


@pytest.mark.parametrize("folder", ["", "some/where/else/"])
def test_the_folder_inside_the_archive_does_not_matter(server, get, tmp_path, folder):
    server.body = zipped(MEMBERS, folder)
    assert get("coco")[0] == 0
    assert_coco(tmp_path / "coco.h5")


@pytest.mark.usefixtures("server")
def test_the_right_checksum_is_accepted(get, monkeypatch):
    monkeypatch.setenv("COCO_CAPTIONING_SHA256", hashlib.sha256(ARCHIVE).hexdigest().upper())
    assert get("coco")[0] == 0


def test_a_connection_that_breaks_goes_on_where_it_was(server, get, tmp_path):
    server.breaks = [5000, 7000]
    code, said = get("coco")
    assert code == 0
    assert server.asked == [None, "bytes=5000-", "bytes=12000-"]
    assert said.count("the connection broke") == 2
    assert_coco(tmp_path / "coco.h5")


def test_a_run_that_fails_keeps_what_it_has_and_the_next_one_goes_on(server, get, tmp_path):
    server.breaks = [5000, 0]
    code, said = get("coco")
    assert code == 1
    assert "the connection broke. Try again, and run the command again. The 0.0 MB that are here are kept." in said
    assert names(tmp_path) == ["coco_captioning.zip.part", "coco_captioning.zip.part.json"]
    assert get("coco")[0] == 0
    assert server.asked[-1] == "bytes=5000-"
    assert_coco(tmp_path / "coco.h5")


def test_a_half_file_of_a_server_that_does_not_tell_the_size_is_not_taken_for_a_whole_one(server, get, tmp_path):
    server.tells_size = False
    server.breaks = [5000]
    code, said = get("coco")
    assert code == 1
    assert "is not the archive of COCO captions: it is damaged" in said
    assert names(tmp_path) == []


def test_a_server_that_refuses_is_quoted(server, get, tmp_path):
    server.status = 404
    code, said = get("coco")
    assert code == 1
    assert f"{server.url} could not be fetched: the server answers 404 (Not Found). The file is not there" in said
    assert "COCO_CAPTIONING_URL may name another copy" in said
    assert names(tmp_path) == []


def test_a_web_page_with_status_200_is_not_an_archive(server, get, tmp_path):
    server.body = b"<html>Please log in"
    code, said = get("coco")
    assert code == 1
    assert "is not the archive of COCO captions: it begins with b'<html>Please log in'" in said
    assert names(tmp_path) == []


def test_without_a_server_it_says_what_to_do(get, tmp_path, monkeypatch):
    with Server() as gone:
        monkeypatch.setenv("COCO_CAPTIONING_URL", gone.url)
    code, said = get("coco")
    assert code == 1
    assert f"{gone.url} could not be fetched: the host refuses the connection. Check the network" in said
    assert "COCO_CAPTIONING_URL may name another copy. The scenes need no network: ./get_datasets.sh" in said
    assert names(tmp_path) == []


@pytest.mark.parametrize("size", [100, len(ARCHIVE) // 2, len(ARCHIVE) - 1])
def test_an_archive_that_is_cut_off_on_the_server_is_refused_and_removed(server, get, tmp_path, size):
    server.body = ARCHIVE[:size]
    code, said = get("coco")
    assert code == 1
    assert "is not the archive of COCO captions: it is damaged" in said
    assert names(tmp_path) == []


def test_a_flipped_bit_in_the_archive_is_found(server, get, tmp_path):
    with zipfile.ZipFile(io.BytesIO(ARCHIVE)) as archive:
        middle = archive.getinfo("coco_captioning/train2014_vgg16_fc7_pca.h5").header_offset + 3000
    server.body = ARCHIVE[:middle] + bytes([ARCHIVE[middle] ^ 1]) + ARCHIVE[middle + 1 :]
    assert get("coco")[0] == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("missing", ["coco2014_captions.h5", "coco2014_vocab.json", "val2014_urls.txt"])
def test_an_archive_that_lacks_a_file_says_which(server, get, tmp_path, missing):
    server.body = zipped({name: content for name, content in MEMBERS.items() if name != missing})
    code, said = get("coco")
    assert code == 1
    assert f"it holds no {missing}" in said
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("coco2014_vocab.json", b"{", "it is damaged or holds something else"),
        ("coco2014_vocab.json", b"[]", "it is damaged or holds something else"),
        ("coco2014_vocab.json", b'{"idx_to_word": ["a"], "word_to_idx": {"a": 1}}', "contradict each other"),
        ("coco2014_captions.h5", h5_bytes(train_captions=[1]), "coco2014_captions.h5 holds no train_image_idxs"),
        ("val2014_vgg16_fc7_pca.h5", b"hello", "it is damaged or holds something else"),
        ("val2014_vgg16_fc7_pca.h5", h5_bytes(features=np.zeros((5, 512))), "val_urls has 6 entries for 5 rows"),
        ("val2014_urls.txt", b"http://host/1.jpg", "val_urls has 1 entries for 6 rows of val_features"),
    ],
)
def test_an_archive_with_something_else_in_it_says_what_is_wrong(server, get, tmp_path, name, content, told):
    server.body = zipped(MEMBERS | {name: content})
    code, said = get("coco")
    assert code == 1
    assert told in said
    assert names(tmp_path) == []


def test_an_index_too_large_for_32_bits_does_not_come_round_to_a_small_one(server, get):
    with h5py.File(io.BytesIO(MEMBERS["coco2014_captions.h5"])) as h5:
        arrays = {name: each[()].astype(np.int64) for name, each in h5.items()}
    arrays["val_captions"][0, 0] = 2**32 + 1
    server.body = zipped(MEMBERS | {"coco2014_captions.h5": h5_bytes(**arrays)})
    code, said = get("coco")
    assert code == 1
    assert "val_captions holds the index -1" in said


@pytest.mark.parametrize("name", ["../evil.h5", "/tmp/evil.h5", "..\\evil.h5", "C:/evil.h5", "coco/../../evil.h5"])
def test_a_name_that_leads_out_of_the_folder_is_refused(server, get, tmp_path, name):
    server.body = zipped(MEMBERS | {name: b"evil"}, folder="")
    code, said = get("coco")
    assert code == 1
    assert "leads out of its folder" in said
    assert names(tmp_path) == []
    assert "evil.h5" not in names(tmp_path.parent)


@pytest.mark.usefixtures("server")
def test_the_wrong_checksum_is_refused(get, tmp_path, monkeypatch):
    monkeypatch.setenv("COCO_CAPTIONING_SHA256", "0" * 64)
    code, said = get("coco")
    assert code == 1
    assert f"its SHA-256 is {hashlib.sha256(ARCHIVE).hexdigest()}, not 000" in said
    assert names(tmp_path) == []


COMMAND = f"{sys.executable} -m coursekit.get_datasets coco --into disk"


def shell(script, tmp_path, *prefix):
    (tmp_path / "disk").mkdir()
    environment = os.environ | {"PYTHONPATH": str(HOME)}
    command = [*prefix, "sh", "-c", script]
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def small_disk(tmp_path):
    """Run a script with a small disk at ./disk, in a mount namespace of its own."""
    if not shutil.which("unshare"):
        pytest.skip("there is no unshare to mount a small disk with")
    tried = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {tried.stderr.decode().strip()}")
    return lambda script: shell(f"mount -t tmpfs -o size=64k none disk; {script}", tmp_path, "unshare", "-rm")


@pytest.mark.usefixtures("server")
def test_a_disk_that_is_too_small_is_known_before_anything_is_fetched(small_disk):
    done = small_disk(f"{COMMAND}; echo code $?; wc -c <disk/coco_captioning.zip.part")
    assert done.stdout.split()[-3:] == ["code", "1", "0"]
    assert "There is no room on the disk" in done.stderr
    assert re.search(r"0\.\d MB more are needed to fetch it, and 0\.\d MB are free\. Make room", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_disk_that_fills_up_keeps_what_is_here_and_the_next_run_goes_on(server, small_disk):
    server.tells_size = False
    done = small_disk(f"{COMMAND}; echo code $?; mount -o remount,size=9m disk; {COMMAND}; echo code $?; ls -A disk")
    assert re.findall(r"code (\d)", done.stdout) == ["1", "0"], done.stderr
    assert "There is no room on the disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert server.asked[0] is None
    assert int(re.fullmatch(r"bytes=(\d+)-", server.asked[1])[1]) > 50_000
    assert done.stdout.split()[-1] == "coco.h5"


def test_a_disk_that_is_too_small_to_unpack_keeps_the_archive(server, small_disk):
    fits = len(ARCHIVE) // 1024 + 60
    done = small_disk(
        f"mount -o remount,size={fits}k disk; {COMMAND}; echo code $?; ls -A disk; "
        f"mount -o remount,size=9m disk; {COMMAND}; echo code $?; ls -A disk"
    )
    assert "code 1\ncoco_captioning.zip\n" in done.stdout
    assert re.search(r"no room on the disk to unpack .*: \d\.\d MB are needed, and 0\.\d MB are free", done.stderr)
    assert done.stdout.endswith("code 0\ncoco.h5\n")
    assert len(server.asked) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_file_that_may_not_grow_is_a_full_disk(server, tmp_path):
    done = shell(f"(ulimit -f 100; {COMMAND}); echo code $?; {COMMAND}; echo code $?", tmp_path)
    assert re.findall(r"code (\d)", done.stdout) == ["1", "0"], done.stderr
    assert "There is no room on the disk" in done.stderr
    assert server.asked[1].startswith("bytes=")
    assert_coco(tmp_path / "disk" / "coco.h5")
