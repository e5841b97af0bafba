"""Module 20: an entry can be built and measured again from its file alone, and a false one is found out."""

import base64
import hashlib
import json

import numpy as np
import pytest

import tinytorch as tt
from tinytorch import compression, quantization
from tinytorch import olympics as o
from tinytorch.benchmark import Timing
from tinytorch.conv import LeNet5
from tinytorch.modules import Linear, Module, ModuleList, Sequential
from tinytorch.tensor import Tensor


@pytest.fixture(scope="module")
def baseline():
    tt.manual_seed(0)
    return LeNet5().eval()


@pytest.fixture(scope="module")
def data(baseline):
    """Images, and as targets what the baseline says of 9 in 10 of them: its quality is 0.9."""
    images = np.random.default_rng(0).normal(size=(80, 1, 28, 28)).astype(np.float32)
    targets = baseline(Tensor(images)).array.argmax(axis=1)
    targets[::10] = (targets[::10] + 1) % 10
    return Tensor(images), Tensor(targets)


@pytest.fixture(scope="module")
def small(baseline, data):
    return quantization.quantize_model(baseline, [data[0]])


def fake(**changes):
    """Return figures of an entry that is twice as good as its baseline in everything but quality."""
    f = {"base_quality": 0.9, "base_bytes": 1000, "base_memory": 800, "seconds": 0.1, "speedup_low": 1.9}
    return f | {"quality": 0.9, "bytes": 500, "memory": 400, "speedup": 2.0} | changes


def edit(path, change):
    entry = json.loads(path.read_text())
    change(entry)
    path.write_text(json.dumps(entry))


def test_an_entry_is_written_read_and_verified(tmp_path, baseline, data, small):
    path = tmp_path / "entry.json"
    entry = o.submit(path, small, "smallest", baseline, data, name="Ada")
    f = entry["figures"]
    assert f["base_quality"] == pytest.approx(0.9) and f["quality"] >= 0.89
    assert f["bytes"] == quantization.model_size(small) and entry["score"] == f["base_bytes"] / f["bytes"] > 3.5
    assert 1_000_000 < f["base_memory"] < 20_000_000 and f["memory"] > f["bytes"] and f["seconds"] > 0
    assert json.loads(path.read_text()) == json.loads(json.dumps(entry))
    again, model = o.read_entry(path)
    assert again["name"] == "Ada" and "numpy" in again["environment"]
    np.testing.assert_array_equal(model(data[0]).array, small(data[0]).array)
    verdict = o.verify(path, baseline, data)
    assert verdict.problems == [] and verdict.score == entry["score"] and verdict.figures["bytes"] == f["bytes"]


def test_the_score_of_each_event_is_a_ratio_to_the_baseline():
    assert o.score("latency", fake(speedup=3.0)) == 3
    assert o.score("memory", fake()) == 2 and o.score("smallest", fake(bytes=250)) == 4
    assert o.score("accuracy", fake(quality=0.945)) == pytest.approx(1.05)
    assert o.score("all-round", fake(speedup=1.0, memory=100, bytes=1000)) == pytest.approx(2.0)


def test_speedup_is_the_baselines_time_to_the_entrys(monkeypatch, baseline, data, small):
    def fixed(functions):
        return [
            Timing(label, tuple({"entry": 1.0, "baseline": 2.0}[label] * t for t in (1, 2, 3) * 4))
            for label in functions
        ]

    monkeypatch.setattr(o, "measure_in_turn", fixed)
    f = o.figures(small, baseline, (data[0][:8], data[1][:8]))
    assert f["speedup"] == pytest.approx(2) and f["seconds"] == 2.0


def test_quality_is_that_of_the_model_in_eval_mode():
    tt.manual_seed(0)
    model = Sequential(tt.nn.Dropout(0.9), Linear(6, 4)).train()
    x = tt.randn(50, 6)
    assert o.accuracy(model, x, model[1](x).argmax(1)) == 1


def test_the_rules():
    assert o.broken_rules("latency", fake(quality=0.8901)) == []
    assert "below the baseline" in o.broken_rules("latency", fake(quality=0.88))[0]
    assert o.broken_rules("smallest", fake(bytes=2000)) == []
    assert "more than the baseline's" in o.broken_rules("accuracy", fake(bytes=2000))[0]


def test_an_entry_that_breaks_a_rule_is_not_written(tmp_path, baseline, data, small):
    path = tmp_path / "entry.json"
    with pytest.raises(ValueError, match="below"):
        o.submit(path, small, "latency", baseline, data, found=fake(quality=0.5))
    with pytest.raises(ValueError, match="the events are latency, memory"):
        o.submit(path, small, "speed", baseline, data)
    with pytest.raises(ValueError, match="the tracks lenet, gpt"):
        o.submit(path, small, "latency", baseline, data, track="moon")
    assert not path.exists()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("bytes", 10, "bytes is"),
        ("quality", 0.99, "quality is"),
        ("memory", 1000, "memory is"),
        ("speedup", 999.0, "speedup is"),
    ],
)
def test_figures_that_are_not_true_are_found(tmp_path, baseline, data, small, key, value, said):
    path = tmp_path / "entry.json"
    o.submit(path, small, "latency", baseline, data, found=fake(**{key: value}))
    assert any(problem.startswith(said) for problem in o.verify(path, baseline, data).problems)


def damage_state(entry):
    entry["state"] = base64.b64encode(base64.b64decode(entry["state"])[:-4] + b"\0\1\2\3").decode()


def resign(entry):
    """Cut the state short and make the sum right again: only the file format can tell."""
    state = base64.b64decode(entry["state"])[:-400]
    entry |= {"state": base64.b64encode(state).decode(), "sha256": hashlib.sha256(state).hexdigest()}


@pytest.mark.parametrize(
    "change",
    [
        damage_state,
        resign,
        lambda e: e.pop("figures"),
        lambda e: e.update(format="other"),
        lambda e: e.update(event="speed"),
        lambda e: e.update(track="moon"),
        lambda e: e["figures"].update(speedup=float("nan")),
        lambda e: e["figures"].update(bytes=0),
        lambda e: e["figures"].update(quality="1"[:0]),
        lambda e: e.update(state="%%%"),
        lambda e: e["model"].update({"class": "os.system"}),
        lambda e: e["model"].update({"class": "Tensor"}),
        lambda e: e["model"]["modules"].pop("conv1"),
        lambda e: e["model"]["modules"]["fc1"]["buffers"].update(weight="nothing"),
        lambda e: e["model"].pop("attributes"),
        lambda e: e.update(model=[]),
    ],
)
def test_damaged_and_hostile_files_are_refused_with_a_sentence(tmp_path, baseline, data, small, change):
    path = tmp_path / "entry.json"
    o.submit(path, small, "latency", baseline, data, found=fake())
    edit(path, change)
    verdict = o.verify(path, baseline, data)
    assert verdict.problems and verdict.score == 0
    assert len(verdict.problems[0]) > 20


def test_no_file_and_no_json(tmp_path, baseline, data):
    assert o.verify(tmp_path / "none.json", baseline, data).problems
    (tmp_path / "text.json").write_text("hello")
    with pytest.raises(ValueError, match="is no entry"):
        o.read_entry(tmp_path / "text.json")


def round_trip(model):
    spec, tensors = o.describe(model)
    return o.rebuild(json.loads(json.dumps(spec)), {k: t.clone() for k, t in tensors.items()})


def test_every_kind_of_compressed_model_is_built_again(baseline, data):
    x = data[0][:3]
    sparse = compression.prune_chain(baseline, ["conv1", "conv2", "fc1", "fc2", "fc3"], 0.3)
    compression.remove(compression.l1_unstructured(sparse.fc1, "weight", 0.9), "weight")
    sparse.fc1 = compression.SparseLinear(sparse.fc1)
    sparse.fc2 = compression.factorize(sparse.fc2, 8)
    for model in (baseline, sparse, quantization.quantize_model(sparse), quantization.quantize_model(sparse, bits=4)):
        again = round_trip(model)
        np.testing.assert_array_equal(again(x).array, model(x).array)
        assert repr(again) == repr(model) and not again.training
        assert list(again.state_dict()) == list(model.state_dict())


def test_the_gpt_track(tmp_path):
    tt.manual_seed(0)
    first = o.baseline("gpt")
    model = o.baseline("gpt", first.state_dict())
    tokens = tt.randint(65, (4, 64))
    np.testing.assert_array_equal(model(tokens).array, first(tokens).array)
    targets = first(tokens).argmax(-1)
    assert o.accuracy(first, tokens, targets) == 1
    thin = compression.prune_chain(model, ["blocks.0.mlp.fc", "blocks.0.mlp.proj"], 0.5)
    assert thin.head.weight is thin.token.weight
    for changed in (
        model,
        thin,
        quantization.quantize_model(thin, [tokens]),
        quantization.quantize_model(thin, bits=4),
    ):
        np.testing.assert_array_equal(round_trip(changed)(tokens).array, changed(tokens).array)
    small = quantization.quantize_model(model, [tokens])
    assert o.accuracy(small, tokens, targets) > 0.8
    entry = o.submit(tmp_path / "e.json", thin, "smallest", first, (tokens, targets), track="gpt", found=fake())
    assert entry["track"] == "gpt" and o.read_entry(tmp_path / "e.json")[1](tokens).shape == (4, 64, 65)


def test_what_is_shared_stays_shared():
    first, second = Linear(4, 4), Linear(4, 4)
    second.weight = first.weight
    model = Sequential(first, second, ModuleList([first]))
    _, tensors = o.describe(model)
    assert sorted(tensors) == ["0.bias", "0.weight", "1.bias"]
    again = round_trip(model)
    assert again[0].weight is again[1].weight and len(list(again.parameters())) == 3
    assert all(p.requires_grad for p in again.parameters())


def test_what_cannot_be_written_is_named():
    class Mine(Module):
        pass

    with pytest.raises(ValueError, match="1 is a Mine"):
        o.describe(Sequential(Linear(2, 2), Mine()))
    masked = Sequential(compression.l1_unstructured(Linear(2, 2), "weight", 0.5))
    with pytest.raises(ValueError, match=r"0\.weight is a Tensor.*remove"):
        o.describe(masked)


def verdict(name, value, event="latency", problems=()):
    return o.Verdict(f"{name}.json", {"name": name, "event": event, "track": "lenet"}, {}, value, list(problems))


def test_ranking():
    cheat = verdict("cheat", 99.0, problems=["bytes differ"])
    rows = o.rank(
        [
            cheat,
            verdict("b", 2.0),
            verdict("x", 1.0, "smallest"),
            verdict("a", 3.0),
            verdict("c", 2.0),
            verdict("d", 1.5),
        ]
    )
    assert [(row["event"], row["place"], row["name"]) for row in rows] == [
        ("latency", 1, "a"),
        ("latency", 2, "b"),
        ("latency", 2, "c"),
        ("latency", 4, "d"),
        ("smallest", 1, "x"),
        ("latency", None, "cheat"),
    ]
    assert rows[-1]["problems"] == "bytes differ"


def test_the_record_board_keeps_the_best(tmp_path, baseline, data, small):
    board = tmp_path / "records.json"
    assert o.records(board) == {}
    entries = []
    for speedup in (2.0, 1.5, 3.0):
        entries.append(o.submit(tmp_path / "e.json", small, "latency", baseline, data, found=fake(speedup=speedup)))
    assert [o.record(board, entry) for entry in entries] == [True, False, True]
    assert o.record(board, entries[-1]) is False
    assert o.records(board)["latency lenet"]["score"] == 3.0


def test_the_write_up_has_the_figures(tmp_path, baseline, data, small):
    entry = o.submit(tmp_path / "e.json", small, "memory", baseline, data, name="Ada", found=fake())
    text = o.write_up(entry)
    assert text.startswith("# Ada: memory (lenet)") and "Score 2:" in text and "400 bytes in memory (800)" in text
    assert "{" not in text
