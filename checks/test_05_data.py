"""Checks of module 05, Data, in the order of the lesson.

What is random differs between libraries, so these checks hold what must be true of every draw: nothing lost, nothing
twice, the same seed the same order, and shares within five standard deviations, with the seed fixed.
"""

import contextlib
import itertools
import sys
from collections import Counter, namedtuple

import numpy as np

from checks import CheckFailed, exercise

X = (np.arange(14, dtype=np.float32).reshape(7, 2) * 5 % 17 - 3.5).astype(np.float32)  # unsorted, unequal
Y = np.array([4, 1, 6, 3, 9, 2, 8], np.int64)


def own(tt):
    """The file of the module: names that `utils.data` does not pass on."""
    return sys.modules[tt.utils.data.DataLoader.__module__]


def seeded(tt, seed=0):
    """A generator that starts from this seed."""
    generator = tt.Generator()
    generator.manual_seed(seed)
    return generator


def tensors(tt):
    """A dataset of seven pairs: two floats, one int."""
    call = "TensorDataset(x, y), x of shape (7, 2), y of shape (7,)"
    with allowed(call, "both have 7 rows, so they go together", errors=(AssertionError, TypeError, ValueError)):
        return tt.utils.data.TensorDataset(tt.tensor(X), tt.tensor(Y))


def noting(tt, count):
    """A dataset of squares that notes in `asked` which samples were asked for."""

    class Squares(tt.utils.data.Dataset):
        asked: list = []  # noqa: RUF012

        def __getitem__(self, index):
            self.asked.append(index)
            return index * index

        def __len__(self):
            return count

    Squares.asked = []
    return Squares()


def stream(tt, count):
    """A dataset without indices: the numbers 0 to count - 1, one after the other."""

    class Count(tt.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(count))

    return Count()


@contextlib.contextmanager
def allowed(call, why, errors=(IndexError, TypeError, ValueError, RuntimeError)):
    """The block must not raise one of these: what it does is fine, and `why` says so."""
    try:
        yield
    except (NotImplementedError, RecursionError, CheckFailed):  # a stub, an endless loop, a failed expectation
        raise
    except errors as error:
        raise CheckFailed(call, "no error", f"{type(error).__name__}: {error}", "", why) from error


def plain(value):
    """A batch as nested lists."""
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value.tolist() if hasattr(value, "tolist") else value


# TensorDataset


@exercise(
    "TensorDataset",
    points=2,
    hints=(
        "The tensors may stay as they are, side by side. What does sample i take from each of them?",
        "`*tensors` in the head makes a tuple of all arguments: keep it as `self.tensors`. `len(tensor)` is the first "
        "size of a tensor, `tensor[index]` its entry at an index.",
        "`__getitem__` is `tuple(... for tensor in self.tensors)`, `__len__` asks the first tensor, and `__init__` has "
        "an `assert all(...)` that compares every length with the first one.",
    ),
)
def test_tensor_dataset_sample_is_a_tuple_of_entries(tt, expect):
    dataset = tensors(tt)
    why = "sample 3 holds entry 3 of every tensor, in a tuple, in the order of the arguments"
    with allowed("TensorDataset(x, y)[3]", why):
        got = dataset[3]
    expect(got, "TensorDataset(x, y)[3]").is_instance(tuple, why=why)
    expect(len(got), "len(TensorDataset(x, y)[3])").equals(2, why="one entry for each tensor")
    expect(got[0], "TensorDataset(x, y)[3][0]").equals(X[3], why=why)
    expect(got[1], "TensorDataset(x, y)[3][1]").equals(Y[3], why=why)
    expect(dataset[-2][1], "TensorDataset(x, y)[-2][1]").equals(Y[5], why="a tensor counts from the end by itself")


@exercise("TensorDataset")
def test_tensor_dataset_takes_any_number_of_tensors(tt, expect):
    why = "one tensor gives tuples of one entry, three give tuples of three"
    one = tt.utils.data.TensorDataset(tt.tensor(Y))
    expect(one[2], "TensorDataset(y)[2]").is_instance(tuple, why=why)
    expect(len(one[2]), "len(TensorDataset(y)[2])").equals(1, why=why)
    three = tt.utils.data.TensorDataset(tt.tensor(X), tt.tensor(Y), tt.tensor(-X))
    expect(len(three[2]), "len(TensorDataset(x, y, z)[2])").equals(3, why=why)
    expect(three[2][2], "TensorDataset(x, y, z)[2][2]").equals(-X[2], why=why)


@exercise("TensorDataset")
def test_tensor_dataset_length(tt, expect):
    why = "the number of samples is the first size of the tensors, here 7"
    expect(len(tensors(tt)), "len(TensorDataset(x, y)), x of shape (7, 2), y of shape (7,)").equals(7, why=why)
    one = tt.utils.data.TensorDataset(tt.zeros(2, 5))
    expect(len(one), "len(TensorDataset(x)), x of shape (2, 5)").equals(
        2, why="the number of samples is the first size"
    )


@exercise("TensorDataset")
def test_tensor_dataset_refuses_unequal_lengths(tt, expect):
    why = "with 7 rows and 6 labels some sample would have no label; `assert` is what PyTorch uses here"
    for second in (6, 8):
        call = f"TensorDataset(x, y), x with 7 rows and y with {second}"
        with expect.raises(AssertionError, call=call, why=why):
            tt.utils.data.TensorDataset(tt.zeros(7, 2), tt.zeros(second))
    with expect.raises(AssertionError, call="TensorDataset(x, y, z), z one too short", why="look at all of them"):
        tt.utils.data.TensorDataset(tt.zeros(7, 2), tt.zeros(7), tt.zeros(6))


@exercise("TensorDataset")
def test_tensor_dataset_copies_nothing(tt, expect):
    x = tt.tensor(X)
    dataset = tt.utils.data.TensorDataset(x, tt.tensor(Y))
    why = "keep the tensors under the name `tensors`: others read them there, `at_once` in part C for one"
    kept = getattr(dataset, "tensors", None)
    expect(kept is not None and kept[0] is x, "is TensorDataset(x, y).tensors[0] the given x?").equals(True, why=why)
    why = "a row of a tensor is a view: the dataset keeps the tensors and copies no sample"
    expect(dataset[4][0], "TensorDataset(x, y)[4][0]").shares_memory_with(x, why=why)


# Subset


@exercise(
    "Subset",
    hints=(
        "A subset has no samples of its own. What does it need to remember to find them?",
        "Keep `self.dataset` and `self.indices`. Sample k of the subset is which sample of the dataset?",
        "Two look-ups, one inside the other: `indices[index]` is the number of the sample in the dataset.",
    ),
)
def test_subset_keeps_the_order_of_the_indices(tt, expect):
    subset = tt.utils.data.Subset(["a", "b", "c", "d", "e"], [4, 1, 3])
    why = "sample k of the subset is sample indices[k] of the dataset, in the order of the indices"
    for k, letter in enumerate("ebd"):
        call = f"Subset(['a', 'b', 'c', 'd', 'e'], [4, 1, 3])[{k}]"
        with allowed(call, why):
            got = subset[k]
        expect(got, call).equals(letter, why=why)
    expect(subset[-1], "Subset(['a', 'b', 'c', 'd', 'e'], [4, 1, 3])[-1]").equals("d", why=why)


@exercise("Subset")
def test_subset_length(tt, expect):
    why = "as many samples as there are indices"
    expect(len(tt.utils.data.Subset(range(5), [4, 1, 3])), "len(Subset(range(5), [4, 1, 3]))").equals(3, why=why)
    expect(len(tt.utils.data.Subset(range(5), [])), "len(Subset(range(5), []))").equals(0, why=why)


@exercise("Subset")
def test_subset_may_repeat_a_sample(tt, expect):
    subset = tt.utils.data.Subset(["a", "b", "c"], [2, 0, 2, 2])
    why = "an index may come several times: so rare samples are shown more often"
    expect([subset[k] for k in range(4)], "Subset(['a', 'b', 'c'], [2, 0, 2, 2])").equals(["c", "a", "c", "c"], why=why)
    expect(len(subset), "len(Subset(['a', 'b', 'c'], [2, 0, 2, 2]))").equals(4, why=why)


@exercise("Subset")
def test_subset_asks_only_for_what_is_wanted(tt, expect):
    dataset = noting(tt, 100)
    subset = tt.utils.data.Subset(dataset, [7, 3, 9])
    expect(dataset.asked, "samples loaded by Subset(dataset, [7, 3, 9])").equals(
        [], why="making a subset loads no sample: loading may be slow, and all of them may not fit into memory"
    )
    expect(subset[1], "subset[1]").equals(9, why="index 1 of the subset is sample 3 of the dataset, 3 * 3")
    expect(dataset.asked, "samples loaded by subset[1]").equals([3], why="one sample is asked for, one is loaded")


@exercise("Subset")
def test_subset_keeps_what_it_was_given(tt, expect):
    whole = ["a", "b", "c"]
    subset = tt.utils.data.Subset(whole, [2, 0])
    why = "keep both under the names `dataset` and `indices`: a split is looked at there, and `at_once` reads them"
    expect(getattr(subset, "dataset", None) is whole, "is Subset(d, [2, 0]).dataset the given d?").equals(True, why=why)
    kept = getattr(subset, "indices", ())
    expect(list(kept), "list(Subset(d, [2, 0]).indices)").equals([2, 0], why=why)


@exercise("Subset")
def test_subset_past_its_end(tt, expect):
    why = "index 2 of a subset of two samples does not exist, though the dataset has five"
    with expect.raises(IndexError, call="Subset(range(5), [3, 4])[2]", why=why):
        tt.utils.data.Subset(range(5), [3, 4])[2]


# ConcatDataset


def joined(tt):
    """2, 0, 3 and 1 samples, one after the other."""
    return tt.utils.data.ConcatDataset([["a", "b"], [], ["c", "d", "e"], ["f"]])


@exercise(
    "ConcatDataset",
    points=2,
    hints=(
        "Write the datasets one after the other and number all samples. At which numbers does a new dataset begin?",
        "Running totals of the lengths, such as [2, 2, 5, 6], say where each dataset ends: "
        "`list(itertools.accumulate(map(len, self.datasets)))`. Keep them as `self.cumulative_sizes`.",
        "Index i lies in the first dataset whose end is greater than i, and `bisect.bisect_right(ends, i)` is the "
        "number of that dataset. Within it the index is i minus the end of the one before, if there is one.",
        "A negative index first gets `len(self)` added; if it is below -len(self), raise ValueError. `len(self)` is "
        "the last of the running totals.",
    ),
)
def test_concat_finds_every_sample(tt, expect):
    why = (
        "the first dataset whose end is greater than the index (`bisect_right`); in it, minus the end of the one before"
    )
    for i, letter in enumerate("abcdef"):
        call = f"ConcatDataset([['a', 'b'], [], ['c', 'd', 'e'], ['f']])[{i}]"
        with allowed(call, why):
            got = joined(tt)[i]
        expect(got, call).equals(letter, why=why)


@exercise("ConcatDataset")
def test_concat_length(tt, expect):
    why = "the lengths 2, 0, 3 and 1 add up to 6"
    expect(len(joined(tt)), "len(ConcatDataset([['a', 'b'], [], ['c', 'd', 'e'], ['f']]))").equals(6, why=why)
    why = "where each dataset ends: 2, 2 + 0, 2 + 0 + 3, and so on"
    ends = getattr(joined(tt), "cumulative_sizes", None)
    expect(ends, "ConcatDataset of 2, 0, 3 and 1 samples, .cumulative_sizes").equals([2, 2, 5, 6], why=why)


@exercise("ConcatDataset")
def test_concat_counts_from_the_end(tt, expect):
    why = "-1 is the last sample of all, -6 the first"
    for i, letter in zip(range(-1, -7, -1), "fedcba", strict=True):
        call = f"ConcatDataset([['a', 'b'], [], ['c', 'd', 'e'], ['f']])[{i}]"
        with allowed(call, why):
            got = joined(tt)[i]
        expect(got, call).equals(letter, why=why)
    why = "six samples, so -7 is before the first"
    with expect.raises(ValueError, call="ConcatDataset of 6 samples [-7]", why=why):
        joined(tt)[-7]


@exercise("ConcatDataset")
def test_concat_past_the_end(tt, expect):
    why = "six samples have the indices 0 to 5; a loop over the dataset ends at this error"
    with expect.raises(IndexError, call="ConcatDataset of 6 samples [6]", why=why):
        joined(tt)[6]


@exercise("ConcatDataset")
def test_concat_loads_nothing_in_advance(tt, expect):
    first, second = noting(tt, 5), noting(tt, 6)
    both = first + second
    expect(first.asked + second.asked, "samples loaded by first + second").equals(
        [], why="lengths are enough to join datasets: load a sample when it is asked for"
    )
    expect(both[8], "(first + second)[8]").equals(9, why="5 samples of the first, then sample 3 of the second: 3 * 3")
    expect(first.asked + second.asked, "samples loaded by (first + second)[8]").equals([3], why="one sample, once")


@exercise("ConcatDataset")
def test_concat_takes_any_iterable_and_refuses_none(tt, expect):
    both = tt.utils.data.ConcatDataset(part for part in (["a", "b"], ["c"]))
    why = "the datasets may come from a generator, which can be read once: make a list of it first"
    call = "ConcatDataset(a generator of two datasets)"
    with allowed(call, why):
        got = [len(both), both[2]]
    expect(got, f"length and sample 2 of {call}").equals([3, "c"], why=why)
    with expect.raises(AssertionError, call="ConcatDataset([])", why="no datasets, no samples: most likely a mistake"):
        tt.utils.data.ConcatDataset([])


# random_split


def split(tt, count, lengths, seed=0):
    """Indices of the parts of a split."""
    parts = tt.utils.data.random_split(range(count), lengths, generator=seeded(tt, seed))
    return [[part[k] for k in range(len(part))] for part in parts]


@exercise(
    "random_split",
    points=2,
    hints=(
        "Shuffle all indices once and cut the row into pieces. Which class of yours makes a dataset of each piece?",
        "`_rng(generator).permutation(total).tolist()` is the shuffled row. Part k ends where the running total of the "
        "lengths (`itertools.accumulate`) says, and begins its own length before that.",
        "Fractions: they are meant when `math.isclose(sum(lengths), 1)`. Round every `total * fraction` down, then "
        "give the samples that are left over to the parts in turn, one each, beginning with the first. Only then "
        "compare the sum with `total`.",
    ),
)
def test_split_shares_out_every_sample_once(tt, expect):
    why = "one part for each length, of that length, in that order"
    with allowed("random_split(range(10), [5, 2, 3])", why):
        parts = split(tt, 10, [5, 2, 3])
    expect([len(part) for part in parts], "lengths of random_split(range(10), [5, 2, 3])").equals([5, 2, 3], why=why)
    why = "every sample is in exactly one part: shuffle once, then cut"
    everything = sorted(itertools.chain(*parts))
    expect(everything, "all samples of random_split(range(10), [5, 2, 3]), sorted").equals(list(range(10)), why=why)


@exercise("random_split")
def test_split_is_random(tt, expect):
    counts = Counter(tuple(split(tt, 4, [1, 3], seed)[0]) for seed in range(400))
    why = "shuffle before you cut: each of four samples is then alone in a part of one about 100 times in 400 splits"
    got = [50 < counts[(i,)] < 150 for i in range(4)]
    expect(got, "is sample i alone in its part about 100 times in 400 splits of 4?").equals([True] * 4, why=why)
    why = "inside a part the samples are in random order too"
    expect(any(part != sorted(part) for part in split(tt, 100, [60, 40])), "is a part out of order?").equals(
        True, why=why
    )


@exercise("random_split")
def test_split_repeats_for_a_seed(tt, expect):
    tt.manual_seed(1)
    first = split(tt, 11, [7, 4], seed=7)
    tt.manual_seed(2)
    why = "a given generator decides alone: the same seed gives the same parts, whatever else was drawn before"
    expect(split(tt, 11, [7, 4], seed=7), "a second split with a generator of the same seed").equals(first, why=why)
    tt.manual_seed(3)
    one = [list(part) for part in tt.utils.data.random_split(range(11), [7, 4])]
    tt.manual_seed(3)
    two = [list(part) for part in tt.utils.data.random_split(range(11), [7, 4])]
    expect(two, "a split without a generator, after the same manual_seed").equals(
        one, why="without a generator, manual_seed decides: `_rng(generator)` chooses"
    )
    generator = seeded(tt, 5)
    one, two = (list(tt.utils.data.random_split(range(11), [7, 4], generator=generator)[0]) for _ in range(2))
    expect(one != two, "do two splits from one generator differ?").equals(
        True, why="a generator moves on as it is used"
    )


@exercise("random_split")
def test_split_by_fractions(tt, expect):
    why = "round down; what is left over goes to the parts in turn, one sample each, from the first on"
    for count, fractions, lengths in (
        (10, [0.75, 0.25], [8, 2]),
        (10, [0.33, 0.33, 0.34], [4, 3, 3]),
        (11, [0.5, 0.25, 0.25], [6, 3, 2]),
        (7, [1.0], [7]),
    ):
        call = f"lengths of random_split(range({count}), {fractions})"
        with allowed(call, why):
            got = [len(part) for part in split(tt, count, fractions)]
        expect(got, call).equals(lengths, why=why)
    call = "lengths of random_split(range(10), [0.7, 0.2, 0.1])"
    why = "0.7 + 0.2 + 0.1 is 0.9999999999999999 in floats: ask `math.isclose`, not `==`, whether these are fractions"
    with allowed(call, why):
        got = [len(part) for part in split(tt, 10, [0.7, 0.2, 0.1])]
    expect(got, call).equals([7, 2, 1], why=why)
    given = [0.33, 0.33, 0.34]
    with expect.unchanged(
        given, "random_split(range(10), lengths)", why="the list belongs to the caller: make a new one"
    ):
        tt.utils.data.random_split(range(10), given)


@exercise("random_split")
def test_split_refuses_lengths_that_do_not_add_up(tt, expect):
    for lengths in ([5, 4], [5, 6], [0.5, 0.25]):
        call = f"random_split(range(10), {lengths})"
        why = "samples that no part gets, or that do not exist, are a mistake of the caller"
        with expect.raises(ValueError, call=call, why=why):
            tt.utils.data.random_split(range(10), lengths)


@exercise("random_split")
def test_split_gives_subsets(tt, expect):
    dataset = noting(tt, 20)
    parts = tt.utils.data.random_split(dataset, [15, 5], generator=seeded(tt))
    why = "a part is a Subset: it keeps indices, and loads a sample when it is asked for"
    expect(parts[0], "random_split(dataset, [15, 5])[0]").is_instance(tt.utils.data.Subset, why=why)
    expect(dataset.asked, "samples loaded by random_split").equals([], why=why)
    parts[1][0]
    why = "`.tolist()` makes Python ints of NumPy's; a dataset may be a list, a file, anything"
    expect(isinstance(dataset.asked[0], int), "is the index that a part asks its dataset for a Python int?").equals(
        True, why=why
    )


# RandomSampler.__iter__


def draws(tt, count, seed=0, **options):
    """One pass of a RandomSampler."""
    settings = "".join(f", {name}={value}" for name, value in options.items())
    why = "iterating over a RandomSampler gives num_samples indices, each below the number of samples"
    with allowed(f"list(RandomSampler(range({count}){settings}))", why):
        return list(tt.utils.data.RandomSampler(range(count), generator=seeded(tt, seed), **options))


@exercise(
    "RandomSampler.__iter__",
    points=2,
    hints=(
        "Without replacement: a shuffled pass over all indices, and another, until enough have been given out.",
        "`_rng(self.generator)` has `permutation(n)` and `integers(n, size=k)`. Keep count of how many indices are "
        "left to give, and draw a piece at a time.",
        "A `while left > 0:` loop draws a permutation, or with replacement some integers, cuts it to `[:left]`, and "
        "gives out the ints of it: `yield from drawn[:left].tolist()`.",
    ),
)
def test_random_sampler_gives_every_index_once(tt, expect):
    got = draws(tt, 20)
    why = "a shuffled pass holds every index exactly once"
    expect(sorted(got), "sorted(RandomSampler(range(20)))").equals(list(range(20)), why=why)
    expect(got != sorted(got), "is the order of RandomSampler(range(20)) shuffled?").equals(True, why="in random order")
    expect(isinstance(got[0], int), "is an index of RandomSampler a Python int?").equals(
        True, why="`.tolist()` makes Python ints of NumPy's; a dataset may be a list, a file, anything"
    )


@exercise("RandomSampler.__iter__")
def test_random_sampler_every_order_is_as_likely(tt, expect):
    sampler = tt.utils.data.RandomSampler(range(3), generator=seeded(tt, 4))
    counts = Counter(tuple(sampler) for _ in range(1200))
    got = {order: 130 < counts[order] < 270 for order in itertools.permutations(range(3))}
    why = "each of the six orders of three indices comes about 200 times in 1,200 passes, and each pass is new"
    expect(all(got.values()), f"are all orders equally likely? Counted {dict(counts)}").equals(True, why=why)


@exercise("RandomSampler.__iter__")
def test_random_sampler_repeats_for_a_seed(tt, expect):
    sampler = tt.utils.data.RandomSampler(range(11), generator=seeded(tt, 8))
    first, second = list(sampler), list(sampler)
    why = "every pass draws a new order: an order that repeats would be learned by the model"
    expect(first != second, "do two passes differ?").equals(True, why=why)
    tt.manual_seed(11)
    again = tt.utils.data.RandomSampler(range(11), generator=seeded(tt, 8))
    why = "a generator that starts from the same seed gives the same passes; draw only from `_rng(self.generator)`"
    expect([list(again), list(again)], "two passes with the same seed").equals([first, second], why=why)
    tt.manual_seed(5)
    one = list(tt.utils.data.RandomSampler(range(11)))
    tt.manual_seed(5)
    expect(list(tt.utils.data.RandomSampler(range(11))), "a pass without generator, after the same manual_seed").equals(
        one, why="without a generator, manual_seed decides"
    )


@exercise("RandomSampler.__iter__")
def test_random_sampler_other_numbers_of_samples(tt, expect):
    got = draws(tt, 5, num_samples=12)
    why = "num_samples=12 of 5 indices: two whole passes and 2 indices of a third"
    expect(len(got), "how many indices RandomSampler(range(5), num_samples=12) gives").equals(12, why=why)
    passes = [sorted(got[:5]), sorted(got[5:10]), len(set(got[10:]))]
    call = "indices 0-4 and 5-9 of RandomSampler(range(5), num_samples=12), sorted, and how many differ in the rest"
    expect(passes, call).equals([list(range(5)), list(range(5)), 2], why=why)
    why = "num_samples=6 of 5 indices: one whole pass and 1 index of a second"
    expect(len(draws(tt, 5, num_samples=6)), "how many indices RandomSampler(range(5), num_samples=6) gives").equals(
        6, why=why
    )
    few = draws(tt, 50, num_samples=7)
    why = "num_samples=7 of 50 indices: seven different ones, from anywhere among the 50"
    expect(len(set(few)), "different indices of RandomSampler(range(50), num_samples=7)").equals(7, why=why)
    expect(max(few) > 6, "is there an index above 6?").equals(True, why=why)


@exercise("RandomSampler.__iter__")
def test_random_sampler_with_replacement(tt, expect):
    got = draws(tt, 4, replacement=True, num_samples=1000)
    counts = Counter(got)
    why = "with replacement all indices are equally likely in every draw: about 250 times each in 1,000 draws"
    expect(len(got), "draws of RandomSampler(range(4), replacement=True, num_samples=1000)").equals(1000, why=why)
    expect([180 < counts[i] < 320 for i in range(4)], f"is each drawn about 250 times? {dict(counts)}").equals(
        [True] * 4, why=why
    )
    repeated = sum(len(set(draws(tt, 10, seed, replacement=True))) < 10 for seed in range(20))
    why = "with replacement each index is drawn anew, so ten draws of ten nearly always repeat one; a permutation never"
    expect(repeated >= 19, f"does some index repeat in 10 draws of 10? In {repeated} of 20 passes").equals(
        True, why=why
    )
    expect(isinstance(got[0], int), "is an index drawn with replacement a Python int?").equals(
        True, why="use `.tolist()`"
    )


@exercise("RandomSampler.__iter__")
def test_random_sampler_draws_as_it_is_asked(tt, expect):
    why = "num_samples may be astronomical: draw a piece, give it out, draw the next"
    for replacement in (True, False):
        many, few = (tt.utils.data.RandomSampler(range(5), replacement, num_samples=n) for n in (300_000, 100))
        call = f"first index of RandomSampler(range(5), {replacement}, num_samples=300_000); comparison: 100"
        expect.faster_than(lambda s=many: next(iter(s)), lambda s=few: next(iter(s)), call, ratio=0.1, why=why)


# WeightedRandomSampler.__iter__


@exercise(
    "WeightedRandomSampler.__iter__",
    hints=(
        "Weights are not chances yet: 1, 3 and 4 add up to 8. What must chances add up to?",
        "`self.weights` is a tensor; NumPy wants its array, divided by its sum. The drawing itself is one call of "
        "`_rng(self.generator).choice`.",
        "`choice(n, size, replace, p)`: n is the number of weights. Before it: without replacement there must be at "
        "least `self.num_samples` weights above 0 (`np.count_nonzero`), else RuntimeError. Return `iter` of the ints.",
    ),
)
def test_weights_are_chances(tt, expect):
    weights = [1.0, 0.0, 3.0, 4.0]
    sampler = tt.utils.data.WeightedRandomSampler(weights, 4000, generator=seeded(tt, 2))
    call = "WeightedRandomSampler([1.0, 0.0, 3.0, 4.0], 4000)"
    why = "with replacement two weights are enough for any number of draws: only without it may there be too few"
    with allowed(call, why, errors=(RuntimeError,)):
        why = "weights are divided by their sum to become chances: 1/8, 0, 3/8, 4/8; they need not add up to 1"
        with allowed(call, why, errors=(ValueError, TypeError)):
            counts = Counter(sampler)
    expect(sum(counts.values()), f"number of indices from {call}").equals(4000, why="num_samples of them")
    expect(counts[1], f"how often {call} draws index 1").equals(0, why="a weight of 0 is never drawn")
    got = [abs(counts[i] - 500 * w) < 160 for i, w in enumerate(weights)]
    expect(got, f"are 500, 0, 1500 and 2000 draws about right? {dict(counts)}").equals([True] * 4, why=why)


@exercise("WeightedRandomSampler.__iter__")
def test_weights_without_replacement(tt, expect):
    sampler = tt.utils.data.WeightedRandomSampler([5.0, 1.0, 0.0, 2.0], 3, replacement=False, generator=seeded(tt))
    why = "without replacement no index comes twice, so three draws of three positive weights give each once"
    for _ in range(10):
        got = list(sampler)
        expect(sorted(got), "sorted(WeightedRandomSampler([5.0, 1.0, 0.0, 2.0], 3, False))").equals([0, 1, 3], why=why)
    first = Counter(next(iter(sampler)) for _ in range(400))
    why = "the heavier one comes first more often: index 0 with 5 of 8"
    expect(190 < first[0] < 310, f"is index 0 first in about 250 of 400 passes? {first[0]}").equals(True, why=why)


@exercise("WeightedRandomSampler.__iter__")
def test_weights_too_few_of_them(tt, expect):
    why = "two weights cannot give three different indices"
    sampler = tt.utils.data.WeightedRandomSampler([5.0, 2.0], 3, replacement=False)
    with expect.raises(RuntimeError, call="list(WeightedRandomSampler([5.0, 2.0], 3, False))", why=why):
        list(sampler)
    sampler = tt.utils.data.WeightedRandomSampler([5.0, 0.0, 2.0], 6)
    with allowed("list(WeightedRandomSampler([5.0, 0.0, 2.0], 6))", "with replacement two weights are enough"):
        got = list(sampler)
    expect(len(got), "len(list(WeightedRandomSampler([5.0, 0.0, 2.0], 6)))").equals(6)


@exercise("WeightedRandomSampler.__iter__", torch=False)
def test_weights_of_zero_do_not_count(tt, expect):
    why = "two weights above 0 cannot give three different indices: a weight of 0 is never drawn"
    sampler = tt.utils.data.WeightedRandomSampler([5.0, 0.0, 2.0], 3, replacement=False)
    with expect.raises(RuntimeError, call="list(WeightedRandomSampler([5.0, 0.0, 2.0], 3, False))", why=why):
        list(sampler)


@exercise("WeightedRandomSampler.__iter__")
def test_weights_repeat_for_a_seed(tt, expect):
    def drawn(seed):
        sampler = tt.utils.data.WeightedRandomSampler([1.0, 2.0, 3.0, 4.0], 16, generator=seeded(tt, seed))
        return [list(sampler), list(sampler)]

    tt.manual_seed(1)
    first = drawn(6)
    tt.manual_seed(2)
    why = "draw from `_rng(self.generator)`: the same seed gives the same indices, and each pass new ones"
    expect(drawn(6), "two passes of a WeightedRandomSampler with the same seed").equals(first, why=why)
    expect(first[0] != first[1], "do two passes differ?").equals(True, why=why)
    expect(isinstance(first[0][0], int), "is an index a Python int?").equals(True, why="`.tolist()` makes Python ints")


# BatchSampler.__len__


@exercise(
    "BatchSampler.__len__",
    hints=(
        "How many full batches, and is there a rest? When does the rest count?",
        "`divmod(a, b)` gives quotient and remainder of whole numbers at once.",
        "The quotient, plus one if there is a remainder that is not dropped. True counts as 1 in a sum.",
    ),
)
def test_number_of_batches_counts_a_rest(tt, expect):
    for n, size, batches in ((5, 2, 3), (7, 3, 3), (2, 5, 1), (10, 9, 2)):
        why = f"{n} = {n // size} * {size} + {n % size}: the rest of {n % size} counts as a batch too: {batches}"
        got = len(tt.utils.data.BatchSampler(range(n), size, False))
        expect(got, f"len(BatchSampler(range({n}), {size}, False))").equals(batches, why=why)


@exercise("BatchSampler.__len__")
def test_number_of_batches_without_the_last(tt, expect):
    for n, size, batches in ((5, 2, 2), (7, 3, 2), (2, 5, 0), (10, 9, 1)):
        why = f"with drop_last only full batches count: {batches}"
        got = len(tt.utils.data.BatchSampler(range(n), size, True))
        expect(got, f"len(BatchSampler(range({n}), {size}, True))").equals(batches, why=why)


@exercise("BatchSampler.__len__")
def test_number_of_batches_that_come_out_even(tt, expect):
    for n, size, drop in ((6, 2, False), (6, 2, True), (1, 1, False), (0, 3, False), (0, 3, True)):
        why = "nothing is left over, so drop_last makes no difference and there is no batch more"
        got = len(tt.utils.data.BatchSampler(range(n), size, drop))
        expect(got, f"len(BatchSampler(range({n}), {size}, {drop}))").equals(n // size, why=why)


@exercise("BatchSampler.__len__")
def test_number_of_batches_draws_nothing(tt, expect):
    class Counting(tt.utils.data.Sampler):
        drawn = 0

        def __iter__(self):
            Counting.drawn += 1
            return iter(range(7))

        def __len__(self):
            return 7

    expect(
        len(tt.utils.data.BatchSampler(Counting(), 2, False)), "len(BatchSampler(sampler, 2, False)), 7 indices"
    ).equals(4)
    why = "ask the sampler for its length; drawing would use up random numbers and change the next pass"
    expect(Counting.drawn, "how often the sampler was run to find the length").equals(0, why=why)


# BatchSampler.__iter__


def grouped(tt, *arguments):
    """The batches of one pass, each copied as it comes."""
    call = f"list(BatchSampler({', '.join(map(str, arguments))}))"
    with allowed(call, "as many lists as the indices fill, then the iteration ends"):
        return [list(batch) for batch in tt.utils.data.BatchSampler(*arguments)]


@exercise(
    "BatchSampler.__iter__",
    points=2,
    hints=(
        "Take batch_size indices, give them out as a list, go on. When do you stop, and what of a rest?",
        "`iter(self.sampler)` once, before the loop; then `list(itertools.islice(indices, self.batch_size))` takes the "
        "next ones. At the end it takes fewer, and at last none.",
        "`while batch := list(...)` runs as long as the list is not empty. Inside, `yield` the batch if it is full, or "
        "if a rest is wanted.",
    ),
)
def test_batches_are_lists_of_their_own(tt, expect):
    call = "first batch of BatchSampler([7, 3, 9, 1], 2, False)"
    with allowed(call, "`__iter__` gives one batch after the other: write it with `yield`"):
        batches = iter(tt.utils.data.BatchSampler([7, 3, 9, 1], 2, False))
        first = next(batches, [])
    expect(first, call).is_instance(list, why="a batch is a list")
    expect(first, call).equals([7, 3], why="the first two indices, in the order of the sampler")
    next(batches, None)
    why = "the first batch changed when the second was made: begin a new list for each, instead of emptying one list"
    expect(first, f"{call}, after the second was taken").equals([7, 3], why=why)


@exercise("BatchSampler.__iter__")
def test_batches_have_the_size(tt, expect):
    got = grouped(tt, [7, 3, 9, 1, 4], 2, False)
    why = "lists of two in the order of the sampler; the last holds the rest"
    expect(got, "list(BatchSampler([7, 3, 9, 1, 4], 2, False))").equals([[7, 3], [9, 1], [4]], why=why)
    got = grouped(tt, [7, 3, 9], 5, False)
    expect(got, "list(BatchSampler([7, 3, 9], 5, False))").equals([[7, 3, 9]], why="one batch, smaller than batch_size")


@exercise("BatchSampler.__iter__")
def test_batches_drop_the_last(tt, expect):
    got = grouped(tt, [7, 3, 9, 1, 4], 2, True)
    why = "with drop_last the incomplete batch [4] is left out"
    expect(got, "list(BatchSampler([7, 3, 9, 1, 4], 2, True))").equals([[7, 3], [9, 1]], why=why)
    got = grouped(tt, [7, 3, 9], 5, True)
    expect(got, "list(BatchSampler([7, 3, 9], 5, True))").equals([], why="no batch is complete")


@exercise("BatchSampler.__iter__")
def test_batches_that_come_out_even(tt, expect):
    for drop in (True, False):
        got = grouped(tt, [7, 3, 9, 1, 4, 8], 3, drop)
        why = "six indices are two full batches: nothing to drop, and no empty batch at the end"
        expect(got, f"list(BatchSampler([7, 3, 9, 1, 4, 8], 3, {drop}))").equals([[7, 3, 9], [1, 4, 8]], why=why)
        expect(grouped(tt, [], 3, drop), f"list(BatchSampler([], 3, {drop}))").equals([], why="no indices")


@exercise("BatchSampler.__iter__")
def test_batches_take_indices_as_they_are_asked(tt, expect):
    taken = []

    def indices():
        for i in range(50, 90):
            taken.append(i)
            yield i

    batches = iter(tt.utils.data.BatchSampler(indices(), 3, False))
    why = "the sampler may be endless: take batch_size indices for one batch, no more"
    expect(next(batches), "first batch of three").equals([50, 51, 52], why=why)
    expect(len(taken) <= 4, f"indices taken for the first batch of three: {len(taken)}; at most 4?").equals(
        True, why=why
    )
    sampler = tt.utils.data.BatchSampler(range(5), 2, False)
    why = "each pass starts the sampler anew"
    expect([list(sampler), list(sampler)], "two passes over BatchSampler(range(5), 2, False)").equals(
        [[[0, 1], [2, 3], [4]]] * 2, why=why
    )


# default_collate


def collate(tt, batch, call, why):
    """default_collate of samples that it must be able to join."""
    with allowed(call, why):
        return tt.utils.data.default_collate(batch)


@exercise(
    "default_collate",
    points=2,
    hints=(
        "Look at the first sample: what it is decides what happens to all. Which kinds are joined, which hold others?",
        "Leaves: tensors and arrays are stacked (`np.stack` of arrays), numbers become one tensor, strings stay. "
        "Containers: a dict or tuple of samples becomes a dict or list of batches, by calling default_collate again.",
        "`zip(*batch)` turns a list of (image, label) into all images and all labels. For dicts, take "
        "`[sample[key] for sample in batch]` for each key of the first sample.",
        "Order of the questions: Tensor or np.ndarray; float or np.generic (`np.array(batch)` has their dtype); int, "
        "where `Tensor(batch)` knows; str or bytes; Mapping; Sequence; and a TypeError for the rest. A namedtuple has "
        "`_fields` and is made by `type(first)(*joined)`.",
    ),
)
def test_collate_stacks_tensors(tt, expect):
    batch = [tt.tensor(X[i : i + 3]) for i in (2, 0, 4, 1, 3)]  # five of shape (3, 2)
    got = collate(tt, batch, "default_collate(5 tensors of shape (3, 2))", "tensors of one shape can be stacked")
    why = "a new dimension in front, one entry for each sample: (5, 3, 2); dtype as it was"
    expect(got, "default_collate(5 tensors of shape (3, 2))").equals(
        np.stack([X[i : i + 3] for i in (2, 0, 4, 1, 3)]), why
    )
    arrays = [np.array([3, 250], np.uint8), np.array([7, 1], np.uint8), np.array([9, 4], np.uint8)]
    got = collate(tt, arrays, "default_collate(3 arrays of uint8)", "arrays are stacked as tensors are")
    expect(got, "default_collate(3 arrays of uint8)").is_instance(tt.Tensor, why="a batch of arrays is a tensor")
    expect(got, "default_collate(3 arrays of uint8)").equals(np.stack(arrays), why="arrays keep their dtype")


@exercise("default_collate")
def test_collate_numbers(tt, expect):
    for batch, want in (
        ([3, 1, 2], np.array([3, 1, 2], np.int64)),
        ([3.5, 1.0, 2.25], np.array([3.5, 1.0, 2.25], np.float64)),
        ([True, False, True], np.array([True, False, True])),
        ([np.float32(1.5), np.float32(2.5)], np.array([1.5, 2.5], np.float32)),
        ([np.int16(7), np.int16(5)], np.array([7, 5], np.int16)),
        ([np.bool_(True), np.bool_(False)], np.array([True, False])),
    ):
        texts = [
            f"np.{x.dtype.name.replace('bool', 'bool_')}({x})" if isinstance(x, np.generic) else str(x) for x in batch
        ]
        call = f"default_collate([{', '.join(texts)}])"
        why = "numbers become a row: ints int64, floats float64 (no digit is lost on the way), NumPy's keep their dtype"
        if isinstance(batch[0], np.bool_):
            why = "NumPy's bools are no `np.number`; `np.generic` is the class of all its single values"
        got = collate(tt, batch, call, why)
        expect(got, call).is_instance(tt.Tensor, why="numbers are joined into a tensor").equals(want, why=why)


@exercise("default_collate", points=2)
def test_collate_tuples_entry_by_entry(tt, expect):
    batch = [(tt.tensor(X[i]), int(Y[i])) for i in (5, 2, 6)]
    call = "default_collate([(x5, 2), (x2, 6), (x6, 8)])"
    why = "samples that are tuples become a list with one batch for each entry: all the x, then all the y"
    got = collate(tt, batch, call, why)
    expect(got, call).is_instance(list, why=why)
    expect(len(got), f"len of {call}").equals(2, why=why)
    expect(got[0], f"{call}[0]").equals(X[[5, 2, 6]], why=why)
    expect(got[1], f"{call}[1]").equals(Y[[5, 2, 6]], why=why)
    nested = [(1, (2.0, [3, 4])), (5, (6.0, [7, 8]))]
    got = collate(
        tt, nested, f"default_collate({nested})", "entries may be tuples and lists again: the same rule inside"
    )
    expect(plain(got), f"default_collate({nested})").equals(
        [[1, 5], [[2.0, 6.0], [[3, 7], [4, 8]]]], why="entries may be tuples and lists again: the same rule inside"
    )


@exercise("default_collate")
def test_collate_dicts_key_by_key(tt, expect):
    batch = [{"x": tt.tensor(X[1]), "y": 3}, {"y": 5, "x": tt.tensor(X[4])}]
    call = "default_collate([{'x': x1, 'y': 3}, {'y': 5, 'x': x4}])"
    why = "a dict with the same keys, each with the batch of its values, whatever the order of the keys"
    got = collate(tt, batch, call, why)
    expect(got, call).is_instance(dict, why=why)
    expect(list(got), f"keys of {call}").equals(["x", "y"], why=why)
    expect(got["x"], f"{call}['x']").equals(X[[1, 4]], why=why)
    expect(got["y"], f"{call}['y']").equals(np.array([3, 5], np.int64), why=why)
    call = "default_collate([{'y': 3}, {'y': 5, 'x': 7}])"
    why = "the keys of the first sample decide, and what others have besides is left out; so does PyTorch"
    got = collate(tt, [{"y": 3}, {"y": 5, "x": 7}], call, why)
    expect(list(got), f"keys of {call}").equals(["y"], why=why)
    why = "the second sample lacks a key of the first: `sample[key]` raises the KeyError, which nobody should catch"
    with expect.raises(KeyError, call="default_collate([{'y': 3, 'x': 7}, {'y': 5}])", why=why):
        tt.utils.data.default_collate([{"y": 3, "x": 7}, {"y": 5}])


@exercise("default_collate")
def test_collate_strings_stay(tt, expect):
    batch = ["seven", "two", "nine"]
    why = "text has no dtype: strings stay a list, though Python can walk through a string as through a list"
    got = collate(tt, batch, f"default_collate({batch})", why)
    expect(got, f"default_collate({batch})").equals(batch, why=why)
    pairs = [("seven", 7), ("two", 2)]
    got = collate(tt, pairs, f"default_collate({pairs})", why)
    expect(list(got[0]), f"default_collate({pairs})[0]").equals(["seven", "two"], why=why)


@exercise("default_collate")
def test_collate_named_tuples(tt, expect):
    pair = namedtuple("pair", "image label")
    call = "default_collate([pair(1.5, 7), pair(2.5, 3)])"
    why = "a named tuple stays one, so that batch.label works: it has `_fields`"
    got = collate(tt, [pair(1.5, 7), pair(2.5, 3)], call, why)
    expect(hasattr(got, "_fields"), f"is {call} a named tuple?").equals(True, why=why)
    expect(plain(got.label), f"{call}.label").equals([7, 3], why=why)


@exercise("default_collate")
def test_collate_refuses_what_does_not_fit(tt, expect):
    why = "(2,) and (3,) cannot lie in one table; the message names both shapes"
    with expect.raises(RuntimeError, call="default_collate of shapes (2,), (2,), (3,)", mentions=("2", "3"), why=why):
        tt.utils.data.default_collate([tt.ones(2), tt.ones(2), tt.ones(3)])
    why = "(2, 3) and (3, 2) have as many numbers, but not the same shape"
    with expect.raises(RuntimeError, call="default_collate of shapes (2, 3), (3, 2)", why=why):
        tt.utils.data.default_collate([tt.ones(2, 3), tt.ones(3, 2)])
    for batch in ([(1, 2), (3, 4), (5,)], [(1,), (3, 4)]):
        why = "a sample with an entry missing must not shorten the batch in silence, as a plain `zip` would"
        with expect.raises(RuntimeError, call=f"default_collate({batch})", why=why):
            tt.utils.data.default_collate(batch)
    why = "what is neither number nor container cannot be joined; say so by its type"
    with expect.raises(TypeError, call="default_collate([None, None])", mentions=("NoneType",), why=why):
        tt.utils.data.default_collate([None, None])


@exercise("default_collate")
def test_collate_copies(tt, expect):
    x = tt.tensor(X)
    batch = [x[2], x[5]]
    got = collate(tt, batch, "default_collate([x[2], x[5]])", "two rows of one table")
    why = "a batch has memory of its own: changing it must not change the dataset"
    shares = np.shares_memory(np.asarray(got.numpy()), np.asarray(x.numpy()))
    expect(shares, "does the batch share memory with the dataset?").equals(False, why=why)
    with expect.unchanged(batch, "default_collate([x[2], x[5]])"):
        tt.utils.data.default_collate(batch)


# at_once


@exercise(
    "at_once",
    torch=False,
    hints=(
        "The samples of a TensorDataset lie side by side already. What does a list as an index do to an array?",
        "`tensor.array[indices]` is the whole batch of one tensor, in one step of NumPy; the batch is a list of those.",
        "While `type(dataset) is Subset`, replace indices by the subset's indices at those places, and dataset by "
        "the subset's dataset. For anything but a TensorDataset return None.",
    ),
)
def test_at_once_is_the_same_batch(tt, expect):
    why = "the list that default_collate makes of the samples 5, 0 and 3, in this order"
    with allowed("at_once(TensorDataset(x, y), [5, 0, 3])", why):
        got = own(tt).at_once(tensors(tt), [5, 0, 3])
    expect(got, "at_once(TensorDataset(x, y), [5, 0, 3])").is_instance(list, why=why)
    expect(len(got), "len(at_once(TensorDataset(x, y), [5, 0, 3]))").equals(2, why="one batch for each tensor")
    for part, array, name in zip(got, (X, Y), "xy", strict=True):
        call = f"the {name} of at_once(TensorDataset(x, y), [5, 0, 3])"
        expect(part, call).is_instance(tt.Tensor, why="a batch holds tensors").equals(array[[5, 0, 3]], why=why)


@exercise("at_once", torch=False)
def test_at_once_sees_through_subsets(tt, expect):
    subset = tt.utils.data.Subset(tensors(tt), [6, 4, 2, 0])
    why = "index k of a Subset is index indices[k] of its dataset"
    call = "the y of at_once(Subset(dataset, [6, 4, 2, 0]), [3, 1])"
    with allowed(call, why):
        got = own(tt).at_once(subset, [3, 1])
    expect(got[1], call).equals(Y[[0, 4]], why=why)
    inner = tt.utils.data.Subset(subset, [2, 0, 3])  # samples 2, 6, 0
    call = "the y of at_once(Subset(Subset(dataset, [6, 4, 2, 0]), [2, 0, 3]), [1, 2])"
    why = "a Subset of a Subset: translate the indices once for each"
    with allowed(call, why):
        got = own(tt).at_once(inner, [1, 2])
    expect(got is not None, "is at_once of a Subset of a Subset a batch, not None?").equals(True, why=why)
    expect(got[1], call).equals(Y[[6, 0]], why=why)


@exercise("at_once", torch=False)
def test_at_once_leaves_other_datasets_alone(tt, expect):
    class Doubled(tt.utils.data.TensorDataset):
        def __getitem__(self, index):
            return tuple(2 * entry for entry in super().__getitem__(index))

    why = "None says: load the samples one by one. Only a TensorDataset is known to be nothing but tensors"
    for dataset, name in ((noting(tt, 9), "Squares()"), ([4, 5, 6], "[4, 5, 6]")):
        with allowed(f"at_once({name}, [0, 2])", why, errors=(AttributeError, TypeError)):
            got = own(tt).at_once(dataset, [0, 2])
        expect(got, f"at_once({name}, [0, 2])").equals(None, why=why)
    why = "a subclass may have a `__getitem__` of its own, which must not be skipped: ask `type(dataset) is`"
    got = own(tt).at_once(Doubled(tt.tensor(X), tt.tensor(Y)), [1])
    expect(got, "at_once(Doubled(x, y), [1]), a subclass of TensorDataset").equals(None, why=why)


@exercise("at_once", torch=False)
def test_at_once_copies_and_is_fast(tt, expect):
    dataset = tensors(tt)
    got = own(tt).at_once(dataset, [1, 2, 3])
    why = "a batch has memory of its own: changing it must not change the dataset"
    shares = np.shares_memory(got[0].array, dataset.tensors[0].array)
    expect(shares, "does the batch share memory with the dataset?").equals(False, why=why)
    big = tt.utils.data.TensorDataset(tt.ones(500, 20), tt.arange(500))
    indices = list(range(499, 99, -1))
    expect.faster_than(
        lambda: own(tt).at_once(big, indices),
        lambda: tt.utils.data.default_collate([big[i] for i in indices]),
        "at_once of 400 samples; comparison: default_collate of the 400 samples",
        ratio=4,
        why="one step for the whole batch: index each tensor's array with the list, without a loop over samples",
    )


# ToTensor.__call__


@exercise(
    "ToTensor.__call__",
    torch=False,
    hints=(
        "Three questions: where do the channels go, what happens to a picture without any, and to which numbers?",
        "`array[None]` puts a dimension of size 1 in front; `array.transpose(2, 0, 1)` brings the last to the front.",
        "Only uint8 is scaled: `array.astype(np.float32) / np.float32(255)`. At the end `np.ascontiguousarray` lays "
        "the numbers in row-major order, and `Tensor` wraps them.",
    ),
)
def test_to_tensor_moves_the_channels_to_the_front(tt, expect):
    image = (np.arange(30, dtype=np.float32).reshape(2, 5, 3) * 7 % 31).astype(np.float32)
    why = "(height, width, channels) becomes (channels, height, width): reorder the dimensions, do not reshape"
    call = "ToTensor()(array of shape (2, 5, 3))"
    with allowed(call, why):
        got = tt.utils.data.transforms.ToTensor()(image)
    expect(got, call).is_instance(tt.Tensor).has_shape((3, 2, 5), why=why)
    expect(got, call).equals(np.stack([image[:, :, c] for c in range(3)]), why=why)


@exercise("ToTensor.__call__", torch=False)
def test_to_tensor_adds_a_channel(tt, expect):
    image = np.array([[1.5, 2.5, 0.5], [4.0, 3.0, 6.0]], np.float32)
    why = "a grey picture (height, width) has one channel: (1, height, width)"
    with allowed("ToTensor()(array of shape (2, 3))", why):
        got = tt.utils.data.transforms.ToTensor()(image)
    expect(got, "ToTensor()(array of shape (2, 3))").equals(image[None], why=why)


@exercise("ToTensor.__call__", torch=False)
def test_to_tensor_scales_bytes_only(tt, expect):
    image = np.array([[0, 51, 255], [102, 153, 3]], np.uint8)
    why = "bytes 0 to 255 become float32 from 0 to 1: divide by 255"
    want = (image[None] / 255).astype(np.float32)
    with expect.unchanged(image, "ToTensor()(array of uint8)"):
        got = tt.utils.data.transforms.ToTensor()(image)
    expect(got, "ToTensor()([[0, 51, 255], [102, 153, 3]]), uint8").equals(want, why=why)
    for dtype in (np.float64, np.int64, np.float16):
        image = np.array([[3, 200], [7, 1]], dtype)
        call = f"ToTensor()([[3, 200], [7, 1]]), {np.dtype(dtype).name}"
        why = "only uint8 is known to run from 0 to 255; other numbers stay as they are"
        expect(tt.utils.data.transforms.ToTensor()(image), call).equals(image[None], why=why)


@exercise("ToTensor.__call__", torch=False)
def test_to_tensor_is_contiguous(tt, expect):
    got = tt.utils.data.transforms.ToTensor()(np.ones((4, 5, 3), np.float32))
    why = "the rows of each channel lie side by side, so that what comes next reads memory in order"
    expect(got.is_contiguous(), "ToTensor()(array of shape (4, 5, 3)).is_contiguous()").equals(True, why=why)


# Normalize

SQUARE = (np.arange(36, dtype=np.float32).reshape(3, 4, 3) * 5 % 37).astype(np.float32)  # as wide as it has channels
MEANS, SPREADS = (10.0, 20.0, 5.0), (2.0, 4.0, 0.5)


@exercise(
    "Normalize",
    torch=False,
    hints=(
        "Three channels, three means. Which shape must the means have to stand beside (3, height, width)?",
        "(3, 1, 1) broadcasts against (3, height, width), and against a batch of those: `reshape(-1, 1, 1)`.",
        "In `__init__` make float32 arrays of that shape of mean and std, and raise ValueError if a std is 0. In "
        "`__call__` bring both to the image's dtype with `astype`, so that float16 stays float16.",
    ),
)
def test_normalize_channel_by_channel(tt, expect):
    call = f"Normalize({MEANS}, {SPREADS})(image), image of shape (3, 4, 3)"
    with allowed(call, "three means and three stds, for an image of three channels"):
        got = tt.utils.data.transforms.Normalize(MEANS, SPREADS)(tt.tensor(SQUARE))
    want = np.stack([(SQUARE[c] - MEANS[c]) / SPREADS[c] for c in range(3)])
    why = "a float32 image stays float32: means and stds in float64 make the result float64, so bring them to its dtype"
    expect(got, call).is_instance(tt.Tensor).has_shape((3, 4, 3)).has_dtype(np.dtype(np.float32), why=why)
    why = "each channel minus its own mean, divided by its own std; a bare row of three would run along the width"
    expect(got, call).equals(want.astype(np.float32), why=why)


@exercise("Normalize", torch=False)
def test_normalize_numbers_and_batches(tt, expect):
    why = "one number serves all channels"
    call = "Normalize(3.0, 4.0)(image), image of shape (2, 4, 3)"
    with allowed(call, why):
        got = tt.utils.data.transforms.Normalize(3.0, 4.0)(tt.tensor(SQUARE[:2]))
    expect(got, call).equals((SQUARE[:2] - 3) / 4, why=why)
    batch = np.stack([SQUARE, 2 * SQUARE])
    want = (batch - np.array(MEANS).reshape(3, 1, 1)) / np.array(SPREADS).reshape(3, 1, 1)
    why = "a batch (2, 3, 4, 3) works too: the channels are the third dimension from the end"
    with allowed(f"Normalize({MEANS}, {SPREADS})(batch)", why):
        got = tt.utils.data.transforms.Normalize(MEANS, SPREADS)(tt.tensor(batch))
    expect(got, f"Normalize({MEANS}, {SPREADS})(batch)").equals(want.astype(np.float32), why=why)


@exercise("Normalize", torch=False)
def test_normalize_keeps_the_dtype(tt, expect):
    for dtype in (np.float64, np.float16, np.float32):
        image = SQUARE.astype(dtype)
        got = tt.utils.data.transforms.Normalize((10.0, 20.0, 5.0), (2.0, 4.0, 0.5))(tt.tensor(image))
        name = np.dtype(dtype).name
        why = f"an image of {name} stays {name}, else the whole model works in another dtype"
        expect(got, f"Normalize(...)(image of {name})").has_dtype(np.dtype(dtype), why=why)


@exercise("Normalize", torch=False)
def test_normalize_leaves_the_image_alone(tt, expect):
    x = tt.tensor(SQUARE)
    normalize = tt.utils.data.transforms.Normalize(MEANS, SPREADS)
    why = "the image may be a view into the dataset: make a new one, else the next epoch normalizes it again"
    with expect.unchanged(x, "Normalize(...)(image)", why=why):
        first = normalize(x)
    expect(normalize(x), "the same image a second time").equals(
        first.array, why="a transform keeps no memory of images"
    )


@exercise("Normalize", torch=False)
def test_normalize_refuses_a_std_of_zero(tt, expect):
    why = "a division by 0 would fill the image with inf; say so when the transform is made"
    for std in (0, (1.0, 0.0, 2.0)):
        with expect.raises(ValueError, call=f"Normalize(0.5, {std})", why=why):
            tt.utils.data.transforms.Normalize(0.5, std)


# RandomCrop.__call__

PICTURE = (np.arange(1, 21, dtype=np.float32).reshape(1, 4, 5) * 3).astype(np.float32)


def windows(array, height, width):
    """All parts of this size, by their place (top, left)."""
    rows, columns = array.shape[-2] - height + 1, array.shape[-1] - width + 1
    return {(i, j): array[..., i : i + height, j : j + width] for i in range(rows) for j in range(columns)}


def place(parts, crop):
    """Where a crop was taken, or None if it is no part of the image."""
    return next((at for at, part in parts.items() if np.array_equal(part, crop)), None)


@exercise(
    "RandomCrop.__call__",
    torch=False,
    points=2,
    hints=(
        "Padding first, if any; then choose a corner. How many places are there for a window of 3 in a row of 5?",
        "Room is what the image has minus what is wanted, in each direction; a corner may lie at 0 up to and "
        "including room. `_rng(self.generator).integers(n)` draws below n.",
        "`np.pad(array, [(0, 0)] * (array.ndim - 2) + [pad, pad])` with `pad = (self.padding, self.padding)` pads the "
        "last two dimensions only. Cut with `array[..., top : top + height, left : left + width]`, and copy.",
    ),
)
def test_crop_reaches_every_place(tt, expect):
    crop = tt.utils.data.transforms.RandomCrop((2, 4), generator=seeded(tt, 3))
    parts = windows(PICTURE, 2, 4)
    counts = Counter()
    call = "RandomCrop((2, 4))(image of shape (1, 4, 5))"
    for _ in range(600):
        with allowed(call, "a window of 2 rows and 4 columns fits into 4 rows and 5 columns"):
            got = crop(tt.tensor(PICTURE))
        expect(got, call).is_instance(tt.Tensor).has_shape((1, 2, 4), why="size is (height, width)")
        where = place(parts, got.array)
        expect(where is not None, "is the crop a part of the image?").equals(
            True, why="a window cut out, rows and columns whole"
        )
        counts[where] += 1
    why = "room for 3 places down and 2 across, the last ones included: each about 100 times in 600"
    expect(sorted(counts), "places (top, left) of 600 crops").equals(sorted(parts), why=why)
    expect(all(55 < n < 145 for n in counts.values()), f"are all places equally likely? {dict(counts)}").equals(
        True, why=why
    )


@exercise("RandomCrop.__call__", torch=False)
def test_crop_pads_with_zeros(tt, expect):
    crop = tt.utils.data.transforms.RandomCrop((4, 5), padding=2, generator=seeded(tt, 1))
    padded = np.pad(PICTURE, [(0, 0), (2, 2), (2, 2)])
    parts = windows(padded, 4, 5)
    places = set()
    why = "padding=2 puts two zeros around rows and columns, not around channels, before the crop"
    call = "RandomCrop((4, 5), padding=2)(image of shape (1, 4, 5))"
    for _ in range(200):
        with allowed(call, why):
            got = crop(tt.tensor(PICTURE))
        expect(got, call).has_shape((1, 4, 5), why=why)
        places.add(place(parts, got.array))
    expect(None in places, "was some crop no part of the padded image?").equals(False, why=why)
    expect(len(places) > 15, f"different places of 200 crops among 25: {len(places)}; more than 15?").equals(
        True, why=why
    )


@exercise("RandomCrop.__call__", torch=False)
def test_crop_of_a_batch(tt, expect):
    batch = np.stack(
        [np.concatenate([PICTURE, -PICTURE]), np.concatenate([2 * PICTURE, PICTURE + 0.5])]
    )  # (2, 2, 4, 5)
    crop = tt.utils.data.transforms.RandomCrop(3, padding=1, generator=seeded(tt, 2))
    parts = windows(np.pad(batch, [(0, 0), (0, 0), (1, 1), (1, 1)]), 3, 3)
    why = "only the last two dimensions are padded and cut, at one place for all: channels must stay aligned"
    call = "RandomCrop(3, padding=1)(images of shape (2, 2, 4, 5))"
    for _ in range(20):
        with allowed(call, why):
            got = crop(tt.tensor(batch))
        expect(got, call).has_shape((2, 2, 3, 3), why=why)
        expect(place(parts, got.array) is not None, "is the crop the same part of every image?").equals(True, why=why)


@exercise("RandomCrop.__call__", torch=False)
def test_crop_repeats_for_a_seed(tt, expect):
    image = tt.arange(900.0).reshape(1, 30, 30)

    def crops():
        crop = tt.utils.data.transforms.RandomCrop(2, generator=seeded(tt, 9))
        return np.stack([crop(image).array for _ in range(3)])

    tt.manual_seed(1)
    first = crops()
    tt.manual_seed(2)
    why = "draw from `_rng(self.generator)`, nothing else: the same seed cuts the same places"
    expect(crops(), "three crops with a generator of the same seed").equals(first, why=why)
    expect(np.array_equal(first[0], first[1]), "are two crops in a row the same?").equals(
        False, why="each call draws anew"
    )


@exercise("RandomCrop.__call__", torch=False)
def test_crop_copies_and_refuses(tt, expect):
    x = tt.tensor(PICTURE)
    got = tt.utils.data.transforms.RandomCrop((4, 3), generator=seeded(tt))(x)
    shares = np.shares_memory(got.array, x.array)
    why = "a crop has memory of its own: as a view it would keep the whole image alive, and change with it"
    expect(shares, "does the crop share memory with the image?").equals(False, why=why)
    for size, padding in (((5, 3), 0), ((3, 6), 0), ((4, 9), 1)):
        why = "the window is larger than the image with its padding; ValueError, naming both sizes"
        call = f"RandomCrop({size}, padding={padding})(image of shape (1, 4, 5))"
        with expect.raises(ValueError, call=call, mentions=(str(size[0]), str(size[1])), why=why):
            tt.utils.data.transforms.RandomCrop(size, padding)(x)
    call, why = "RandomCrop((4, 5))(image of shape (1, 4, 5))", "a window of the same size just fits"
    with allowed(call, why):
        whole = tt.utils.data.transforms.RandomCrop((4, 5))(x)
    expect(whole, call).equals(PICTURE, why=why)


# RandomHorizontalFlip.__call__


@exercise(
    "RandomHorizontalFlip.__call__",
    torch=False,
    hints=(
        "One throw of a coin decides for the whole image. Which dimension is reversed?",
        "`_rng(self.generator).random()` is a number from 0 up to 1; it is below p with probability p.",
        "`image.array[..., ::-1]` reverses the last dimension, as a view with a negative stride: copy it.",
    ),
)
def test_flip_mirrors_left_and_right(tt, expect):
    image = np.array([[[1.0, 2.0, 3.0], [4.0, 6.0, 5.0]]], np.float32)  # (1, 2, 3)
    call = "RandomHorizontalFlip(1.0)(image of shape (1, 2, 3))"
    why = "steps of -1 are for arrays, `image.array[..., ::-1]`; a Tensor takes no negative ones"
    with allowed(call, why, errors=(ValueError,)):
        got = tt.utils.data.transforms.RandomHorizontalFlip(1.0)(tt.tensor(image))
    why = "left becomes right: each row is reversed, the rows stay where they are"
    expect(got, call).is_instance(tt.Tensor).equals(image[:, :, ::-1].copy(), why=why)
    got = tt.utils.data.transforms.RandomHorizontalFlip(0.0)(tt.tensor(image))
    expect(got, "RandomHorizontalFlip(0.0)(image)").equals(image, why="with probability 0 the image stays as it is")


@exercise("RandomHorizontalFlip.__call__", torch=False)
def test_flip_leaves_the_image_alone(tt, expect):
    x = tt.tensor(PICTURE)
    why = "the image may be a view into the dataset: in place, every other epoch would see it mirrored"
    with expect.unchanged(x, "RandomHorizontalFlip(1.0)(image)", why=why):
        got = tt.utils.data.transforms.RandomHorizontalFlip(1.0)(x)
    why = "a negative stride is slow to read and not contiguous: copy the mirrored image"
    expect(got.is_contiguous(), "RandomHorizontalFlip(1.0)(image).is_contiguous()").equals(True, why=why)


@exercise("RandomHorizontalFlip.__call__", torch=False)
def test_flip_happens_with_probability_p(tt, expect):
    flip = tt.utils.data.transforms.RandomHorizontalFlip(0.3, generator=seeded(tt, 4))
    image = tt.tensor(PICTURE)
    counts = Counter()
    for _ in range(1000):
        got = flip(image)
        expect(got, "RandomHorizontalFlip(0.3)(image)").is_instance(tt.Tensor)
        whole = np.array_equal(got.array, PICTURE) or np.array_equal(got.array, PICTURE[..., ::-1])
        why = "one decision for the whole image: all rows are reversed, or none"
        expect(whole, "is the image either as it was or mirrored?").equals(True, why=why)
        counts[np.array_equal(got.array, PICTURE)] += 1
    why = "p=0.3 mirrors about 300 of 1,000 images"
    expect(225 < counts[False] < 375, f"mirrored: {counts[False]} of 1,000; about 300?").equals(True, why=why)


@exercise("RandomHorizontalFlip.__call__", torch=False)
def test_flip_of_a_batch(tt, expect):
    batch = np.stack([np.concatenate([PICTURE, -PICTURE]), np.concatenate([2 * PICTURE, PICTURE + 0.5])])
    got = tt.utils.data.transforms.RandomHorizontalFlip(1.0)(tt.tensor(batch))
    why = "the width is the last dimension, whatever stands in front"
    expect(got, "RandomHorizontalFlip(1.0)(images of shape (2, 2, 4, 5))").equals(batch[..., ::-1].copy(), why=why)


@exercise("RandomHorizontalFlip.__call__", torch=False)
def test_flip_repeats_for_a_seed(tt, expect):
    def flips():
        flip = tt.utils.data.transforms.RandomHorizontalFlip(0.5, generator=seeded(tt, 12))
        return [np.array_equal(flip(tt.tensor(PICTURE)).array, PICTURE) for _ in range(30)]

    tt.manual_seed(1)
    first = flips()
    tt.manual_seed(2)
    why = "draw from `_rng(self.generator)`: the same seed mirrors the same images"
    expect(flips(), "30 decisions with a generator of the same seed").equals(first, why=why)


# Compose.__call__


def added(amount):
    """A transform that adds."""
    return lambda image: image + amount


def doubled(image):
    """A transform that doubles."""
    return image * 2


@exercise(
    "Compose.__call__",
    torch=False,
    hints=(
        "What comes out of one transform is what goes into the next.",
        "A loop over `self.transforms` that replaces `image` each time; return it after the loop.",
    ),
)
def test_compose_runs_in_order(tt, expect):
    chain = tt.utils.data.transforms.Compose([added(3), doubled, added(10)])
    why = "from left to right, each on what the one before returned: (5 + 3) * 2 + 10"
    with allowed("Compose([add 3, double, add 10])(5)", why):
        got = chain(5)
    expect(got, "Compose([add 3, double, add 10])(5)").equals(26, why=why)


@exercise("Compose.__call__", torch=False)
def test_compose_of_none_and_of_one(tt, expect):
    expect(tt.utils.data.transforms.Compose([])(7), "Compose([])(7)").equals(
        7, why="no transforms leave the image as it is"
    )
    expect(tt.utils.data.transforms.Compose([doubled])(7), "Compose([double])(7)").equals(
        14, why="one transform, applied once"
    )


@exercise("Compose.__call__", torch=False)
def test_compose_inside_compose(tt, expect):
    chain = tt.utils.data.transforms.Compose([tt.utils.data.transforms.Compose([added(1), doubled]), doubled])
    why = "a Compose is a transform itself: ((4 + 1) * 2) * 2"
    expect(chain(4), "Compose([Compose([add 1, double]), double])(4)").equals(20, why=why)


@exercise("Compose.__call__", torch=False)
def test_compose_may_be_called_again(tt, expect):
    chain = tt.utils.data.transforms.Compose([added(3), doubled])
    why = "every image goes through all transforms, the second image too"
    expect([chain(1), chain(10)], "Compose([add 3, double])(1), then (10)").equals([8, 26], why=why)


# ShuffleBuffer.__iter__


def buffered(tt, samples, size, seed=0):
    """One pass through a shuffle buffer."""
    why = "every sample comes out, also when the stream is shorter than the buffer, or empty"
    with allowed(f"list(ShuffleBuffer({samples}, {size}))", why):
        return list(tt.utils.data.ShuffleBuffer(samples, size, generator=seeded(tt, seed)))


@exercise(
    "ShuffleBuffer.__iter__",
    torch=False,
    points=2,
    hints=(
        "Fill the buffer without giving anything out. From then on each sample that comes drives one out.",
        "When the buffer is full, draw a place `_rng(self.generator).integers(self.buffer_size)`; the new sample "
        "takes it, and the one that lay there is given out with `yield`.",
        "After the loop the buffer is still full of samples. Give them all out in the order of a "
        "`permutation(len(buffer))`; a stream shorter than the buffer ends up here entirely.",
    ),
)
def test_buffer_gives_every_sample_once(tt, expect):
    for count, size in ((20, 6), (5, 8), (6, 6), (0, 3)):
        why = "every sample is given out exactly once, those left in the buffer at the end included"
        got = sorted(buffered(tt, range(count), size))
        expect(got, f"sorted(ShuffleBuffer(range({count}), {size}))").equals(list(range(count)), why=why)


@exercise("ShuffleBuffer.__iter__", torch=False)
def test_buffer_shuffles(tt, expect):
    firsts = Counter(buffered(tt, range(40), 4, seed)[0] for seed in range(400))
    why = "with a buffer of four the first sample out is one of the first four, each about 100 times in 400"
    expect(sorted(firsts), "first samples of 400 passes through ShuffleBuffer(range(40), 4)").equals(
        [0, 1, 2, 3], why=why
    )
    expect(all(55 < n < 145 for n in firsts.values()), f"about 100 each? {dict(firsts)}").equals(True, why=why)
    firsts = Counter(tuple(buffered(tt, range(3), 9, seed)) for seed in range(600))
    why = "a stream that fits into the buffer comes out fully shuffled: six orders, about 100 times each in 600"
    expect(len(firsts), "different orders of ShuffleBuffer(range(3), 9)").equals(6, why=why)
    expect(all(55 < n < 145 for n in firsts.values()), f"about 100 each? {dict(firsts)}").equals(True, why=why)


@exercise("ShuffleBuffer.__iter__", torch=False)
def test_buffer_lets_a_sample_wait(tt, expect):
    late = max(at - sample for seed in range(20) for at, sample in enumerate(buffered(tt, range(60), 5, seed)))
    why = "no block is shuffled by itself: a sample may be left in the buffer for a long time while others pass"
    expect(late > 10, f"the longest wait in 20 passes through ShuffleBuffer(range(60), 5): {late}; above 10?").equals(
        True, why=why
    )


@exercise("ShuffleBuffer.__iter__", torch=False)
def test_buffer_holds_few(tt, expect):
    taken = []

    def samples():
        for i in range(500):
            taken.append(i)
            yield i

    most = 0
    for given, _ in enumerate(tt.utils.data.ShuffleBuffer(samples(), 7, generator=seeded(tt)), 1):
        most = max(most, len(taken) - given)
    why = "at most buffer_size samples are in memory; the stream may be larger than that, or endless"
    expect(most, "most samples held by ShuffleBuffer(500 samples, 7)").equals(7, why=why)
    got = buffered(tt, range(8), 1)
    expect(got, "list(ShuffleBuffer(range(8), 1))").equals(
        list(range(8)), why="with room for one, nothing can change places"
    )


@exercise("ShuffleBuffer.__iter__", torch=False)
def test_buffer_repeats_for_a_seed(tt, expect):
    tt.manual_seed(1)
    first = buffered(tt, range(12), 4, seed=6)
    tt.manual_seed(2)
    why = "draw from `_rng(self.generator)` alone: the same seed gives the same order"
    expect(buffered(tt, range(12), 4, seed=6), "a pass with a generator of the same seed").equals(first, why=why)
    buffer = tt.utils.data.ShuffleBuffer(range(12), 4, generator=seeded(tt, 6))
    passes = [list(buffer), list(buffer)]
    expect(passes[0], "the first of two passes").equals(first, why=why)
    expect(passes[0] != passes[1], "do two passes differ?").equals(
        True, why="each pass continues the generator's draws"
    )


# DataLoader.__init__


@exercise(
    "DataLoader.__init__",
    points=2,
    hints=(
        "Three decisions, one after the other: an order of indices, how they are grouped, how a group becomes a batch.",
        "First refuse what contradicts itself (the list in the text). Then the sampler, unless given: RandomSampler "
        "with the generator if shuffle, else SequentialSampler.",
        "Then the batch sampler, unless given: `BatchSampler(sampler, batch_size, drop_last)`, or None when "
        "batch_size is None. Then collate_fn, unless given: default_collate, or default_convert without batches.",
        "Keep as attributes of these names: dataset, num_workers, generator, drop_last, sampler, batch_sampler, "
        "batch_size (None if there is no batch sampler, else its own, or None if it has none), pin_memory, collate_fn.",
    ),
)
def test_loader_makes_samplers(tt, expect):
    why = "nothing contradicts itself here: `sampler` and `batch_sampler` are made, and kept under these names"
    with allowed("DataLoader(range(5), batch_size=2)", why, errors=(AttributeError, TypeError, ValueError)):
        made = tt.utils.data.DataLoader(range(5), batch_size=2)
        kept = made.sampler, made.batch_sampler
    expect(kept[0], "DataLoader(range(5), batch_size=2).sampler").is_instance(
        tt.utils.data.SequentialSampler, why="without shuffle the samples come in order"
    )
    expect(made.batch_sampler, "DataLoader(range(5), batch_size=2).batch_sampler").is_instance(
        tt.utils.data.BatchSampler
    )
    why = "the batch sampler groups what the sampler gives: batch_size at a time, with a rest unless drop_last"
    expect(list(made.batch_sampler), "list(DataLoader(range(5), batch_size=2).batch_sampler)").equals(
        [[0, 1], [2, 3], [4]], why=why
    )
    got = list(tt.utils.data.DataLoader(range(5), batch_size=2, drop_last=True).batch_sampler)
    expect(got, "list(DataLoader(range(5), batch_size=2, drop_last=True).batch_sampler)").equals(
        [[0, 1], [2, 3]], why=why
    )
    got = list(tt.utils.data.DataLoader(range(3)).batch_sampler)
    expect(got, "list(DataLoader(range(3)).batch_sampler)").equals([[0], [1], [2]], why="batch_size is 1 unless given")


@exercise("DataLoader.__init__", points=2)
def test_loader_shuffles_with_its_generator(tt, expect):
    def orders():
        made = tt.utils.data.DataLoader(range(11), 4, shuffle=True, generator=seeded(tt, 3))
        return [list(itertools.chain(*made.batch_sampler)) for _ in range(2)]

    made = tt.utils.data.DataLoader(range(11), 4, shuffle=True)
    expect(made.sampler, "DataLoader(range(11), 4, shuffle=True).sampler").is_instance(
        tt.utils.data.RandomSampler, why="shuffle=True asks for a random order"
    )
    tt.manual_seed(1)
    first = orders()
    tt.manual_seed(2)
    why = "the generator given to the loader goes on to its RandomSampler, and decides alone"
    expect(orders(), "two passes of a loader with a generator of the same seed").equals(first, why=why)
    expect(first[0] != first[1], "do two passes differ?").equals(True, why="a new order for each pass")
    expect(sorted(first[0]), "all indices of a pass, sorted").equals(list(range(11)), why="every sample once")


@exercise("DataLoader.__init__")
def test_loader_takes_given_samplers(tt, expect):
    order = [7, 3, 5, 1, 8]
    made = tt.utils.data.DataLoader(range(10), 2, sampler=order)
    why = "a given sampler replaces the order; batches are still made of it"
    expect(made.sampler is order, "is DataLoader(range(10), 2, sampler=order).sampler the given one?").equals(
        True, why=why
    )
    expect(list(made.batch_sampler), "its batches of indices").equals([[7, 3], [5, 1], [8]], why=why)
    batches = [[7, 3], [5]]
    made = tt.utils.data.DataLoader(range(10), batch_sampler=batches)
    why = "a given batch sampler is used as it is"
    expect(
        made.batch_sampler is batches, "is DataLoader(range(10), batch_sampler=b).batch_sampler the given one?"
    ).equals(True, why=why)


@exercise("DataLoader.__init__")
def test_loader_chooses_how_to_collate(tt, expect):
    why = "with batches, default_collate joins the samples"
    got = tt.utils.data.DataLoader(range(5), 2).collate_fn
    expect(got is tt.utils.data.default_collate, "is DataLoader(range(5), 2).collate_fn default_collate?").equals(
        True, why=why
    )
    made = tt.utils.data.DataLoader(range(5), batch_size=None)
    expect(made.batch_sampler, "DataLoader(range(5), batch_size=None).batch_sampler").equals(None, why="no batches")
    expect(made.batch_size, "DataLoader(range(5), batch_size=None).batch_size").equals(None, why="no batches")
    convert = sys.modules[made.collate_fn.__module__].default_convert
    why = "without batches there is nothing to join: default_convert makes tensors of a single sample's arrays"
    expect(made.collate_fn is convert, "is its collate_fn default_convert?").equals(True, why=why)
    for size in (2, None):
        made = tt.utils.data.DataLoader(range(5), size, collate_fn=plain)
        expect(made.collate_fn is plain, f"is DataLoader(range(5), {size}, collate_fn=f).collate_fn f?").equals(
            True, why="a given collate_fn is used, with batches and without"
        )


@exercise("DataLoader.__init__")
def test_loader_refuses_contradictions(tt, expect):
    for options, why in (
        ({"sampler": [1], "shuffle": True}, "both say in which order: which one should win?"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "a batch sampler already says how large the batches are"),
        ({"batch_sampler": [[1]], "shuffle": True}, "a batch sampler already says in which order"),
        ({"batch_sampler": [[1]], "sampler": [1]}, "a batch sampler already says in which order"),
        ({"batch_sampler": [[1]], "drop_last": True}, "a batch sampler already says which batches there are"),
        ({"batch_size": None, "drop_last": True}, "without batches there is no last one to drop"),
        ({"batch_size": 0}, "a batch of no samples; BatchSampler refuses it"),
        ({"num_workers": -1}, "a number of workers is not negative"),
    ):
        text = ", ".join(f"{name}={value}" for name, value in options.items())
        with expect.raises(ValueError, call=f"DataLoader(range(3), {text})", why=why):
            tt.utils.data.DataLoader(range(3), **options)
    for options in ({"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}):
        call = f"DataLoader(stream, {', '.join(options)}=...)"
        with expect.raises(ValueError, call=call, why="a stream has no indices, so no order can be asked of it"):
            tt.utils.data.DataLoader(stream(tt, 3), **options)
    why = "these go together"
    for options in ({"sampler": [1], "shuffle": False}, {"batch_size": None, "shuffle": True}, {"num_workers": 2}):
        text = ", ".join(f"{name}={value}" for name, value in options.items())
        with allowed(f"DataLoader(range(3), {text})", why):
            tt.utils.data.DataLoader(range(3), **options)
    with allowed("DataLoader(stream, shuffle=False)", why):
        tt.utils.data.DataLoader(stream(tt, 3), shuffle=False)


@exercise("DataLoader.__init__")
def test_loader_keeps_what_it_was_given(tt, expect):
    dataset, generator = noting(tt, 7), seeded(tt)
    made = tt.utils.data.DataLoader(dataset, 3, drop_last=True, generator=generator, pin_memory=False)
    got = [made.dataset is dataset, made.generator is generator, made.batch_size, made.drop_last, made.num_workers]
    call = "dataset, generator as given?, batch_size, drop_last, num_workers of DataLoader(dataset, 3, drop_last=True)"
    expect(got, call).equals([True, True, 3, True, 0], why="programs read these attributes")
    expect(made.pin_memory, "DataLoader(dataset).pin_memory").equals(False, why="programs read these attributes")
    expect(dataset.asked, "samples loaded by making a DataLoader").equals([], why="samples are loaded when asked for")


# DataLoader.__len__


@exercise(
    "DataLoader.__len__",
    hints=(
        "How many times will `for batch in loader` run? Something that you have written knows how to count batches.",
        "With indices: the length of the batch sampler, or of the sampler when there are no batches.",
        "A stream has no sampler that counts. If it has a length n itself, the batches are those of "
        "`BatchSampler(range(n), ...)`; if not, `len(self.dataset)` raises TypeError, as it should.",
    ),
)
def test_loader_length_counts_batches(tt, expect):
    for n, size, drop, want in ((7, 2, False, 4), (7, 2, True, 3), (6, 3, False, 2), (6, 3, True, 2), (2, 5, True, 0)):
        call = f"len(DataLoader(range({n}), {size}, drop_last={drop}))"
        with allowed(call, "this loader has a batch sampler, which knows how many lists it gives"):
            got = len(tt.utils.data.DataLoader(range(n), size, drop_last=drop))
        why = f"{n} = {n // size} * {size} + {n % size}: the rest of {n % size} counts as a batch too: {want}"
        if drop:
            why = f"with drop_last only full batches count: {want}"
        if n % size == 0:
            why = "nothing is left over, so drop_last makes no difference and there is no batch more"
        if got == n:
            why = "the number of batches in one pass, not of samples"
        expect(got, call).equals(want, why=why)


@exercise("DataLoader.__len__")
def test_loader_length_follows_the_samplers(tt, expect):
    got = len(tt.utils.data.DataLoader(range(10), 2, sampler=[7, 3, 1]))
    why = "the sampler gives three indices, so there are two batches, however large the dataset is"
    expect(got, "len(DataLoader(range(10), 2, sampler=[7, 3, 1]))").equals(2, why=why)
    got = len(tt.utils.data.DataLoader(range(10), batch_sampler=[[7], [3, 1], [2], [0, 4]]))
    expect(got, "len(DataLoader(range(10), batch_sampler=4 lists))").equals(4, why="one batch for each list of indices")
    call, why = "len(DataLoader(range(10), batch_size=None))", "without batches every sample counts: ask the sampler"
    with allowed(call, why):
        got = len(tt.utils.data.DataLoader(range(10), batch_size=None))
    expect(got, call).equals(10, why=why)
    call, why = "len(DataLoader(range(10), batch_size=None, sampler=[1, 2, 3]))", "as many as the sampler gives"
    with allowed(call, why):
        got = len(tt.utils.data.DataLoader(range(10), batch_size=None, sampler=[1, 2, 3]))
    expect(got, call).equals(3, why=why)


@exercise("DataLoader.__len__")
def test_loader_length_of_a_stream(tt, expect):
    class Known(tt.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(7))

        def __len__(self):
            return 7

    for size, drop, want in ((3, False, 3), (3, True, 2), (None, False, 7), (7, True, 1)):
        call = f"len(DataLoader(stream that knows its length 7, {size}, drop_last={drop}))"
        why = "a stream that knows its length has as many batches as a dataset of that length"
        with allowed(call, why, errors=(TypeError, AttributeError)):
            got = len(tt.utils.data.DataLoader(Known(), size, drop_last=drop))
        expect(got, call).equals(want, why=why)
    why = "a stream without a length has no number of batches: the TypeError of `len` is the answer"
    with expect.raises(TypeError, call="len(DataLoader(stream of unknown length, 3))", why=why):
        len(tt.utils.data.DataLoader(stream(tt, 7), 3))


@exercise("DataLoader.__len__")
def test_loader_length_loads_nothing(tt, expect):
    dataset = noting(tt, 9)
    expect(len(tt.utils.data.DataLoader(dataset, 2)), "len(DataLoader(dataset of 9, 2))").equals(5)
    expect(dataset.asked, "samples loaded to find the length").equals(
        [], why="lengths are known without loading samples"
    )


# DataLoader.__iter__


@exercise(
    "DataLoader.__iter__",
    points=2,
    hints=(
        "Three cases: a stream, single samples, batches of indices. Each ends in `yield`, so that a batch is made "
        "when it is asked for.",
        "Batches: for each list of indices from `self.batch_sampler`, load these samples into a list and yield "
        "`self.collate_fn(samples)`. Single samples: for each index from `self.sampler`, the same without the list.",
        "A stream has no indices, so group its samples themselves: BatchSampler groups anything. "
        "`BatchSampler(iter(self.dataset), self.batch_size, self.drop_last)` gives lists of samples.",
        "When `self.collate_fn is default_collate`, ask `at_once(self.dataset, indices)` first, and load the samples "
        "one by one only if it returns nothing.",
    ),
)
def test_loader_gives_batches(tt, expect):
    for size, batches in ((2, [[0, 1], [2, 3], [4, 5], [6]]), (3, [[0, 1, 2], [3, 4, 5], [6]]), (9, [list(range(7))])):
        call = f"list(DataLoader(TensorDataset(x, y), batch_size={size}))"
        why = "the samples in order, batch_size at a time, each batch a list of tensors; the last one may be smaller"
        with allowed(call, why):
            got = list(tt.utils.data.DataLoader(tensors(tt), batch_size=size))
        expect(len(got), f"len({call})").equals(len(batches), why=why)
        for k, (batch, indices) in enumerate(zip(got, batches, strict=True)):
            expect(batch, f"{call}[{k}]").is_instance(list, why="the samples are tuples, so the batch is a list")
            expect(batch[0], f"{call}[{k}][0]").equals(X[indices], why=why)
            expect(batch[1], f"{call}[{k}][1]").equals(Y[indices], why=why)


@exercise("DataLoader.__iter__")
def test_loader_reads_any_dataset(tt, expect):
    dataset = noting(tt, 5)
    why = "a dataset is anything with `__getitem__` and `__len__`: load each sample by its index, then collate"
    with allowed("list(DataLoader(squares of 0 to 4, batch_size=2))", why):
        got = list(tt.utils.data.DataLoader(dataset, batch_size=2))
    expect(plain(got), "DataLoader(squares of 0 to 4, batch_size=2)").equals([[0, 1], [4, 9], [16]], why=why)
    expect(got[0], "its first batch").is_instance(tt.Tensor, why="default_collate makes a tensor of ints")
    expect(dataset.asked, "samples loaded, in order").equals([0, 1, 2, 3, 4], why="each sample is loaded once")
    subset = tt.utils.data.Subset(tensors(tt), [5, 2, 6])
    got = [plain(labels) for _, labels in tt.utils.data.DataLoader(subset, batch_size=2)]
    expect(got, "labels of DataLoader(Subset(dataset, [5, 2, 6]), 2)").equals([[2, 6], [8]], why=why)


@exercise("DataLoader.__iter__")
def test_loader_is_lazy(tt, expect):
    dataset = noting(tt, 11)
    batches = iter(tt.utils.data.DataLoader(dataset, batch_size=4))
    expect(dataset.asked, "samples loaded by iter(loader)").equals([], why="nothing is loaded before it is asked for")
    next(batches)
    why = "one batch of four needs four samples; a dataset may be larger than memory"
    expect(dataset.asked, "samples loaded by the first batch of four").equals([0, 1, 2, 3], why=why)


@exercise("DataLoader.__iter__")
def test_loader_passes_are_independent(tt, expect):
    made = tt.utils.data.DataLoader(range(5), batch_size=2)
    why = "`for batch in loader` starts from the first sample every time"
    expect([plain(list(made)) for _ in range(2)], "two passes over DataLoader(range(5), 2)").equals(
        [[[0, 1], [2, 3], [4]]] * 2, why=why
    )
    one, two = iter(made), iter(made)
    got = [plain(next(batches, None)) for batches in (one, one, two, one)]
    why = "two passes at once do not disturb each other: the place is kept by the pass, not by the loader"
    call = "two batches of one pass over DataLoader(range(5), 2), the first of another, then the next of the first pass"
    expect(got, call).equals([[0, 1], [2, 3], [0, 1], [4]], why=why)


@exercise("DataLoader.__iter__", points=2)
def test_loader_shuffles_and_repeats(tt, expect):
    def passes():
        made = tt.utils.data.DataLoader(tensors(tt), 3, shuffle=True, generator=seeded(tt, 5))
        return [[plain(batch) for batch in made] for _ in range(3)]

    tt.manual_seed(1)
    first = passes()
    tt.manual_seed(2)
    why = "the same seed gives the same batches, pass for pass"
    expect(passes() == first, "are three passes with a generator of the same seed the same?").equals(True, why=why)
    for one in first:
        labels = sorted(label for batch in one for label in batch[1])
        expect(labels, "labels of one shuffled pass, sorted").equals(sorted(Y.tolist()), why="every sample once")
        pairs = {(tuple(row), label) for rows, labels in one for row, label in zip(rows, labels, strict=True)}
        want = {(tuple(row), label) for row, label in zip(X.tolist(), Y.tolist(), strict=True)}
        expect(pairs == want, "does every x still stand beside its y?").equals(True, why="one order for both tensors")
    expect(first[0] != first[1], "do the first two passes differ?").equals(True, why="a new order for each pass")


@exercise("DataLoader.__iter__")
def test_loader_uses_collate_fn(tt, expect):
    got = list(tt.utils.data.DataLoader(tensors(tt), 3, collate_fn=len))
    why = "collate_fn gets the list of samples; what it returns is the batch"
    expect(got, "list(DataLoader(TensorDataset(x, y), 3, collate_fn=len))").equals([3, 3, 1], why=why)
    got = list(tt.utils.data.DataLoader(["seven", "two", "nine"], 2, collate_fn="+".join))
    expect(got, "list(DataLoader(['seven', 'two', 'nine'], 2, collate_fn='+'.join))").equals(
        ["seven+two", "nine"], why=why
    )


@exercise("DataLoader.__iter__")
def test_loader_without_batches(tt, expect):
    why = "batch_size=None gives the samples themselves, one at a time, in the order of the sampler"
    call = "list(DataLoader(['a', 'b', 'c'], batch_size=None, sampler=[2, 0]))"
    with allowed(call, why):
        got = list(tt.utils.data.DataLoader(["a", "b", "c"], batch_size=None, sampler=[2, 0]))
    expect(got, call).equals(["c", "a"], why=why)
    got = list(tt.utils.data.DataLoader([np.array([1.5, 2.5])], batch_size=None))
    why = "a single sample goes through default_convert, which makes a tensor of an array"
    expect(got[0], "list(DataLoader([array], batch_size=None))[0]").is_instance(tt.Tensor, why=why)


@exercise("DataLoader.__iter__")
def test_loader_uses_batch_sampler(tt, expect):
    got = list(tt.utils.data.DataLoader([10, 20, 30, 40], batch_sampler=[[3, 0, 1], [2]]))
    why = "each list of indices becomes one batch, of any size"
    expect(plain(got), "list(DataLoader([10, 20, 30, 40], batch_sampler=[[3, 0, 1], [2]]))").equals(
        [[40, 10, 20], [30]], why=why
    )


@exercise("DataLoader.__iter__", points=2)
def test_loader_reads_a_stream(tt, expect):
    for options, want in (
        ({"batch_size": 3}, [[0, 1, 2], [3, 4, 5], [6]]),
        ({"batch_size": 3, "drop_last": True}, [[0, 1, 2], [3, 4, 5]]),
        ({"batch_size": None}, list(range(7))),
    ):
        call = f"DataLoader(stream of 7, {options})"
        why = "a stream has no indices: its samples are grouped as they come"
        with allowed(call, why, errors=(TypeError, AttributeError)):
            got = list(tt.utils.data.DataLoader(stream(tt, 7), **options))
        expect(plain(got), call).equals(want, why=why)
    taken = []

    class Endless(tt.utils.data.IterableDataset):
        def __iter__(self):
            for i in itertools.count():
                if i > 500:
                    raise CheckFailed(
                        "first batch of an endless stream", "4 samples read", "500 samples read", "", "read as asked"
                    )
                taken.append(i)
                yield i

    batches = iter(tt.utils.data.DataLoader(Endless(), batch_size=4))
    expect(plain(next(batches)), "first batch of four of an endless stream").equals([0, 1, 2, 3])
    expect(len(taken) <= 5, f"samples read for it: {len(taken)}; at most 5?").equals(
        True, why="a stream may be endless"
    )


@exercise("DataLoader.__iter__", torch=False)
def test_loader_takes_the_quick_way(tt, expect):
    big = tt.utils.data.TensorDataset(tt.ones(1000, 20), tt.arange(1000))
    slow = tt.utils.data.DataLoader(big, 500, collate_fn=lambda samples: tt.utils.data.default_collate(samples))
    quick = tt.utils.data.DataLoader(big, 500)
    expect.faster_than(
        lambda: list(quick),
        lambda: list(slow),
        "a pass over a TensorDataset of 1,000 samples; comparison: sample by sample",
        ratio=3,
        why="when collate_fn is default_collate, ask at_once for the batch before loading samples one by one",
    )
