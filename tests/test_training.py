"""Module 08: clipping against PyTorch, the training loop, exact resume, and the safetensors file format."""

import gc
import io
import json
import os
import pickle
import weakref

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch
from twin import twins

import tinytorch as tt
from tinytorch import nn, serialization, training
from tinytorch.serialization import load, save
from tinytorch.utils import data

# Clipping.


def with_gradients(lib, *grads):
    params = []
    for grad in grads:
        param = lib.zeros(len(grad), requires_grad=True)
        param.grad = lib.tensor(grad)
        params.append(param)
    return [*params, lib.zeros(3, requires_grad=True)]


@pytest.mark.parametrize("order", [2.0, 1.0, 3.0, float("inf")])
@pytest.mark.parametrize("most", [0.5, 100.0])
def test_norms_are_clipped_as_by_pytorch(order, most):
    def run(lib):
        params = with_gradients(lib, [3.0, -4.0], [12.0])
        total = lib.nn.utils.clip_grad_norm_(params, most, norm_type=order)
        return total, [p.grad for p in params[:2]]

    twins(run)


def test_clipping_in_other_cases():
    twins(lambda lib: lib.nn.utils.clip_grad_norm_([lib.ones(2, requires_grad=True)], 1.0))
    twins(lambda lib: lib.nn.utils.clip_grad_norm_(with_gradients(lib, [3.0, 4.0])[0], 1.0))
    twins(lambda lib: lib.nn.utils.clip_grad_norm_(with_gradients(lib, [float("inf")]), 1.0, error_if_nonfinite=True))
    twins(lambda lib: lib.nn.utils.clip_grad_norm_(with_gradients(lib, [float("nan")]), 1.0))

    def value(lib):
        params = with_gradients(lib, [3.0, -4.0, 0.1])
        lib.nn.utils.clip_grad_value_(params, 0.5)
        return params[0].grad

    twins(value)


def test_parameters_as_one_vector_and_back():
    def run(lib):
        params = [lib.arange(4.0).reshape(2, 2).requires_grad_(), lib.ones(1, requires_grad=True)]
        vector = lib.nn.utils.parameters_to_vector(params)
        (vector * vector).sum().backward()
        with lib.no_grad():
            lib.nn.utils.vector_to_parameters(vector.detach() + 1, params)
        return vector.detach(), [p.grad for p in params], params

    twins(run)


# The loop.


def mse(output, target):
    return ((output - target) * (output - target)).mean()


def problem(seed=0, batch_size=8, shuffle=True, dropout=0.2):
    tt.manual_seed(seed)
    x = tt.randn(48, 3)
    y = x @ tt.tensor([[1.0], [-2.0], [0.5]])
    loader = data.DataLoader(data.TensorDataset(x, y), batch_size, shuffle=shuffle, generator=tt.Generator())
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(dropout), nn.Linear(8, 1))
    return model, loader


def test_an_epoch_trains_and_returns_the_mean_loss():
    model, loader = problem(shuffle=False, dropout=0.0)
    still = tt.optim.SGD(model.parameters(), lr=0.0)
    whole = mse(model(loader.dataset.tensors[0]), loader.dataset.tensors[1]).item()
    assert training.train_one_epoch(model, loader, mse, still) == pytest.approx(whole, rel=1e-5)
    assert training.evaluate(model, loader, mse)["loss"] == pytest.approx(whole, rel=1e-5)
    optimizer = tt.optim.Adam(model.parameters(), lr=0.05)
    losses = [training.train_one_epoch(model, loader, mse, optimizer) for _ in range(30)]
    assert losses[-1] < 0.05 * losses[0]


def test_an_epoch_equals_the_same_loop_in_pytorch():
    model, loader = problem(shuffle=False, dropout=0.0)
    twin = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.0), torch.nn.Linear(8, 1))
    twin.load_state_dict({name: torch.tensor(value.tolist()) for name, value in model.state_dict().items()})
    optimizer, theirs = tt.optim.AdamW(model.parameters()), torch.optim.AdamW(twin.parameters())
    for _ in range(3):
        training.train_one_epoch(model, loader, mse, optimizer, max_norm=0.5)
        for x, y in loader:
            theirs.zero_grad()
            mse(twin(torch.tensor(x.tolist())), torch.tensor(y.tolist())).backward()
            torch.nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
            theirs.step()
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(value.array, twin.state_dict()[name].numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("accumulate", [2, 4, 5])
def test_accumulated_batches_equal_one_large_batch(accumulate):
    ends = []
    for size, batches in ((4, accumulate), (4 * accumulate, 1)):
        model, loader = problem(batch_size=size, shuffle=False, dropout=0.0)
        optimizer = tt.optim.SGD(model.parameters(), lr=0.1)
        schedule = tt.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        training.train_one_epoch(model, loader, mse, optimizer, schedule, accumulate=batches, max_norm=10.0)
        ends.append((model.state_dict(), schedule.last_epoch))
    assert ends[0][1] == ends[1][1]
    for name, value in ends[0][0].items():
        np.testing.assert_allclose(value.array, ends[1][0][name].array, rtol=1e-4, atol=1e-6)


def test_stale_gradients_do_not_count():
    ends = []
    for stale in (True, False):
        model, loader = problem(shuffle=False, dropout=0.0)
        if stale:
            model(tt.ones(1, 3)).sum().backward()
        training.train_one_epoch(model, loader, mse, tt.optim.SGD(model.parameters(), lr=0.1))
        ends.append(model[0].weight.array)
    np.testing.assert_array_equal(*ends)


def test_evaluation_leaves_no_trace():
    model, loader = problem()
    kept = []
    metrics = {"rows": lambda output, target: kept.append(output) or len(output)}
    result = training.evaluate(model, loader, mse, metrics)
    assert result["rows"] == 8 and set(result) == {"loss", "rows"}
    assert model.training and model[1].training and not any(output.requires_grad for output in kept)
    model.eval()
    training.evaluate(model, loader, mse)
    assert not model.training
    assert training.accuracy(tt.tensor([[0.1, 0.9], [0.8, 0.2]]), tt.tensor([1, 1])) == 0.5


def test_no_graph_outlives_its_step():
    model, loader = problem()
    graphs = []

    def loss_fn(output, target):
        loss = mse(output, target)
        graphs.append(weakref.ref(loss.grad_fn))
        return loss

    trainer = training.Trainer(model, tt.optim.SGD(model.parameters()), loss_fn, callbacks=[training.LiveCurve(len)])
    trainer.fit(loader, 2)
    gc.collect()
    assert len(graphs) == 12 and not any(graph() for graph in graphs)


# The Trainer.


def trainer_of(model, path=None, schedule="epoch", **options):
    optimizer = tt.optim.AdamW(model.parameters(), lr=0.02)
    scheduler = tt.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    callbacks = [training.EarlyStopping("loss", patience=50), training.LiveCurve(len, every=3)]
    return training.Trainer(
        model, optimizer, mse, scheduler, schedule, callbacks=callbacks, checkpoint=path, max_norm=1.0, **options
    )


@pytest.mark.parametrize("schedule, accumulate", [("epoch", 1), ("step", 1), ("step", 4)])
def test_resuming_equals_never_having_stopped(tmp_path, schedule, accumulate):
    path = tmp_path / "run.safetensors"
    model, loader = problem()
    straight = trainer_of(model, schedule=schedule, accumulate=accumulate)
    straight.fit(loader, 6, validation=loader)

    model, loader = problem()
    trainer_of(model, path, schedule, accumulate=accumulate).fit(loader, 3, validation=loader)
    tt.manual_seed(99)
    model, loader = problem(seed=77)
    _, same_data = problem()
    loader.dataset = same_data.dataset
    resumed = trainer_of(model, schedule=schedule, accumulate=accumulate)
    resumed.resume(path)
    assert resumed.epoch == 3
    resumed.fit(loader, 6, validation=loader)

    assert resumed.history == straight.history and resumed.step == straight.step
    assert resumed.callbacks[1].points == straight.callbacks[1].points
    for name, value in straight.model.state_dict().items():
        np.testing.assert_array_equal(resumed.model.state_dict()[name].array, value.array)
    assert resumed.optimizer.param_groups[0]["lr"] == straight.optimizer.param_groups[0]["lr"]


def test_early_stopping_waits_for_patience():
    model, loader = problem()
    scores = iter([3.0, 2.0, 2.5, 1.95, 2.0, 2.0, 2.0, 2.0])
    whole = data.DataLoader(loader.dataset, batch_size=48)
    trainer = training.Trainer(
        model,
        tt.optim.SGD(model.parameters(), lr=0.0),
        mse,
        metrics={"score": lambda output, target: next(scores)},
        callbacks=[training.EarlyStopping("val_score", patience=3, min_delta=0.1)],
    )
    trainer.fit(loader, 8, validation=whole)
    assert trainer.stopped and trainer.epoch == 5 and trainer.callbacks[0].best == 2.0
    assert len(trainer.fit(loader, 8, validation=whole)) == 5


def test_callbacks_hear_of_steps_and_epochs_and_may_stop():
    model, loader = problem()
    heard = []

    class Ear(training.Callback):
        def on_step(self, trainer, loss):
            heard.append((trainer.step, type(loss)))

        def on_epoch_end(self, trainer, row):
            heard.append(row)
            trainer.stopped = trainer.epoch == 2

    trainer = training.Trainer(model, tt.optim.SGD(model.parameters(), lr=0.01), mse, callbacks=[Ear()])
    history = trainer.fit(loader, 10, validation=loader)
    assert [row["epoch"] for row in history] == [1, 2] and set(history[0]) == {"epoch", "loss", "lr", "val_loss"}
    assert heard[0] == (1, float) and heard[6] == history[0] and len(heard) == 14


def test_a_plateau_is_given_the_validation_loss():
    model, loader = problem(dropout=0.0)
    optimizer = tt.optim.SGD(model.parameters(), lr=0.0)
    plateau = tt.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    trainer = training.Trainer(model, optimizer, mse, plateau)
    trainer.fit(loader, 3, validation=loader)
    assert plateau.best == trainer.history[0]["val_loss"]


def test_the_progress_bar_is_one_line_per_epoch():
    model, loader = problem()
    stream = io.StringIO()
    bar = training.ProgressBar(stream)
    training.Trainer(model, tt.optim.SGD(model.parameters(), lr=0.01), mse, callbacks=[bar]).fit(loader, 2, loader)
    text = stream.getvalue()
    assert text.count("\n") == 2 and text.count("\r") == 14 and "6/6" in text and "val_loss" in text
    assert training.progress_text(5, 10, width=4) == "[==--] 5/10"
    assert training.progress_text(5, None) == "5"


def test_a_live_curve_is_drawn_now_and_then():
    model, loader = problem()
    drawn = []
    curve = training.LiveCurve(lambda points: drawn.append(len(points)), every=4)
    training.Trainer(model, tt.optim.SGD(model.parameters(), lr=0.01), mse, callbacks=[curve]).fit(loader, 2)
    assert drawn == [4, 8, 12] and curve.points[0][0] == 1


# The file format.

ARRAYS = {
    "half": np.arange(3, dtype=np.float16),
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "double": np.array(2.5),
    "empty": np.zeros((0, 4), np.float32),
    "long": np.array([-(2**62), 3]),
    "bool": np.array([True, False, True]),
    **{kind: np.array([1, 2, 3], kind) for kind in ("int32", "int16", "int8", "uint8")},
}


def equal(ours, arrays):
    assert list(ours) == list(arrays) or set(ours) == set(arrays)
    for name, array in arrays.items():
        assert ours[name].dtype == array.dtype and ours[name].shape == array.shape, name
        np.testing.assert_array_equal(ours[name], array)


def test_the_safetensors_library_reads_what_we_write(tmp_path):
    path = tmp_path / "x.safetensors"
    save({name: tt.Tensor(array) for name, array in ARRAYS.items()}, path)
    equal(safetensors.numpy.load_file(path), ARRAYS)
    back = load(path)
    assert list(back) == list(ARRAYS)  # the order is kept
    equal({name: tensor.array for name, tensor in back.items()}, ARRAYS)
    assert all(tensor.array.flags.writeable and tensor.array.flags.aligned for tensor in back.values())


def test_we_read_what_the_safetensors_library_writes(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.numpy.save_file(ARRAYS, path, metadata={"author": "someone"})
    back = load(path)
    equal({name: tensor.array for name, tensor in back.items()}, ARRAYS)
    assert back.metadata == {"author": "someone"}
    save(back, path)
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == {"author": "someone"}


def test_our_bytes_are_aligned_as_the_librarys():
    stream = io.BytesIO()
    save({name: tt.Tensor(array) for name, array in ARRAYS.items()}, stream)
    ours, theirs = stream.getvalue(), safetensors.numpy.save(ARRAYS)
    size = int.from_bytes(ours[:8], "little")
    assert size % 8 == 0
    header = json.loads(ours[8 : 8 + size])
    for entry in (entry for name, entry in header.items() if name != "__metadata__"):
        assert entry["data_offsets"][0] % np.dtype(serialization.DTYPES.get(entry["dtype"], "u1")).itemsize == 0
    assert len(ours) - size == len(theirs) - int.from_bytes(theirs[:8], "little")


def test_pytorch_reads_our_state_dict():
    from safetensors.torch import load as load_into_torch

    layer, stream = nn.Linear(3, 2), io.BytesIO()
    save(layer.state_dict(), stream)
    twin = torch.nn.Linear(3, 2)
    twin.load_state_dict(load_into_torch(stream.getvalue()))
    np.testing.assert_array_equal(twin.weight.detach().numpy(), layer.weight.array)


def roundtrip(value):
    stream = io.BytesIO()
    save(value, stream)
    stream.seek(0)
    return load(stream)


VALUES = [
    None,
    True,
    7,
    2**200,
    -0.1,
    float("inf"),
    "text \n é \U0001f600",
    [],
    {},
    (),
    [1, [2.5, (3, "x")], {}],
    {"a": {1: (True, None)}, 2: [], None: "n", (1, "b"): 0.5},
    {"betas": (0.9, 0.999), "tensor": "not one", "dict": [["a"]]},
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_values_without_tensors_come_back(value):
    back = roundtrip(value)
    assert back == value and isinstance(back, type(value))


def test_a_nested_checkpoint_comes_back():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    optimizer = tt.optim.Adam(model.parameters())
    model(tt.ones(1, 2)).sum().backward()
    optimizer.step()
    checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "extra": [tt.tensor(3), "x"]}
    back = roundtrip(checkpoint)
    assert back["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]
    assert back["optimizer"]["state"][0]["step"].item() == 1 and back["extra"][0].dtype is tt.int64
    model.load_state_dict(back["model"])
    optimizer.load_state_dict(back["optimizer"])
    assert back["model"]["0.weight"] is back["model"]["1.weight"]  # tied, and stored once
    stream = io.BytesIO()
    save(checkpoint, stream)
    names = safetensors.numpy.load(stream.getvalue())
    assert "model.0.weight" in names and "model.1.weight" not in names and "optimizer.state.0.exp_avg" in names


def test_names_that_collide_are_kept_apart():
    value = {
        "a": {"b": tt.tensor(1)},
        "a.b": tt.tensor(2),
        "__metadata__": tt.tensor(3),
        0: tt.tensor(4),
        "0": tt.tensor(5),
    }
    back = roundtrip(value)
    assert [back["a"]["b"], back["a.b"], back["__metadata__"], back[0], back["0"]] == [1, 2, 3, 4, 5]
    assert roundtrip(tt.ones(2)).tolist() == [1, 1]
    assert roundtrip([tt.ones(2).T, tt.arange(6).view(2, 3).T])[1].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert roundtrip({"w": nn.Parameter(tt.ones(1))})["w"].requires_grad is False
    assert roundtrip({"n": np.float32(1.5), "i": np.int64(3)}) == {"n": 1.5, "i": 3}


def test_files_paths_and_streams(tmp_path):
    value = {"a": tt.ones(2)}
    save(value, str(tmp_path / "a"))
    save(value, tmp_path / "b")
    with open(tmp_path / "c", "wb") as file:
        save(value, file)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    with open(tmp_path / "c", "rb") as file:
        assert load(file, map_location="cpu", weights_only=True)["a"].tolist() == [1, 1]
    assert load(tmp_path / "c", map_location=tt.device("cpu"))["a"].tolist() == [1, 1]
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")


@pytest.mark.parametrize(
    "value, where", [(len, "the top"), ({"a": [1, {2, 3}]}, r"\['a'\]\[1\]"), ({"m": nn.Identity()}, "state_dict")]
)
def test_what_cannot_be_stored_is_refused_and_named(tmp_path, value, where):
    save({"a": tt.ones(1)}, tmp_path / "x")
    with pytest.raises(TypeError, match=where):
        save(value, tmp_path / "x")
    assert load(tmp_path / "x")["a"].tolist() == [1]  # the old file is still there
    assert os.listdir(tmp_path) == ["x"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    save({"a": tt.ones(1)}, tmp_path / "x")
    monkeypatch.setattr(type(tmp_path), "replace", lambda *args: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save({"a": tt.zeros(1)}, tmp_path / "x")
    assert load(tmp_path / "x")["a"].tolist() == [1] and os.listdir(tmp_path) == ["x"]


def refused(content, match=None):
    with pytest.raises(RuntimeError, match="cannot load BytesIO") as caught:
        load(io.BytesIO(content))
    if match:
        assert match in str(caught.value), caught.value
    return str(caught.value)


@pytest.mark.parametrize("value", [{"a": tt.ones(2), "b": tt.arange(3)}, {"a": [tt.ones(2), None], "b": tt.ones(1)}])
def test_a_file_cut_off_anywhere_is_refused(value):
    stream = io.BytesIO()
    save(value, stream)
    for length in range(len(stream.getvalue())):
        refused(stream.getvalue()[:length])


def test_a_file_with_any_byte_changed_loads_or_is_refused():
    stream = io.BytesIO()
    save({"a": [tt.ones(2), None, 1.5], "b": tt.ones(1, dtype=tt.bool)}, stream)
    content = stream.getvalue()
    for place in range(len(content)):
        for value in (0, 0x22, 0x5B, 0x7B, 0x39, 0xFF):
            changed = bytearray(content)
            changed[place] = value
            try:
                load(io.BytesIO(bytes(changed)))
            except RuntimeError as error:
                assert str(error).startswith("cannot load BytesIO")


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(span, shape=(1,), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(span)}


DAMAGED = {
    "empty": (b"", "0 bytes"),
    "header beyond the end": ((10**9).to_bytes(8, "little") + b"{}", "claims"),
    "no JSON": (file_of(b"{oops"), "JSON"),
    "no text": (file_of(b"\xff\xfe{}"), "JSON"),
    "deep": (file_of(b"[" * 100_000), ""),
    "a list": (file_of([]), "no dict"),
    "metadata of ints": (file_of({"__metadata__": {"a": 1}}), "strings"),
    "entry of int": (file_of({"a": 1}), "'a'"),
    "entry without shape": (file_of({"a": {"dtype": "F32"}}), "lacks"),
    "dtype": (file_of({"a": entry((0, 2), dtype="BF16")}, b"12"), "BF16"),
    "dtype of list": (file_of({"a": entry((0, 2), dtype=[])}, b"12"), "dtype"),
    "negative size": (file_of({"a": entry((0, 4), shape=[-1])}, b"1234"), "shape"),
    "size of float": (file_of({"a": entry((0, 4), shape=[1.0])}, b"1234"), "shape"),
    "size of bool": (file_of({"a": entry((0, 4), shape=[True])}, b"1234"), "shape"),
    "beyond the end": (file_of({"a": entry((0, 8), shape=[2])}, b"1234"), "claims bytes [0, 8]"),
    "too large": (file_of({"a": entry((0, 4), shape=[2**70])}, b"1234"), "claims"),
    "backwards": (file_of({"a": entry((4, 0))}, b"1234"), "claims"),
    "shape and bytes": (file_of({"a": entry((0, 4), shape=[2])}, b"1234"), "shape"),
    "overlap": (file_of({"a": entry((0, 4)), "b": entry((2, 6))}, b"123456"), "'b' begins at byte 2"),
    "same place": (file_of({"a": entry((0, 4)), "b": entry((0, 4))}, b"1234"), "begins at byte 0"),
    "hole": (file_of({"a": entry((0, 4)), "b": entry((8, 12))}, b"1" * 12), "begins at byte 8"),
    "rest": (file_of({"a": entry((0, 4))}, b"12345"), "after the last"),
    "structure": (file_of({"__metadata__": {"tinytorch": "{"}}), ""),
    "structure of nothing": (file_of({"__metadata__": {"tinytorch": '{"tensor": "x"}'}}), "structure"),
    "unknown structure": (file_of({"__metadata__": {"tinytorch": '{"code": "x"}'}}), "'code'"),
    "structure of two": (file_of({"__metadata__": {"tinytorch": '{"a": 1, "b": 2}'}}), ""),
    "unhashable": (file_of({"__metadata__": {"tinytorch": '{"dict": [[[], 1]]}'}}), "structure"),
    "text": (b"hello, this is no such file at all", "claims"),
    "pickle": (pickle.dumps({"a": [1, 2, 3]}), "pickle"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_or_foreign_file_is_refused(name):
    refused(*DAMAGED[name])


def test_files_of_others_are_recognized():
    for write, word in (
        (lambda f: torch.save({"a": torch.ones(2)}, f), "zip archive"),
        (lambda f: torch.save({"a": torch.ones(2)}, f, _use_new_zipfile_serialization=False), "pickle"),
        (lambda f: np.save(f, np.ones(2)), "NumPy"),
    ):
        stream = io.BytesIO()
        write(stream)
        refused(stream.getvalue(), word)


def test_an_error_names_the_file(tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"short")
    with pytest.raises(RuntimeError, match=r"broken\.safetensors: it has 5 bytes"):
        load(tmp_path / "broken.safetensors")
    with open(tmp_path / "broken.safetensors", "rb") as file, pytest.raises(RuntimeError, match=r"broken\.safetensors"):
        load(file)


def test_a_cut_off_file_is_no_pickle_although_its_first_byte_is_the_same():
    """A header of 128 bytes begins with the byte 0x80, as every pickle does."""
    content = next(
        made
        for n in range(100)
        if int.from_bytes((made := serialization.to_bytes({"x" * n: np.float32([1])}, {}))[:8], "little") == 128
    )
    assert content[0] == 0x80
    with pytest.raises(ValueError, match="claims 128 bytes"):
        serialization.from_bytes(content[:100])
