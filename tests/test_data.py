"""Module 05 against PyTorch: datasets, samplers, collation, the DataLoader; and by their statistics what is random."""

import itertools
from collections import Counter, OrderedDict, namedtuple

import numpy as np
import pytest
import torch
from twin import twins

import tinytorch as tt
from tinytorch.utils import data
from tinytorch.utils.data import transforms

Pair = namedtuple("Pair", "left right")


def dataset(lib, count=10):
    return lib.utils.data.TensorDataset(lib.arange(count), lib.arange(2.0 * count).reshape(count, 2))


class Squares(data.Dataset):
    """A dataset that notes what is asked of it."""

    def __init__(self, count):
        self.count, self.asked = count, []

    def __getitem__(self, index):
        if index >= self.count:
            raise IndexError(index)
        self.asked.append(index)
        return index * index

    def __len__(self):
        return self.count


VALUES = {
    "tensor dataset": lambda d, lib: [dataset(lib)[3], dataset(lib)[-1], len(dataset(lib))],
    "subset": lambda d, lib: [list(d.Subset(dataset(lib), [4, 1])), len(d.Subset(range(5), [1]))],
    "concatenated": lambda d, lib: [(dataset(lib) + dataset(lib, 3))[i] for i in (0, 9, 10, 12, -1, -13)],
    "concatenated length": lambda d, lib: [len(d.ConcatDataset([range(3), range(0), range(4)]))],
    "lengths of a split": lambda d, lib: [len(part) for part in d.random_split(range(10), [7, 2, 1])],
    "fractions of a split": lambda d, lib: [len(part) for part in d.random_split(range(10), [0.33, 0.33, 0.34])],
    "sequential": lambda d, lib: list(d.SequentialSampler(range(4))),
    "batches": lambda d, lib: [list(d.BatchSampler(range(5), 2, drop)) for drop in (True, False)],
    "batch counts": lambda d, lib: [
        len(d.BatchSampler(range(n), 2, drop)) for n in (0, 4, 5) for drop in (True, False)
    ],
    "sampler counts": lambda d, lib: [
        *(len(d.RandomSampler(range(7))), len(d.RandomSampler(range(7), num_samples=30))),
        *(len(d.SubsetRandomSampler([4, 5])), len(d.WeightedRandomSampler([1.0, 2.0], 9))),
    ],
    "loader": lambda d, lib: list(d.DataLoader(dataset(lib), batch_size=4)),
    "loader of a subset": lambda d, lib: list(d.DataLoader(d.Subset(dataset(lib), [5, 2, 7]), batch_size=2)),
    "loader that drops": lambda d, lib: list(d.DataLoader(dataset(lib), batch_size=4, drop_last=True)),
    "loader without batches": lambda d, lib: list(d.DataLoader(dataset(lib, 2), batch_size=None)),
    "loader of a list": lambda d, lib: list(d.DataLoader([1.5, 2.5, 3.5], batch_size=2)),
    "loader of no samples": lambda d, lib: list(d.DataLoader([])),
    "loader with a sampler": lambda d, lib: list(d.DataLoader(range(10), 2, sampler=[7, 3, 1])),
    "loader with batches": lambda d, lib: list(d.DataLoader(dataset(lib), batch_sampler=[[7, 3], [1]])),
    "loader with collate": lambda d, lib: list(d.DataLoader(range(5), 2, collate_fn=lambda batch: sum(batch))),
    "loader lengths": lambda d, lib: [
        len(d.DataLoader(range(7), n, drop_last=drop)) for n in (1, 3) for drop in (0 > 1, 1 > 0)
    ],
    "loader length without batches": lambda d, lib: len(d.DataLoader(range(7), batch_size=None)),
    "loader attributes": lambda d, lib: [
        *(d.DataLoader(range(3), 2).batch_size, d.DataLoader(range(3), 2, drop_last=True).drop_last),
        *(type(d.DataLoader(range(3), shuffle=True).sampler).__name__, d.DataLoader(range(3)).num_workers),
    ],
}


@pytest.mark.parametrize("name", VALUES)
def test_values_are_pytorchs(name):
    twins(lambda lib: VALUES[name](lib.utils.data, lib))


BATCHES = {
    "ints": [1, 2],
    "floats": [1.0, 2.5],
    "bools": [True, False],
    "strings": ["a", "b"],
    "tuples": [(1, 2.0), (3, 4.0)],
    "lists": [[1, 2], [3, 4]],
    "dicts": [{"a": 1, "b": [1.0, "x"]}, {"a": 2, "b": [3.0, "y"]}],
    "ordered dicts": [OrderedDict(z=1, a=2)] * 2,
    "named tuples": [Pair(1, 2.0), Pair(3, 4.0)],
    "arrays": [np.ones((2, 3), np.float32)] * 2,
    "arrays of ints": [np.arange(3, dtype=np.uint8)] * 2,
    "numpy numbers": [np.float32(1), np.float32(2)],
    "numpy ints": [np.int64(1), np.int64(2)],
    "0-d arrays": [np.array(1.5)] * 2,
    "nothing": [],
    "none": [None, None],
    "objects": [object(), object()],
    "unequal lengths": [[1, 2], [1]],
    "empty tuples": [(), ()],
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_is_joined_as_by_pytorch(name):
    twins(lambda lib: lib.utils.data.default_collate(BATCHES[name]), text=name != "objects")


def test_tensors_are_joined_and_unequal_ones_refused():
    twins(lambda lib: lib.utils.data.default_collate([(lib.ones(2, 3), 1), (lib.zeros(2, 3), 2)]))
    twins(lambda lib: lib.utils.data.default_collate([lib.ones(2), lib.ones(3)]))
    pair = data.default_collate([Pair(1, 2.0)] * 2)
    assert type(pair) is Pair and pair.right.dtype is tt.float64
    batch = data.default_collate([tt.ones(2)] * 2)
    assert batch.dtype is tt.float32


ERRORS = {
    "sizes": lambda d, lib: d.TensorDataset(lib.ones(2), lib.ones(3)),
    "no datasets": lambda d, lib: d.ConcatDataset([]),
    "too far back": lambda d, lib: d.ConcatDataset([range(3)])[-4],
    "too far": lambda d, lib: d.Subset(range(3), [1])[1],
    "no getitem": lambda d, lib: d.Dataset()[0],
    "split": lambda d, lib: d.random_split(range(10), [3, 3]),
    "no samples": lambda d, lib: d.RandomSampler([]),
    "samples": lambda d, lib: d.RandomSampler(range(3), num_samples=-1),
    "replacement": lambda d, lib: d.RandomSampler(range(3), replacement=3),
    "weights": lambda d, lib: d.WeightedRandomSampler([[1.0]], 2),
    "weighted samples": lambda d, lib: d.WeightedRandomSampler([1.0], 0),
    "too few weights": lambda d, lib: list(d.WeightedRandomSampler([1.0, 2.0], 3, False)),
    "batch size": lambda d, lib: d.DataLoader(range(3), 0),
    "drop last": lambda d, lib: d.BatchSampler(range(3), 2, 3),
    "workers": lambda d, lib: d.DataLoader(range(3), num_workers=-1),
    "sampler and shuffle": lambda d, lib: d.DataLoader(range(3), sampler=[1], shuffle=True),
    "batch sampler and size": lambda d, lib: d.DataLoader(range(3), 2, batch_sampler=[[1]]),
    "no batches, but the last": lambda d, lib: d.DataLoader(range(3), batch_size=None, drop_last=True),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_pytorchs(name):
    twins(lambda lib: ERRORS[name](lib.utils.data, lib))


def stream(lib, count):
    class Count(lib.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(count))

    return Count()


def test_a_stream_is_batched_as_it_comes():
    for options in ({"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None}):
        twins(lambda lib, o=options: list(lib.utils.data.DataLoader(stream(lib, 7), **o)))
    twins(lambda lib: lib.utils.data.DataLoader(stream(lib, 7), shuffle=True), text=False)
    twins(lambda lib: lib.utils.data.DataLoader(stream(lib, 7), sampler=[1]), text=False)
    twins(lambda lib: len(lib.utils.data.DataLoader(stream(lib, 7))), text=False)
    endless = data.DataLoader(type("E", (data.IterableDataset,), {"__iter__": lambda self: itertools.count()})(), 2)
    assert [batch.tolist() for batch in itertools.islice(endless, 2)] == [[0, 1], [2, 3]]


def test_a_loader_is_lazy_and_can_be_read_again():
    squares = Squares(100)
    loader = data.DataLoader(squares, batch_size=4)
    assert next(iter(loader)).tolist() == [0, 1, 4, 9] and squares.asked == [0, 1, 2, 3]
    assert [len(list(loader)), len(list(loader))] == [25, 25]


def orders(loader, passes=3):
    return [torch.cat([torch.tensor(batch.tolist()) for batch in loader]).tolist() for _ in range(passes)]


def test_shuffling_is_new_each_time_and_the_same_for_the_same_seed():
    def make(seed):
        return data.DataLoader(range(50), 8, shuffle=True, generator=tt.Generator().manual_seed(seed))

    first = orders(make(1))
    assert first == orders(make(1)) != orders(make(2))
    assert len({tuple(order) for order in first}) == 3
    assert all(sorted(order) == list(range(50)) for order in first)
    tt.manual_seed(3)
    once = orders(data.DataLoader(range(50), shuffle=True))
    tt.manual_seed(3)
    assert orders(data.DataLoader(range(50), shuffle=True)) == once


def test_every_order_is_equally_likely():
    tt.manual_seed(0)
    seen = Counter(tuple(data.RandomSampler(range(3))) for _ in range(6000))
    assert len(seen) == 6 and all(850 < count < 1150 for count in seen.values())


def test_an_astronomical_sampler_is_lazy():
    for replacement in (True, False):
        sampler = data.RandomSampler(range(5), replacement, num_samples=10**10)
        assert len(sampler) == 10**10
        drawn = list(itertools.islice(iter(sampler), 100))
        assert set(drawn) == set(range(5)) and all(type(index) is int for index in drawn)
        assert len(data.DataLoader(range(5), sampler=sampler, batch_size=4)) == 25 * 10**8
    first = list(data.RandomSampler(range(5), num_samples=12))
    assert sorted(first[:5]) == sorted(first[5:10]) == list(range(5)) and len(first) == 12


def test_weights_are_chances():
    tt.manual_seed(0)
    seen = Counter(data.WeightedRandomSampler([0.0, 1.0, 3.0], 8000))
    assert seen[0] == 0 and abs(seen[2] / seen[1] - 3) < 0.2
    assert sorted(data.WeightedRandomSampler([5.0, 1.0, 1.0], 3, replacement=False)) == [0, 1, 2]
    assert sorted(data.SubsetRandomSampler([7, 3, 3])) == [3, 3, 7]


def test_a_split_shares_out_every_sample_once():
    parts = data.random_split(range(100), [60, 40], generator=tt.Generator().manual_seed(1))
    again = data.random_split(range(100), [60, 40], generator=tt.Generator().manual_seed(1))
    assert [list(part) for part in parts] == [list(part) for part in again]
    assert sorted([*parts[0], *parts[1]]) == list(range(100)) and list(parts[0]) != sorted(parts[0])


def test_a_shuffle_buffer_gives_every_sample_once_and_holds_few():
    taken = []

    def samples():
        for i in range(1000):
            taken.append(i)
            yield i

    buffer = data.ShuffleBuffer(samples(), 50, generator=tt.Generator().manual_seed(0))
    ahead, out = 0, []
    for sample in buffer:
        out.append(sample)
        ahead = max(ahead, len(taken) - len(out))
    assert sorted(out) == list(range(1000)) and out != sorted(out) and ahead <= 50
    assert np.mean(np.abs(np.array(out) - np.arange(1000))) > 20
    assert list(data.ShuffleBuffer(range(5), 1)) == [0, 1, 2, 3, 4]
    assert sorted(data.ShuffleBuffer(range(5), 100)) == [0, 1, 2, 3, 4]
    assert len(list(data.DataLoader(data.ShuffleBuffer(range(10), 4), batch_size=3))) == 4
    with pytest.raises(ValueError, match="buffer_size"):
        data.ShuffleBuffer(range(5), 0)


def test_a_batch_is_a_copy():
    x = tt.zeros(4, 2)
    (batch,) = next(iter(data.DataLoader(data.TensorDataset(x), 2)))
    batch.fill_(1)
    assert not x.array.any()


def test_transforms():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    tensor = transforms.ToTensor()(image)
    assert tensor.shape == (3, 2, 4) and tensor.dtype is tt.float32
    np.testing.assert_allclose(tensor.array[2, 1, 3], 23 / 255)
    assert transforms.ToTensor()(np.ones((2, 3))).shape == (1, 2, 3)
    assert transforms.ToTensor()(np.ones((2, 3))).dtype is tt.float64
    normal = transforms.Normalize((0.1, 0.2, 0.3), (1, 2, 4))(tensor)
    np.testing.assert_allclose(normal.array[2], (tensor.array[2] - 0.3) / 4, rtol=1e-6)
    assert normal.dtype is tt.float32
    with pytest.raises(ValueError, match="std"):
        transforms.Normalize(0, 0)
    chain = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
    assert chain(image).array.min() == -1


def test_random_transforms():
    tt.manual_seed(0)
    image = tt.arange(12.0).reshape(1, 3, 4)
    flip = transforms.RandomHorizontalFlip(0.3)
    flipped = [bool((flip(image).array != image.array).any()) for _ in range(2000)]
    assert 0.26 < np.mean(flipped) < 0.34
    np.testing.assert_array_equal(transforms.RandomHorizontalFlip(1.0)(image).array, image.array[..., ::-1])
    seen = {transforms.RandomCrop((2, 3))(image).array.tobytes() for _ in range(200)}
    assert seen == {image.array[0, i : i + 2, j : j + 3].tobytes() for i in (0, 1) for j in (0, 1)}
    padded = transforms.RandomCrop(5, padding=1, generator=tt.Generator().manual_seed(0))(image)
    assert padded.shape == (1, 5, 5) and padded.array[0, 1:4].any() and not padded.array[0, 0].any()
    assert transforms.RandomCrop(3)(tt.ones(2, 7, 3, 3)).shape == (2, 7, 3, 3)
    with pytest.raises(ValueError, match="larger"):
        transforms.RandomCrop(5)(image)


def test_seeding_makes_transforms_repeat():
    image = tt.arange(10000.0).reshape(1, 100, 100)
    crop = transforms.RandomCrop(10)
    tt.manual_seed(5)
    first = crop(image).array
    tt.manual_seed(5)
    np.testing.assert_array_equal(crop(image).array, first)
