"""Wrong answers to the exercises of module 05: mistakes that people make, each with what its card must say."""

from checks import wrong

# TensorDataset


@wrong("TensorDataset", says="in a tuple, in the order of the arguments")
class SampleIsAList:
    def __init__(self, *tensors):
        assert all(len(tensor) == len(tensors[0]) for tensor in tensors), "Size mismatch between tensors"
        self.tensors = tensors

    def __getitem__(self, index):
        return [tensor[index] for tensor in self.tensors]

    def __len__(self):
        return len(self.tensors[0])


@wrong("TensorDataset", says="one tensor gives tuples of one entry")
class OneTensorWithoutTuple:
    def __init__(self, *tensors):
        assert all(len(tensor) == len(tensors[0]) for tensor in tensors), "Size mismatch between tensors"
        self.tensors = tensors

    def __getitem__(self, index):
        sample = tuple(tensor[index] for tensor in self.tensors)
        return sample if len(sample) > 1 else sample[0]

    def __len__(self):
        return len(self.tensors[0])


@wrong("TensorDataset", says="the number of samples is the first size")
class CountsTheTensors:
    def __init__(self, *tensors):
        assert all(len(tensor) == len(tensors[0]) for tensor in tensors), "Size mismatch between tensors"
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self):
        return len(self.tensors)


@wrong("TensorDataset", says="some sample would have no label")
class ChecksNothing:
    def __init__(self, *tensors):
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self):
        return min(len(tensor) for tensor in self.tensors)


@wrong("TensorDataset", says="look at all of them")
class ChecksTheFirstTwo:
    def __init__(self, *tensors):
        if len(tensors) > 1:
            assert len(tensors[0]) == len(tensors[1]), "Size mismatch between tensors"
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self):
        return len(self.tensors[0])


@wrong("TensorDataset", says="copies no sample")
class CopiesSamples:
    def __init__(self, *tensors):
        assert all(len(tensor) == len(tensors[0]) for tensor in tensors), "Size mismatch between tensors"
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(tensor[index].clone() for tensor in self.tensors)

    def __len__(self):
        return len(self.tensors[0])


@wrong("TensorDataset", says="keep the tensors under the name `tensors`")
class KeepsThemUnderAnotherName:
    def __init__(self, *tensors):
        assert all(len(tensor) == len(tensors[0]) for tensor in tensors), "Size mismatch between tensors"
        self.data = tensors

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.data)

    def __len__(self):
        return len(self.data[0])


# Subset


@wrong("Subset", says="sample k of the subset is sample indices[k] of the dataset")
class IgnoresIndices:
    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index):
        return self.dataset[index]

    def __len__(self):
        return len(self.indices)


@wrong("Subset", says="in the order of the indices")
class SortsIndices:
    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, sorted(indices)

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]

    def __len__(self):
        return len(self.indices)


@wrong("Subset", says="as many samples as there are indices")
class LengthOfTheWhole:
    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]

    def __len__(self):
        return len(self.dataset)


@wrong("Subset", says="making a subset loads no sample")
class LoadsAtOnce:
    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices
        self.samples = [dataset[i] for i in indices]

    def __getitem__(self, index):
        return self.samples[index]

    def __len__(self):
        return len(self.indices)


@wrong("Subset", says="an index may come several times")
class RemovesRepetitions:
    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, list(dict.fromkeys(indices))

    def __getitem__(self, index):
        return self.dataset[self.indices[index % len(self.indices)]]

    def __len__(self):
        return len(self.indices)


# ConcatDataset


@wrong("ConcatDataset", says="whose end is greater than the index (`bisect_right`)")
class BisectsLeft:
    def __init__(self, datasets):
        self.datasets = list(datasets)
        assert self.datasets, "datasets should not be an empty iterable"
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        if index < -len(self):
            raise ValueError("absolute value of index should not exceed dataset length")
        index = index + len(self) if index < 0 else index
        which = bisect.bisect_left(self.cumulative_sizes, index)
        return self.datasets[which][index - self.cumulative_sizes[which - 1] if which else index]


@wrong("ConcatDataset", says="minus the end of the one before")
class ForgetsToSubtract:
    def __init__(self, datasets):
        self.datasets = list(datasets)
        assert self.datasets, "datasets should not be an empty iterable"
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        if index < -len(self):
            raise ValueError("absolute value of index should not exceed dataset length")
        index = index + len(self) if index < 0 else index
        return self.datasets[bisect.bisect_right(self.cumulative_sizes, index)][index]


@wrong("ConcatDataset", says="-1 is the last sample of all")
class KnowsNoNegativeIndex:
    def __init__(self, datasets):
        self.datasets = list(datasets)
        assert self.datasets, "datasets should not be an empty iterable"
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - self.cumulative_sizes[which - 1] if which else index]


@wrong("ConcatDataset", says="add up to 6")
class CountsDatasets:
    def __init__(self, datasets):
        self.datasets = list(datasets)
        assert self.datasets, "datasets should not be an empty iterable"
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self):
        return len(self.datasets)

    def __getitem__(self, index):
        index = index + self.cumulative_sizes[-1] if index < 0 else index
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - self.cumulative_sizes[which - 1] if which else index]


@wrong("ConcatDataset", says="load a sample when it is asked for")
class JoinsAllSamples:
    def __init__(self, datasets):
        self.datasets = list(datasets)
        assert self.datasets, "datasets should not be an empty iterable"
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))
        self.samples = [dataset[i] for dataset in self.datasets for i in range(len(dataset))]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        if index < -len(self.samples):
            raise ValueError("absolute value of index should not exceed dataset length")
        return self.samples[index]


@wrong("ConcatDataset", says="which can be read once")
class ReadsTheDatasetsTwice:
    def __init__(self, datasets):
        self.cumulative_sizes = list(itertools.accumulate(map(len, datasets)))
        assert self.cumulative_sizes, "datasets should not be an empty iterable"
        self.datasets = list(datasets)

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        if index < -len(self):
            raise ValueError("absolute value of index should not exceed dataset length")
        index = index + len(self) if index < 0 else index
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - self.cumulative_sizes[which - 1] if which else index]


# random_split


@wrong("random_split", says="shuffle before you cut")
def cuts_without_shuffling(dataset, lengths, generator=None):
    total = len(dataset)
    if math.isclose(sum(lengths), 1):
        lengths = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != total:
        raise ValueError("lengths do not add up")
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, range(end - length, end)) for end, length in zip(ends, lengths)]


@wrong("random_split", says="every sample is in exactly one part")
def shuffles_for_each_part(dataset, lengths, generator=None):
    total = len(dataset)
    if math.isclose(sum(lengths), 1):
        lengths = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != total:
        raise ValueError("lengths do not add up")
    return [Subset(dataset, _rng(generator).permutation(total)[:length].tolist()) for length in lengths]


@wrong("random_split", says="a given generator decides alone")
def draws_from_the_global_generator(dataset, lengths, generator=None):
    total = len(dataset)
    if math.isclose(sum(lengths), 1):
        lengths = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != total:
        raise ValueError("lengths do not add up")
    order = _rng(None).permutation(total).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths)]


@wrong("random_split", says="what is left over goes to the parts in turn")
def rest_goes_to_the_last(dataset, lengths, generator=None):
    total = len(dataset)
    if math.isclose(sum(lengths), 1):
        lengths = [math.floor(total * fraction) for fraction in lengths]
        lengths[-1] += total - sum(lengths)
    if sum(lengths) != total:
        raise ValueError("lengths do not add up")
    order = _rng(generator).permutation(total).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths)]


@wrong("random_split", says="samples that no part gets")
def takes_any_lengths(dataset, lengths, generator=None):
    total = len(dataset)
    if sum(lengths) <= 1:
        lengths = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(lengths)):
            lengths[i % len(lengths)] += 1
    order = _rng(generator).permutation(total).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths)]


@wrong("random_split", says="ask `math.isclose`, not `==`")
def compares_floats_exactly(dataset, lengths, generator=None):
    total = len(dataset)
    if sum(lengths) == 1:
        lengths = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != total:
        raise ValueError("lengths do not add up")
    order = _rng(generator).permutation(total).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths)]


@wrong("random_split", says="the list belongs to the caller")
def changes_the_callers_list(dataset, lengths, generator=None):
    total = len(dataset)
    if math.isclose(sum(lengths), 1):
        for i, fraction in enumerate(lengths):
            lengths[i] = math.floor(total * fraction)
        for i in range(total - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != total:
        raise ValueError("lengths do not add up")
    order = _rng(generator).permutation(total).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths)]


@wrong("random_split", says="`.tolist()` makes Python ints")
def parts_hold_numpys_integers(dataset, lengths, generator=None):
    total = len(dataset)
    if math.isclose(sum(lengths), 1):
        lengths = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != total:
        raise ValueError("lengths do not add up")
    order = _rng(generator).permutation(total)
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths)]


@wrong("random_split", says="a part is a Subset")
def returns_lists_of_samples(dataset, lengths, generator=None):
    total = len(dataset)
    if math.isclose(sum(lengths), 1):
        lengths = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(lengths)):
            lengths[i % len(lengths)] += 1
    if sum(lengths) != total:
        raise ValueError("lengths do not add up")
    order = _rng(generator).permutation(total).tolist()
    ends = itertools.accumulate(lengths)
    return [[dataset[i] for i in order[end - length : end]] for end, length in zip(ends, lengths)]


# RandomSampler.__iter__


@wrong("RandomSampler.__iter__", says="and 2 indices of a third")
def one_pass_only(self):
    count, rng = len(self.data_source), _rng(self.generator)
    drawn = rng.integers(count, size=self.num_samples) if self.replacement else rng.permutation(count)
    yield from drawn[: self.num_samples].tolist()


@wrong("RandomSampler.__iter__", says="two whole passes and 2 indices of a third")
def permutes_num_samples(self):
    count, rng = len(self.data_source), _rng(self.generator)
    if self.replacement:
        yield from rng.integers(count, size=self.num_samples).tolist()
    else:
        yield from (rng.permutation(self.num_samples) % count).tolist()


@wrong("RandomSampler.__iter__", says="with replacement each index is drawn anew")
def never_replaces(self):
    left, count, rng = self.num_samples, len(self.data_source), _rng(self.generator)
    while left > 0:
        drawn = rng.permutation(count)[:left].tolist()
        yield from drawn
        left -= len(drawn)


@wrong("RandomSampler.__iter__", says="`.tolist()` makes Python ints")
def gives_numpys_integers(self):
    left, count, rng = self.num_samples, len(self.data_source), _rng(self.generator)
    while left > 0:
        drawn = rng.integers(count, size=min(left, 32)) if self.replacement else rng.permutation(count)
        yield from drawn[:left]
        left -= len(drawn)


@wrong("RandomSampler.__iter__", says="draw only from `_rng(self.generator)`")
def ignores_the_generator(self):
    left, count, rng = self.num_samples, len(self.data_source), _rng(None)
    while left > 0:
        drawn = rng.integers(count, size=min(left, 32)) if self.replacement else rng.permutation(count)
        yield from drawn[:left].tolist()
        left -= len(drawn)


@wrong("RandomSampler.__iter__", says="draw a piece, give it out, draw the next")
def draws_everything_first(self):
    left, count, rng = self.num_samples, len(self.data_source), _rng(self.generator)
    drawn = []
    while len(drawn) < left:
        drawn += (rng.integers(count, size=left) if self.replacement else rng.permutation(count)).tolist()
    return iter(drawn[:left])


@wrong("RandomSampler.__iter__", says="each pass is new")
def starts_from_the_seed_every_time(self):
    left, count, rng = self.num_samples, len(self.data_source), np.random.default_rng(0)
    while left > 0:
        drawn = rng.integers(count, size=min(left, 32)) if self.replacement else rng.permutation(count)
        yield from drawn[:left].tolist()
        left -= len(drawn)


# WeightedRandomSampler.__iter__


@wrong("WeightedRandomSampler.__iter__", says="divided by their sum to become chances")
def weights_as_they_are(self):
    weights = self.weights.array
    if not self.replacement and self.num_samples > np.count_nonzero(weights):
        raise RuntimeError("too few")
    return iter(_rng(self.generator).choice(len(weights), self.num_samples, self.replacement, weights).tolist())


@wrong("WeightedRandomSampler.__iter__", says="a weight of 0 is never drawn")
def forgets_the_weights(self):
    weights = self.weights.array
    if not self.replacement and self.num_samples > np.count_nonzero(weights):
        raise RuntimeError("too few")
    return iter(_rng(self.generator).choice(len(weights), self.num_samples, self.replacement).tolist())


@wrong("WeightedRandomSampler.__iter__", says="without replacement no index comes twice")
def always_replaces(self):
    weights = self.weights.array
    if not self.replacement and self.num_samples > np.count_nonzero(weights):
        raise RuntimeError("too few")
    return iter(_rng(self.generator).choice(len(weights), self.num_samples, True, weights / weights.sum()).tolist())


@wrong("WeightedRandomSampler.__iter__", says="a weight of 0 is never drawn")
def counts_all_weights(self):
    weights = self.weights.array
    if not self.replacement and self.num_samples > len(weights):
        raise RuntimeError("too few")
    chances = weights / weights.sum()
    return iter(_rng(self.generator).choice(len(weights), self.num_samples, self.replacement, chances).tolist())


@wrong("WeightedRandomSampler.__iter__", says="with replacement two weights are enough")
def refuses_replacement_too(self):
    weights = self.weights.array
    if self.num_samples > np.count_nonzero(weights):
        raise RuntimeError("too few")
    chances = weights / weights.sum()
    return iter(_rng(self.generator).choice(len(weights), self.num_samples, self.replacement, chances).tolist())


@wrong("WeightedRandomSampler.__iter__", says="the same seed gives the same indices")
def draws_from_numpy(self):
    weights = self.weights.array
    if not self.replacement and self.num_samples > np.count_nonzero(weights):
        raise RuntimeError("too few")
    chances = weights / weights.sum()
    return iter(np.random.default_rng().choice(len(weights), self.num_samples, self.replacement, chances).tolist())


# BatchSampler.__len__


@wrong("BatchSampler.__len__", says="the rest of 1 counts as a batch too")
def only_full_batches(self):
    return len(self.sampler) // self.batch_size


@wrong("BatchSampler.__len__", says="with drop_last only full batches count")
def always_counts_the_rest(self):
    return -(-len(self.sampler) // self.batch_size)


@wrong("BatchSampler.__len__", says="there is no batch more")
def one_more_always(self):
    return len(self.sampler) // self.batch_size + (not self.drop_last)


@wrong("BatchSampler.__len__", says="drawing would use up random numbers")
def runs_through_the_sampler(self):
    count = sum(1 for _ in self.sampler)
    return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


@wrong("BatchSampler.__len__", says="5 = 2 * 2 + 1")
def counts_indices(self):
    return len(self.sampler)


# BatchSampler.__iter__


@wrong("BatchSampler.__iter__", says="the incomplete batch [4] is left out")
def keeps_the_last(self):
    indices = iter(self.sampler)
    while batch := list(itertools.islice(indices, self.batch_size)):
        yield batch


@wrong("BatchSampler.__iter__", says="the last holds the rest")
def loses_the_rest(self):
    batch = []
    for index in self.sampler:
        batch.append(index)
        if len(batch) == self.batch_size:
            yield batch
            batch = []


@wrong("BatchSampler.__iter__", says="no empty batch at the end")
def empty_batch_at_the_end(self):
    batch = []
    for index in self.sampler:
        batch.append(index)
        if len(batch) == self.batch_size:
            yield batch
            batch = []
    if not self.drop_last:
        yield batch


@wrong("BatchSampler.__iter__", says="a new list for each")
def fills_one_list_again(self):
    batch = []
    for index in self.sampler:
        if len(batch) == self.batch_size:
            batch.clear()
        batch.append(index)
        if len(batch) == self.batch_size:
            yield batch
    if 0 < len(batch) < self.batch_size and not self.drop_last:
        yield batch


@wrong("BatchSampler.__iter__", says="begin a new list for each, instead of emptying one list")
def empties_the_list_it_gave(self):
    batch = []
    for index in self.sampler:
        batch.append(index)
        if len(batch) == self.batch_size:
            yield batch
            batch.clear()
    if batch and not self.drop_last:
        yield batch


@wrong("BatchSampler.__iter__", says="take batch_size indices for one batch, no more")
def makes_a_list_first(self):
    indices = list(self.sampler)
    for i in range(0, len(indices), self.batch_size):
        batch = indices[i : i + self.batch_size]
        if len(batch) == self.batch_size or not self.drop_last:
            yield batch


@wrong("BatchSampler.__iter__", says="a batch is a list")
def yields_tuples(self):
    indices = iter(self.sampler)
    while batch := tuple(itertools.islice(indices, self.batch_size)):
        if len(batch) == self.batch_size or not self.drop_last:
            yield batch


# default_collate


@wrong("default_collate", says="ints int64, floats float64")
def numbers_as_float32(batch):
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        return Tensor(np.stack([sample.array if isinstance(sample, Tensor) else sample for sample in batch]))
    if isinstance(first, (int, float, np.generic)):
        return Tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    return [default_collate(entries) for entries in zip(*batch)]


@wrong("default_collate", says="all the x, then all the y")
def leaves_tuples_alone(batch):
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        return Tensor(np.stack([sample.array if isinstance(sample, Tensor) else sample for sample in batch]))
    if isinstance(first, (float, np.generic)):
        return Tensor(np.array(batch))
    if isinstance(first, int):
        return Tensor(batch)
    return batch


@wrong("default_collate", says="a new dimension in front")
def concatenates_rows(batch):
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        return Tensor(np.concatenate([sample.array if isinstance(sample, Tensor) else sample for sample in batch]))
    if isinstance(first, (float, np.generic)):
        return Tensor(np.array(batch))
    if isinstance(first, int):
        return Tensor(batch)
    return [default_collate(entries) for entries in zip(*batch)]


@wrong("default_collate", says="must not shorten the batch in silence")
def zips_without_looking(batch):
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        if any(sample.shape != first.shape for sample in batch):
            raise RuntimeError(f"unequal shapes {[tuple(sample.shape) for sample in batch]}")
        return Tensor(np.stack([sample.array if isinstance(sample, Tensor) else sample for sample in batch]))
    if isinstance(first, (float, np.generic)):
        return Tensor(np.array(batch))
    if isinstance(first, int):
        return Tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        joined = [default_collate(entries) for entries in zip(*batch)]
        return type(first)(*joined) if hasattr(first, "_fields") else joined
    raise TypeError(f"found {type(first)}")


@wrong("default_collate", says="a dict with the same keys")
def forgets_dicts(batch):
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        return Tensor(np.stack([sample.array if isinstance(sample, Tensor) else sample for sample in batch]))
    if isinstance(first, (float, np.generic)):
        return Tensor(np.array(batch))
    if isinstance(first, int):
        return Tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    return [default_collate(entries) for entries in zip(*batch)]


@wrong("default_collate", says="a named tuple stays one")
def forgets_named_tuples(batch):
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        return Tensor(np.stack([sample.array if isinstance(sample, Tensor) else sample for sample in batch]))
    if isinstance(first, (float, np.generic)):
        return Tensor(np.array(batch))
    if isinstance(first, int):
        return Tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    return [default_collate(entries) for entries in zip(*batch)]


@wrong("default_collate", says="`np.generic` is the class of all its single values")
def numpys_numbers_only(batch):
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        return Tensor(np.stack([sample.array if isinstance(sample, Tensor) else sample for sample in batch]))
    if isinstance(first, (float, np.number)):
        return Tensor(np.array(batch))
    if isinstance(first, int):
        return Tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        joined = [default_collate(entries) for entries in zip(*batch)]
        return type(first)(*joined) if hasattr(first, "_fields") else joined
    raise TypeError(f"found {type(first)}")


@wrong("default_collate", says="lacks a key of the first")
def forgives_missing_keys(batch):
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        return Tensor(np.stack([sample.array if isinstance(sample, Tensor) else sample for sample in batch]))
    if isinstance(first, (float, np.generic)):
        return Tensor(np.array(batch))
    if isinstance(first, int):
        return Tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch if key in sample]) for key in first}
    if isinstance(first, Sequence):
        joined = [default_collate(entries) for entries in zip(*batch)]
        return type(first)(*joined) if hasattr(first, "_fields") else joined
    raise TypeError(f"found {type(first)}")


@wrong("default_collate", says="the keys of the first sample decide")
def dicts_of_one_length_only(batch):
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        return Tensor(np.stack([sample.array if isinstance(sample, Tensor) else sample for sample in batch]))
    if isinstance(first, (float, np.generic)):
        return Tensor(np.array(batch))
    if isinstance(first, int):
        return Tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        joined = [default_collate(entries) for entries in zip(*batch)]
        return type(first)(*joined) if hasattr(first, "_fields") else joined
    raise TypeError(f"found {type(first)}")


# at_once


@wrong("at_once", says="index k of a Subset is index indices[k] of its dataset")
def does_not_translate(dataset, indices):
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return [Tensor(tensor.array[indices]) for tensor in dataset.tensors] if type(dataset) is TensorDataset else None


@wrong("at_once", says="translate the indices once for each")
def sees_through_one_subset(dataset, indices):
    if type(dataset) is Subset:
        dataset, indices = dataset.dataset, [dataset.indices[i] for i in indices]
    return [Tensor(tensor.array[indices]) for tensor in dataset.tensors] if type(dataset) is TensorDataset else None


@wrong("at_once", says="a subclass may have a `__getitem__` of its own")
def asks_isinstance(dataset, indices):
    while isinstance(dataset, Subset):
        dataset, indices = dataset.dataset, [dataset.indices[i] for i in indices]
    if isinstance(dataset, TensorDataset):
        return [Tensor(tensor.array[indices]) for tensor in dataset.tensors]
    return None


@wrong("at_once", says="one step for the whole batch")
def stacks_row_by_row(dataset, indices):
    while type(dataset) is Subset:
        dataset, indices = dataset.dataset, [dataset.indices[i] for i in indices]
    if type(dataset) is not TensorDataset:
        return None
    return default_collate([dataset[i] for i in indices])


@wrong("at_once", says="samples 5, 0 and 3, in this order")
def takes_a_slice(dataset, indices):
    while type(dataset) is Subset:
        dataset, indices = dataset.dataset, [dataset.indices[i] for i in indices]
    if type(dataset) is not TensorDataset:
        return None
    return [Tensor(tensor.array[sorted(indices)]) for tensor in dataset.tensors]


@wrong("at_once", says="None says: load the samples one by one")
def knows_only_tensors(dataset, indices):
    while type(dataset) is Subset:
        dataset, indices = dataset.dataset, [dataset.indices[i] for i in indices]
    return [Tensor(tensor.array[indices]) for tensor in dataset.tensors]


# ToTensor.__call__


@wrong("ToTensor.__call__", says="reorder the dimensions, do not reshape")
def reshapes(self, image):
    array = np.asarray(image)
    array = array[None] if array.ndim == 2 else array.reshape(array.shape[2], *array.shape[:2])
    scaled = array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array
    return Tensor(np.ascontiguousarray(scaled))


@wrong("ToTensor.__call__", says="becomes (channels, height, width)")
def reverses_dimensions(self, image):
    array = np.asarray(image)
    array = array[None] if array.ndim == 2 else array.transpose(2, 1, 0)
    scaled = array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array
    return Tensor(np.ascontiguousarray(scaled))


@wrong("ToTensor.__call__", says="only uint8 is known to run from 0 to 255")
def scales_everything(self, image):
    array = np.asarray(image)
    array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    scaled = array.astype(np.float32) / np.float32(255) if array.max() > 100 else array
    return Tensor(np.ascontiguousarray(scaled))


@wrong("ToTensor.__call__", says="divide by 255")
def divides_by_256(self, image):
    array = np.asarray(image)
    array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    scaled = array.astype(np.float32) / np.float32(256) if array.dtype == np.uint8 else array
    return Tensor(np.ascontiguousarray(scaled))


@wrong("ToTensor.__call__", says="has one channel")
def grey_without_channel(self, image):
    array = np.asarray(image)
    array = array if array.ndim == 2 else array.transpose(2, 0, 1)
    scaled = array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array
    return Tensor(np.ascontiguousarray(scaled))


@wrong("ToTensor.__call__", says="lie side by side")
def leaves_a_view(self, image):
    array = np.asarray(image)
    array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    return Tensor(array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array)


# Normalize


@wrong("Normalize", says="a bare row of three would run along the width")
class AlongTheWidth:
    def __init__(self, mean, std):
        self.mean, self.std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        if (self.std == 0).any():
            raise ValueError("std is zero")

    def __call__(self, image):
        return Tensor((image.array - self.mean) / self.std)


@wrong("Normalize", says="else the whole model works in another dtype")
class Float64Means:
    def __init__(self, mean, std):
        self.mean, self.std = (np.asarray(value, np.float64).reshape(-1, 1, 1) for value in (mean, std))
        if (self.std == 0).any():
            raise ValueError("std is zero")

    def __call__(self, image):
        array = (image.array - self.mean) / self.std
        return Tensor(array if image.array.dtype == np.float64 else array.astype(np.float32))


@wrong("Normalize", says="means and stds in float64 make the result float64")
class Float64MeansAsTheyAre:
    def __init__(self, mean, std):
        self.mean, self.std = (np.asarray(value).reshape(-1, 1, 1) for value in (mean, std))
        if (self.std == 0).any():
            raise ValueError("std is zero")

    def __call__(self, image):
        return Tensor((image.array - self.mean) / self.std)


@wrong("Normalize", says="the next epoch normalizes it again")
class InPlace:
    def __init__(self, mean, std):
        self.mean, self.std = (np.asarray(value, np.float32).reshape(-1, 1, 1) for value in (mean, std))
        if (self.std == 0).any():
            raise ValueError("std is zero")

    def __call__(self, image):
        image.array -= self.mean.astype(image.array.dtype)
        image.array /= self.std.astype(image.array.dtype)
        return image


@wrong("Normalize", says="minus its own mean, divided by its own std")
class DividesFirst:
    def __init__(self, mean, std):
        self.mean, self.std = (np.asarray(value, np.float32).reshape(-1, 1, 1) for value in (mean, std))
        if (self.std == 0).any():
            raise ValueError("std is zero")

    def __call__(self, image):
        return Tensor(image.array / self.std.astype(image.array.dtype) - self.mean.astype(image.array.dtype))


@wrong("Normalize", says="would fill the image with inf")
class DividesByZero:
    def __init__(self, mean, std):
        self.mean, self.std = (np.asarray(value, np.float32).reshape(-1, 1, 1) for value in (mean, std))

    def __call__(self, image):
        return Tensor((image.array - self.mean.astype(image.array.dtype)) / self.std.astype(image.array.dtype))


# RandomCrop.__call__


@wrong("RandomCrop.__call__", says="the last ones included")
def never_the_last_place(self, image):
    array, pad = image.array, (self.padding, self.padding)
    array = np.pad(array, [(0, 0)] * (array.ndim - 2) + [pad, pad])
    (height, width), room = self.size, [have - want for have, want in zip(array.shape[-2:], self.size)]
    if min(room) < 0:
        raise ValueError(f"{self.size} is larger than {array.shape[-2:]}")
    top, left = (_rng(self.generator).integers(max(space, 1)) for space in room)
    return Tensor(array[..., top : top + height, left : left + width].copy())


@wrong("RandomCrop.__call__", says="size is (height, width)")
def width_first(self, image):
    array, pad = image.array, (self.padding, self.padding)
    array = np.pad(array, [(0, 0)] * (array.ndim - 2) + [pad, pad])
    width, height = self.size
    top = _rng(self.generator).integers(max(array.shape[-2] - height, 0) + 1)
    left = _rng(self.generator).integers(max(array.shape[-1] - width, 0) + 1)
    return Tensor(array[..., top : top + height, left : left + width].copy())


@wrong("RandomCrop.__call__", says="not around channels")
def pads_channels_too(self, image):
    array = np.pad(image.array, self.padding)
    (height, width), room = self.size, [have - want for have, want in zip(array.shape[-2:], self.size)]
    if min(room) < 0:
        raise ValueError(f"{self.size} is larger than {array.shape[-2:]}")
    top, left = (_rng(self.generator).integers(space + 1) for space in room)
    return Tensor(array[..., top : top + height, left : left + width].copy())


@wrong("RandomCrop.__call__", says="as a view it would keep the whole image alive")
def crop_is_a_view(self, image):
    array, pad = image.array, (self.padding, self.padding)
    if self.padding:
        array = np.pad(array, [(0, 0)] * (array.ndim - 2) + [pad, pad])
    (height, width), room = self.size, [have - want for have, want in zip(array.shape[-2:], self.size)]
    if min(room) < 0:
        raise ValueError(f"{self.size} is larger than {array.shape[-2:]}")
    top, left = (_rng(self.generator).integers(space + 1) for space in room)
    return Tensor(array[..., top : top + height, left : left + width])


@wrong("RandomCrop.__call__", says="the window is larger than the image")
def crops_what_there_is(self, image):
    array, pad = image.array, (self.padding, self.padding)
    array = np.pad(array, [(0, 0)] * (array.ndim - 2) + [pad, pad])
    (height, width), room = self.size, [max(have - want, 0) for have, want in zip(array.shape[-2:], self.size)]
    top, left = (_rng(self.generator).integers(space + 1) for space in room)
    return Tensor(array[..., top : top + height, left : left + width].copy())


@wrong("RandomCrop.__call__", says="the same seed cuts the same places")
def crops_by_the_global_generator(self, image):
    array, pad = image.array, (self.padding, self.padding)
    array = np.pad(array, [(0, 0)] * (array.ndim - 2) + [pad, pad])
    (height, width), room = self.size, [have - want for have, want in zip(array.shape[-2:], self.size)]
    if min(room) < 0:
        raise ValueError(f"{self.size} is larger than {array.shape[-2:]}")
    top, left = (_rng(None).integers(space + 1) for space in room)
    return Tensor(array[..., top : top + height, left : left + width].copy())


# RandomHorizontalFlip.__call__


@wrong("RandomHorizontalFlip.__call__", says="the rows stay where they are")
def upside_down(self, image):
    return Tensor(image.array[..., ::-1, :].copy()) if _rng(self.generator).random() < self.p else image


@wrong("RandomHorizontalFlip.__call__", says="a Tensor takes no negative ones")
def reverses_the_tensor(self, image):
    return image[..., ::-1] if _rng(self.generator).random() < self.p else image


@wrong("RandomHorizontalFlip.__call__", says="all rows are reversed, or none")
def row_by_row(self, image):
    array = image.array
    heads = _rng(self.generator).random(array.shape[:-1]) < self.p
    return Tensor(np.where(heads[..., None], array[..., ::-1], array))


@wrong("RandomHorizontalFlip.__call__", says="left becomes right")
def the_other_way_round(self, image):
    return Tensor(image.array[..., ::-1].copy()) if _rng(self.generator).random() >= self.p else image


@wrong("RandomHorizontalFlip.__call__", says="in place, every other epoch would see it mirrored")
def flips_in_place(self, image):
    if _rng(self.generator).random() < self.p:
        image.array[...] = image.array[..., ::-1].copy()
    return image


@wrong("RandomHorizontalFlip.__call__", says="a negative stride is slow to read")
def flipped_view(self, image):
    return Tensor(image.array[..., ::-1]) if _rng(self.generator).random() < self.p else image


@wrong("RandomHorizontalFlip.__call__", says="mirrors about 300 of 1,000 images")
def a_fair_coin(self, image):
    heads = self.p > 0 and (self.p == 1 or _rng(self.generator).random() < 0.5)
    return Tensor(image.array[..., ::-1].copy()) if heads else image


# Compose.__call__


@wrong("Compose.__call__", says="from left to right")
def from_the_last_to_the_first(self, image):
    for transform in reversed(self.transforms):
        image = transform(image)
    return image


@wrong("Compose.__call__", says="each on what the one before returned")
def each_on_the_original(self, image):
    result = image
    for transform in self.transforms:
        result = transform(image)
    return result


@wrong("Compose.__call__", says="each on what the one before returned")
def returns_inside_the_loop(self, image):
    for transform in self.transforms:
        image = transform(image)
        return image
    return image


@wrong("Compose.__call__", says="did you forget `return`")
def returns_nothing(self, image):
    for transform in self.transforms:
        image = transform(image)


@wrong("Compose.__call__", says="the second image too")
def empties_the_list(self, image):
    while self.transforms:
        image = self.transforms.pop(0)(image)
    return image


# ShuffleBuffer.__iter__


@wrong("ShuffleBuffer.__iter__", says="those left in the buffer at the end included")
def loses_the_buffer(self):
    buffer, rng = [], _rng(self.generator)
    for sample in self.dataset:
        if len(buffer) < self.buffer_size:
            buffer.append(sample)
            continue
        i = rng.integers(self.buffer_size)
        buffer[i], sample = sample, buffer[i]
        yield sample


@wrong("ShuffleBuffer.__iter__", says="a sample may be left in the buffer for a long time")
def block_after_block(self):
    stream, rng = iter(self.dataset), _rng(self.generator)
    while block := list(itertools.islice(stream, self.buffer_size)):
        yield from (block[i] for i in rng.permutation(len(block)))


@wrong("ShuffleBuffer.__iter__", says="at most buffer_size samples are in memory")
def holds_everything(self):
    samples, rng, taken = iter(self.dataset), _rng(self.generator), []
    buffer = list(itertools.islice(samples, self.buffer_size))
    taken = list(samples)
    for sample in taken:
        i = rng.integers(self.buffer_size)
        buffer[i], sample = sample, buffer[i]
        yield sample
    yield from (buffer[i] for i in rng.permutation(len(buffer)))


@wrong("ShuffleBuffer.__iter__", says="comes out fully shuffled")
def rest_in_order(self):
    buffer, rng = [], _rng(self.generator)
    for sample in self.dataset:
        if len(buffer) < self.buffer_size:
            buffer.append(sample)
            continue
        i = rng.integers(self.buffer_size)
        buffer[i], sample = sample, buffer[i]
        yield sample
    yield from buffer


@wrong("ShuffleBuffer.__iter__", says="every sample is given out exactly once")
def gives_out_without_replacing(self):
    buffer, rng = [], _rng(self.generator)
    for sample in self.dataset:
        if len(buffer) < self.buffer_size:
            buffer.append(sample)
            continue
        yield buffer[rng.integers(self.buffer_size)]
    yield from (buffer[i] for i in rng.permutation(len(buffer)))


@wrong("ShuffleBuffer.__iter__", says="the first sample out is one of the first four")
def the_new_one_passes_through(self):
    buffer, rng = [], _rng(self.generator)
    for sample in self.dataset:
        if len(buffer) < self.buffer_size:
            buffer.append(sample)
            continue
        yield sample
    yield from (buffer[i] for i in rng.permutation(len(buffer)))


# DataLoader.__init__


@wrong("DataLoader.__init__", says="the generator given to the loader goes on to its RandomSampler")
def forgets_the_generator(
    self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
    pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
    generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
):  # fmt: skip
    stream = isinstance(dataset, IterableDataset)
    if num_workers < 0 or (stream and (shuffle or sampler is not None or batch_sampler is not None)):
        raise ValueError("negative num_workers, or an order for a stream")
    if sampler is not None and shuffle:
        raise ValueError("sampler and shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler and others")
    if batch_size is None and drop_last:
        raise ValueError("batch_size=None and drop_last")
    self.dataset, self.num_workers, self.generator, self.drop_last = dataset, num_workers, generator, drop_last
    if sampler is None:
        sampler = RandomSampler(dataset) if shuffle else SequentialSampler(dataset)
    if batch_sampler is None and batch_size is not None:
        batch_sampler = BatchSampler(sampler, batch_size, drop_last)
    self.batch_size = None if batch_sampler is None else getattr(batch_sampler, "batch_size", None)
    self.sampler, self.batch_sampler, self.pin_memory = sampler, batch_sampler, pin_memory
    self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)


@wrong("DataLoader.__init__", says="shuffle=True asks for a random order")
def never_shuffles(
    self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
    pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
    generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
):  # fmt: skip
    stream = isinstance(dataset, IterableDataset)
    if num_workers < 0 or (stream and (shuffle or sampler is not None or batch_sampler is not None)):
        raise ValueError("negative num_workers, or an order for a stream")
    if sampler is not None and shuffle:
        raise ValueError("sampler and shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler and others")
    if batch_size is None and drop_last:
        raise ValueError("batch_size=None and drop_last")
    self.dataset, self.num_workers, self.generator, self.drop_last = dataset, num_workers, generator, drop_last
    if sampler is None:
        sampler = SequentialSampler(dataset)
    if batch_sampler is None and batch_size is not None:
        batch_sampler = BatchSampler(sampler, batch_size, drop_last)
    self.batch_size = None if batch_sampler is None else getattr(batch_sampler, "batch_size", None)
    self.sampler, self.batch_sampler, self.pin_memory = sampler, batch_sampler, pin_memory
    self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)


@wrong("DataLoader.__init__", says="with a rest unless drop_last")
def forgets_drop_last(
    self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
    pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
    generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
):  # fmt: skip
    stream = isinstance(dataset, IterableDataset)
    if num_workers < 0 or (stream and (shuffle or sampler is not None or batch_sampler is not None)):
        raise ValueError("negative num_workers, or an order for a stream")
    if sampler is not None and shuffle:
        raise ValueError("sampler and shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler and others")
    if batch_size is None and drop_last:
        raise ValueError("batch_size=None and drop_last")
    self.dataset, self.num_workers, self.generator, self.drop_last = dataset, num_workers, generator, drop_last
    if sampler is None:
        sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
    if batch_sampler is None and batch_size is not None:
        batch_sampler = BatchSampler(sampler, batch_size, False)
    self.batch_size = None if batch_sampler is None else getattr(batch_sampler, "batch_size", None)
    self.sampler, self.batch_sampler, self.pin_memory = sampler, batch_sampler, pin_memory
    self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)


@wrong("DataLoader.__init__", says="a given sampler replaces the order")
def ignores_a_given_sampler(
    self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
    pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
    generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
):  # fmt: skip
    stream = isinstance(dataset, IterableDataset)
    if num_workers < 0 or (stream and (shuffle or sampler is not None or batch_sampler is not None)):
        raise ValueError("negative num_workers, or an order for a stream")
    if sampler is not None and shuffle:
        raise ValueError("sampler and shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler and others")
    if batch_size is None and drop_last:
        raise ValueError("batch_size=None and drop_last")
    self.dataset, self.num_workers, self.generator, self.drop_last = dataset, num_workers, generator, drop_last
    sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
    if batch_sampler is None and batch_size is not None:
        batch_sampler = BatchSampler(sampler, batch_size, drop_last)
    self.batch_size = None if batch_sampler is None else getattr(batch_sampler, "batch_size", None)
    self.sampler, self.batch_sampler, self.pin_memory = sampler, batch_sampler, pin_memory
    self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)


@wrong("DataLoader.__init__", says="both say in which order: which one should win?")
def refuses_nothing(
    self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
    pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
    generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
):  # fmt: skip
    self.dataset, self.num_workers, self.generator, self.drop_last = dataset, num_workers, generator, drop_last
    if sampler is None:
        sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
    if batch_sampler is None and batch_size is not None:
        batch_sampler = BatchSampler(sampler, batch_size, drop_last)
    self.batch_size = None if batch_sampler is None else getattr(batch_sampler, "batch_size", None)
    self.sampler, self.batch_sampler, self.pin_memory = sampler, batch_sampler, pin_memory
    self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)


@wrong("DataLoader.__init__", says="a stream has no indices, so no order can be asked of it")
def forgets_streams(
    self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
    pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
    generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
):  # fmt: skip
    if num_workers < 0:
        raise ValueError("negative num_workers, or an order for a stream")
    if sampler is not None and shuffle:
        raise ValueError("sampler and shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler and others")
    if batch_size is None and drop_last:
        raise ValueError("batch_size=None and drop_last")
    self.dataset, self.num_workers, self.generator, self.drop_last = dataset, num_workers, generator, drop_last
    if sampler is None:
        sampler = (
            RandomSampler(dataset, generator=generator)
            if shuffle and not isinstance(dataset, IterableDataset)
            else SequentialSampler(dataset)
        )
    if batch_sampler is None and batch_size is not None:
        batch_sampler = BatchSampler(sampler, batch_size, drop_last)
    self.batch_size = None if batch_sampler is None else getattr(batch_sampler, "batch_size", None)
    self.sampler, self.batch_sampler, self.pin_memory = sampler, batch_sampler, pin_memory
    self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)


@wrong("DataLoader.__init__", says="without batches there is nothing to join")
def collates_single_samples(
    self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
    pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
    generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
):  # fmt: skip
    stream = isinstance(dataset, IterableDataset)
    if num_workers < 0 or (stream and (shuffle or sampler is not None or batch_sampler is not None)):
        raise ValueError("negative num_workers, or an order for a stream")
    if sampler is not None and shuffle:
        raise ValueError("sampler and shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler and others")
    if batch_size is None and drop_last:
        raise ValueError("batch_size=None and drop_last")
    self.dataset, self.num_workers, self.generator, self.drop_last = dataset, num_workers, generator, drop_last
    if sampler is None:
        sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
    if batch_sampler is None and batch_size is not None:
        batch_sampler = BatchSampler(sampler, batch_size, drop_last)
    self.batch_size = None if batch_sampler is None else getattr(batch_sampler, "batch_size", None)
    self.sampler, self.batch_sampler, self.pin_memory = sampler, batch_sampler, pin_memory
    self.collate_fn = collate_fn or default_collate


# DataLoader.__len__


@wrong("DataLoader.__len__", says="the number of batches in one pass, not of samples")
def counts_samples(self):
    return len(self.dataset)


@wrong("DataLoader.__len__", says="7 = 3 * 2 + 1: the rest of 1 counts as a batch too")
def forgets_the_rest(self):
    return len(self.dataset) // self.batch_size


@wrong("DataLoader.__len__", says="without batches every sample counts: ask the sampler")
def only_the_batch_sampler(self):
    return len(self.batch_sampler)


@wrong("DataLoader.__len__", says="the sampler gives three indices")
def from_the_dataset(self):
    return len(BatchSampler(range(len(self.dataset)), self.batch_size or 1, self.drop_last))


@wrong("DataLoader.__len__", says="without batches every sample counts")
def zero_without_batches(self):
    if isinstance(self.dataset, IterableDataset):
        return len(BatchSampler(range(len(self.dataset)), self.batch_size or 1, self.drop_last))
    return len(self.batch_sampler) if self.batch_sampler is not None else 0


@wrong("DataLoader.__len__", says="a stream without a length has no number of batches")
def zero_for_a_stream(self):
    if not isinstance(self.dataset, IterableDataset):
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
    if not hasattr(self.dataset, "__len__"):
        return 0
    return len(BatchSampler(range(len(self.dataset)), self.batch_size or 1, self.drop_last))


# DataLoader.__iter__


@wrong("DataLoader.__iter__", says="load each sample by its index")
def only_tensor_datasets(self):
    for indices in self.batch_sampler:
        quick = at_once(self.dataset, indices)
        yield quick or Tensor(indices)


@wrong("DataLoader.__iter__", says="nothing is loaded before it is asked for")
def makes_all_batches(self):
    if isinstance(self.dataset, IterableDataset):
        stream = iter(self.dataset)
        batches = stream if self.batch_size is None else BatchSampler(stream, self.batch_size, self.drop_last)
        return map(self.collate_fn, batches)
    if self.batch_sampler is None:
        return (self.collate_fn(self.dataset[index]) for index in self.sampler)
    quick = self.collate_fn is default_collate
    return iter(
        [
            (quick and at_once(self.dataset, indices)) or self.collate_fn([self.dataset[i] for i in indices])
            for indices in self.batch_sampler
        ]
    )


@wrong("DataLoader.__iter__", says="collate_fn gets the list of samples")
def quick_way_for_every_collate(self):
    if isinstance(self.dataset, IterableDataset):
        stream = iter(self.dataset)
        batches = stream if self.batch_size is None else BatchSampler(stream, self.batch_size, self.drop_last)
        yield from map(self.collate_fn, batches)
    elif self.batch_sampler is None:
        for index in self.sampler:
            yield self.collate_fn(self.dataset[index])
    else:
        for indices in self.batch_sampler:
            yield at_once(self.dataset, indices) or self.collate_fn([self.dataset[i] for i in indices])


@wrong("DataLoader.__iter__", says="the place is kept by the pass, not by the loader")
def keeps_its_place_on_self(self):
    if isinstance(self.dataset, IterableDataset):
        stream = iter(self.dataset)
        batches = stream if self.batch_size is None else BatchSampler(stream, self.batch_size, self.drop_last)
        yield from map(self.collate_fn, batches)
    elif self.batch_sampler is None:
        for index in self.sampler:
            yield self.collate_fn(self.dataset[index])
    else:
        self.place = iter(self.batch_sampler)
        while (indices := next(self.place, None)) is not None:
            quick = self.collate_fn is default_collate and at_once(self.dataset, indices)
            yield quick or self.collate_fn([self.dataset[i] for i in indices])


@wrong("DataLoader.__iter__", says="before loading samples one by one")
def never_the_quick_way(self):
    if isinstance(self.dataset, IterableDataset):
        stream = iter(self.dataset)
        batches = stream if self.batch_size is None else BatchSampler(stream, self.batch_size, self.drop_last)
        yield from map(self.collate_fn, batches)
    elif self.batch_sampler is None:
        for index in self.sampler:
            yield self.collate_fn(self.dataset[index])
    else:
        for indices in self.batch_sampler:
            yield self.collate_fn([self.dataset[i] for i in indices])


@wrong("DataLoader.__iter__", says="a stream has no indices")
def asks_a_stream_for_indices(self):
    if self.batch_sampler is None:
        for index in self.sampler:
            yield self.collate_fn(self.dataset[index])
    else:
        for indices in self.batch_sampler:
            quick = self.collate_fn is default_collate and at_once(self.dataset, indices)
            yield quick or self.collate_fn([self.dataset[i] for i in indices])


@wrong("DataLoader.__iter__", says="goes through default_convert")
def single_samples_as_they_are(self):
    if isinstance(self.dataset, IterableDataset):
        stream = iter(self.dataset)
        batches = stream if self.batch_size is None else BatchSampler(stream, self.batch_size, self.drop_last)
        yield from map(self.collate_fn, batches)
    elif self.batch_sampler is None:
        for index in self.sampler:
            yield self.dataset[index]
    else:
        for indices in self.batch_sampler:
            quick = self.collate_fn is default_collate and at_once(self.dataset, indices)
            yield quick or self.collate_fn([self.dataset[i] for i in indices])
