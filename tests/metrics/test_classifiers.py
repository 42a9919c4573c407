"""SavedModels of Inception's signature, from a folder, a cache and a server."""

import hashlib
import http.server
import io
import shutil
import tarfile
import threading

import numpy as np
import pytest
import tensorflow as tf

from logan_tf.errors import ConfigurationError
from logan_tf.metrics import hub_modules
from logan_tf.metrics.classifiers import Inception, SavedModelClassifier

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "hub"))
    return tmp_path / "hub"


def _expected(stand_in, images):
    weights = np.load(stand_in.parent / f"{stand_in.name}.npz")
    means = (images / 127.5 - 1).reshape(-1, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    features = means.reshape(len(images), 48) @ weights["first"]
    return features @ weights["second"], features


def _hash_of(folder):
    """Each file's name, then the SHA-256 of what it holds, in the names' order."""
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    text = b"".join(
        bytes(name) + hashlib.sha256((folder / name).read_bytes()).digest()
        for name in names
    )
    return hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_outputs(stand_in, batch_size):
    found = Inception(str(stand_in), batch_size=batch_size).outputs(IMAGES)
    logits, features = _expected(stand_in, IMAGES)
    assert (found.logits.dtype, found.features.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(found.features, features, atol=1e-4)
    np.testing.assert_allclose(found.logits, logits, atol=1e-4)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.confidences, shares.max(axis=1), rtol=1e-3)


def test_gray_images_become_three_channels(stand_in):
    gray = IMAGES[..., :1]
    found = Inception(str(stand_in)).outputs(gray)
    _, features = _expected(stand_in, np.repeat(gray, 3, axis=-1))
    np.testing.assert_allclose(found.features, features, atol=1e-4)


def test_a_signature_serves_where_the_object_cannot_be_called(tmp_path):
    class Silent(tf.Module):
        def __init__(self):
            self.scale = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])])
        def read(self, images):
            flat = self.scale * tf.reshape(images, [-1, 192])
            # As slim's nets do: a map of one by one.
            return {"logits": flat[:, :7], "pool_3": flat[:, None, None, :]}

    model = Silent()
    path = str(tmp_path / "[m]")  # A pattern to TensorFlow, which the folder fits not.
    tf.saved_model.save(model, path, signatures=model.read)
    del model
    found = SavedModelClassifier(path).outputs(IMAGES)
    expected = 2 * (IMAGES.reshape(10, 192) / 127.5 - 1)
    np.testing.assert_allclose(found.features, expected, atol=1e-5)
    assert found.logits.shape == (10, 7)


def test_the_hash_is_of_the_contents(stand_in, tmp_path):
    copy = tmp_path / "copy"
    for path in stand_in.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(stand_in)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    first = SavedModelClassifier(str(stand_in)).fields()
    assert first["classifier"] == f"custom:{first['classifier_sha256'][:16]}"
    assert first["classifier_sha256"] == _hash_of(stand_in)
    assert SavedModelClassifier(str(copy)).fields() == first
    data = next(copy.rglob("variables.data*"))
    content = bytearray(data.read_bytes())
    content[-1] ^= 1
    data.write_bytes(content)
    assert SavedModelClassifier(str(copy)).fields() != first


def test_the_cache_of_tf_hub(stand_in, cache):
    cache.mkdir()
    digest = hashlib.sha1(hub_modules.INCEPTION.encode()).hexdigest()
    (cache / digest).symlink_to(stand_in)
    np.testing.assert_allclose(
        Inception().outputs(IMAGES).features, _expected(stand_in, IMAGES)[1], atol=1e-4
    )


@pytest.fixture
def server(stand_in):
    """A server of one archive; (address, paths that were asked for)."""
    asked = []
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(stand_in, arcname=".")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if self.path.startswith("/elsewhere/"):
                self.send_response(302)
                self.send_header("Location", "/inception/1?tf-hub-format=compressed")
                self.end_headers()
                return
            good = self.path.startswith("/inception/1?")
            self.send_response(200)
            self.end_headers()
            content = archive.getvalue()
            self.wfile.write(content if good else content[: len(content) // 2])

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}", asked
        httpd.shutdown()
        thread.join()


@pytest.fixture
def known(monkeypatch):
    """Says which address is Inception's own."""
    return lambda address: monkeypatch.setattr(hub_modules, "INCEPTION", address)


def test_a_download_goes_into_the_cache(server, stand_in, cache, known):
    address, asked = server
    known(f"{address}/inception/1")
    for _ in range(2):
        found = Inception(f"{address}/inception/1").outputs(IMAGES)
        np.testing.assert_allclose(
            found.features, _expected(stand_in, IMAGES)[1], atol=1e-4
        )
    assert asked == ["/inception/1?tf-hub-format=compressed"]
    digest = hashlib.sha1(f"{address}/inception/1".encode()).hexdigest()
    assert sorted(path.name for path in cache.iterdir()) == [digest, f"{digest}.sha256"]


def _refused(classifier):
    """The one line that refuses it, before it is loaded."""
    with pytest.raises(ConfigurationError) as error:
        classifier.outputs(IMAGES)
    (line,) = str(error.value).splitlines()
    assert "_forward" not in vars(classifier)
    return line


def test_another_hash_than_the_recipe_says_is_refused(server, stand_in, cache, known):
    """Of a folder, a download and a cached copy alike; the line names both."""
    handle = f"{server[0]}/inception/1"
    known(handle)
    right, wrong = _hash_of(stand_in), "0" * 64
    for path in (handle, str(stand_in)):
        line = _refused(Inception(path, sha256=wrong))
        assert f"of {path} has the SHA-256 {right}, and sha256 is {wrong}: get" in line
    assert list(cache.iterdir()) == []  # Nothing of what was refused stays.
    assert Inception(handle, sha256=right).fields()["classifier_sha256"] == right
    assert right in _refused(Inception(handle, sha256=wrong))  # The cached copy.
    for bad in ("", right[:16], right.upper(), f"{right}\n"):
        with pytest.raises(ConfigurationError, match="64 hexadecimal digits"):
            Inception(sha256=bad)


@pytest.mark.parametrize("again", [False, True], ids=["cached", "downloaded"])
def test_what_first_came_from_the_address_stays(server, stand_in, cache, known, again):
    """Changed weights do not run, in the cache or sent later; the remedy helps."""
    handle = f"{server[0]}/inception/1"
    known(handle)
    Inception(handle).fields()
    (pin,) = cache.glob("*.sha256")
    right = pin.read_text().strip()
    assert right == _hash_of(stand_in)
    module = pin.with_suffix("")
    if again:
        shutil.rmtree(module)
        first = "f" * 64
        pin.write_text(first)  # As if the server had sent something else then.
        found = right
    else:
        data = next(module.rglob("variables.data*"))
        data.write_bytes(data.read_bytes()[::-1])
        first, found = right, _hash_of(module)
    line = _refused(Inception(handle))
    assert f"has the SHA-256 {found}, and the first one had '{first}': remove " in line
    assert f"{pin} if you trust" in line
    assert module.exists() != again
    assert (f"remove {module}," in line) != again
    pin.unlink()
    trusted = SavedModelClassifier(handle)
    assert trusted.fields()["classifier_sha256"] == found
    assert pin.read_text().strip() == found


def test_a_copy_that_somebody_else_put_there_is_pinned_too(stand_in, cache):
    cache.mkdir()
    digest = hashlib.sha1(hub_modules.INCEPTION.encode()).hexdigest()
    (cache / digest).symlink_to(stand_in)
    Inception().fields()
    pin = cache / f"{digest}.sha256"
    assert pin.read_text().strip() == _hash_of(stand_in)
    pin.unlink()
    pin.mkdir()  # What cannot be read does not count as nothing.
    assert f"{pin} cannot be read" in _refused(Inception())


def test_what_a_hash_would_not_cover_is_refused(stand_in, tmp_path):
    (tmp_path / "m").mkdir()
    for path in stand_in.iterdir():
        (tmp_path / "m" / path.name).symlink_to(path)
    assert "is a link to a folder" in _refused(Inception(str(tmp_path / "m")))


def test_other_addresses_are_not_asked(server, cache):
    """What comes from there would run, and over http anybody may send it."""
    address, asked = server
    with pytest.raises(ConfigurationError, match="give the folder") as error:
        SavedModelClassifier(f"{address}/inception/1").outputs(IMAGES)
    assert "\n" not in str(error.value)
    assert (asked, cache.exists()) == ([], False)


def test_a_download_does_not_leave_https(server, cache, known):
    address, asked = server
    known(f"{address}/elsewhere/1")
    with pytest.raises(ConfigurationError, match="which is not https"):
        Inception(f"{address}/elsewhere/1").outputs(IMAGES)
    assert asked == ["/elsewhere/1?tf-hub-format=compressed"]
    assert list(cache.iterdir()) == []


def test_half_a_download_is_none(server, cache, known):
    known(f"{server[0]}/broken/1")
    with pytest.raises(ConfigurationError, match="cannot be downloaded"):
        Inception(f"{server[0]}/broken/1").outputs(IMAGES)
    assert list(cache.iterdir()) == []


def test_no_network(cache, known):
    known("http://127.0.0.1:9/tfgan/eval/inception/1")
    # Port 9 of this machine: nobody listens.
    with pytest.raises(ConfigurationError, match="TFHUB_CACHE_DIR") as error:
        Inception("http://127.0.0.1:9/tfgan/eval/inception/1").outputs(IMAGES)
    assert "\n" not in str(error.value)


def test_what_is_no_model(tmp_path, stand_in):
    with pytest.raises(ConfigurationError, match="no SavedModel"):
        Inception(str(tmp_path)).outputs(IMAGES)
    (tmp_path / "saved_model.pb").write_bytes(b"garbage")
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        Inception(str(tmp_path)).outputs(IMAGES)


def test_models_of_other_outputs_or_inputs(tmp_path):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])])
        def __call__(self, images):
            return {"logits": tf.reshape(images, [-1, 192])}

    tf.saved_model.save(Other(), str(tmp_path / "m"))
    for images in (IMAGES, IMAGES[:, :4]):
        with pytest.raises(ConfigurationError, match=r"must take float32") as error:
            SavedModelClassifier(str(tmp_path / "m")).outputs(images)
        assert "\n" not in str(error.value)


def test_logits_may_be_absent_but_not_inceptions(tmp_path):
    class Features(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
        def __call__(self, images):
            return {"pool_3": tf.reduce_mean(images, [1, 2]), "other": images}

    path = str(tmp_path / "m")
    tf.saved_model.save(Features(), path)
    found = SavedModelClassifier(path, batch_size=4).outputs(IMAGES)
    assert (found.logits, found.confidences) == (None, None)
    expected = (IMAGES / 127.5 - 1).mean(axis=(1, 2))
    np.testing.assert_allclose(found.features, expected, atol=1e-5)
    with pytest.raises(ConfigurationError, match="to logits and pool_3"):
        Inception(path).outputs(IMAGES)


@pytest.mark.parametrize("bad", [{"batch_size": 0}, {"name": ""}, {"name": "a b"}])
def test_arguments_that_cannot_be(bad):
    with pytest.raises(ConfigurationError):
        SavedModelClassifier("somewhere", **bad)


def _module(path, resizes):
    """Reads 3×3 neighborhoods: what it sees depends on the number of pixels."""
    weights = np.random.default_rng(0).normal(size=(3, 3, 3, 20)).astype(np.float32)

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
        def __call__(self, images):
            if resizes:
                images = tf.compat.v1.image.resize_bilinear(images, [299, 299])
            maps = tf.nn.relu(tf.nn.conv2d(images, weights, 1, "VALID"))
            slopes = tf.abs(maps[:, 1:] - maps[:, :-1])
            pooled = tf.reduce_mean(slopes, [1, 2])
            return {"logits": pooled[:, :7], "pool_3": pooled}

    model = Module()
    tf.saved_model.save(model, str(path), signatures=model.__call__)
    return str(path)


def test_a_module_that_does_not_resize_is_given_resized_images(tmp_path):
    """Both then say the same of the same pictures, and receipts tell them apart."""
    own = Inception(_module(tmp_path / "own", resizes=True))
    bare = Inception(_module(tmp_path / "bare", resizes=False))
    for number, values in enumerate(
        zip(own.outputs(IMAGES), bare.outputs(IMAGES), strict=True)
    ):
        np.testing.assert_allclose(*values, rtol=1e-4, err_msg=str(number))
    fields = own.fields()
    assert fields["classifier_input"] == "any size: the module resizes"
    assert "299" not in fields["classifier"]
    fields = bare.fields()
    assert fields["classifier_input"] == "resized here, as TF1 does"
    assert fields["classifier"].endswith(" 299x299")


def test_a_module_that_reads_one_size_alone_is_given_it(tmp_path):
    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 299, 299, 3])])
        def __call__(self, images):
            means = tf.reduce_mean(images, [1, 2])
            return {"logits": means, "pool_3": means}

    model = Module()
    tf.saved_model.save(model, str(tmp_path / "m"), signatures=model.__call__)
    classifier = Inception(str(tmp_path / "m"))
    assert classifier.outputs(IMAGES).features.shape == (len(IMAGES), 3)
    assert "resized here" in classifier.fields()["classifier_input"]
