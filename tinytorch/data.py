"""Module 05, Data: samples in datasets, an order from samplers, batches from the DataLoader.

Random order comes from `generator`, or from the one that `manual_seed` sets.
"""

import bisect
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._init import _rng
from .tensor import Tensor


class Dataset:
    """Samples by index: a subclass defines `__getitem__(index)` and `__len__()`."""

    def __getitem__(self, index):
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other):
        return ConcatDataset([self, other])


class TensorDataset(Dataset):
    """Sample i is the tuple of the i-th entries of tensors, whose first sizes must be equal.

    >>> tt.utils.data.TensorDataset(tt.tensor([[1.0], [2.0]]), tt.tensor([0, 1]))[1]
    (tensor([2.]), tensor(1))
    """

    def __init__(self, *tensors):
        """Keep them as `tensors`, a tuple. Raises AssertionError unless their first sizes are equal."""
        assert all(len(tensor) == len(tensors[0]) for tensor in tensors), "Size mismatch between tensors"
        self.tensors = tensors

    def __getitem__(self, index):
        """Return the tuple of each tensor's entry at index, nothing copied."""
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self):
        """Return the number of samples."""
        return len(self.tensors[0])


class Subset(Dataset):
    """The samples of a dataset at some indices, in their order."""

    def __init__(self, dataset, indices):
        """Keep `dataset` and `indices` under these names; no sample is loaded."""
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index):
        """Return sample indices[index] of the dataset."""
        return self.dataset[self.indices[index]]

    def __len__(self):
        """Return the number of indices."""
        return len(self.indices)


class ConcatDataset(Dataset):
    """The samples of several datasets, one after the other; `a + b` makes one of two."""

    def __init__(self, datasets):
        """Keep a list `datasets`, and where each ends, `cumulative_sizes`. Raises AssertionError if there are none."""
        self.datasets = list(datasets)
        assert self.datasets, "datasets should not be an empty iterable"
        self.cumulative_sizes = list(itertools.accumulate(map(len, self.datasets)))

    def __len__(self):
        """Return the number of samples of all datasets."""
        return self.cumulative_sizes[-1]

    def __getitem__(self, index):
        """Return the sample at index, counted over all datasets; a negative one counts from the end of all.

        Raises ValueError below -len(self), IndexError from len(self) on.
        """
        if index < -len(self):
            raise ValueError("absolute value of index should not exceed dataset length")
        index = index + len(self) if index < 0 else index
        which = bisect.bisect_right(self.cumulative_sizes, index)
        return self.datasets[which][index - self.cumulative_sizes[which - 1] if which else index]


class IterableDataset(Dataset):
    """Samples that come as a stream: a subclass defines `__iter__`."""

    def __iter__(self):
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")


class ShuffleBuffer(IterableDataset):
    """A stream in nearly random order that keeps only buffer_size samples in memory (not in PyTorch).

    Each new sample takes the place of a random one in the buffer, which is then given out.
    """

    def __init__(self, dataset, buffer_size, generator=None):
        _positive("buffer_size", buffer_size)
        self.dataset, self.buffer_size, self.generator = dataset, buffer_size, generator

    def __iter__(self):
        """Yield every sample of the stream once; keep at most buffer_size of them at any time."""
        buffer, rng = list[Any](), _rng(self.generator)
        for sample in self.dataset:
            if len(buffer) < self.buffer_size:
                buffer.append(sample)
                continue
            i = rng.integers(self.buffer_size)
            buffer[i], sample = sample, buffer[i]
            yield sample
        for i in rng.permutation(len(buffer)):
            yield buffer[i]


def random_split(dataset, lengths, generator=None):
    """Return a list of Subsets of these lengths that share out a dataset at random.

    Fractions that add up to 1 are rounded down; samples left over go to the parts in turn, from the first on.
    Raises ValueError unless the lengths add up to the dataset's.

    >>> [len(part) for part in tt.utils.data.random_split(range(10), [0.75, 0.25])]
    [8, 2]
    """
    total = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = [math.floor(total * fraction) for fraction in lengths]
        for i in range(total - sum(lengths)):  # what rounding left over goes to the first ones
            lengths[i % len(lengths)] += 1
    if sum(lengths) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = _rng(generator).permutation(total).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def _positive(name, value):
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


class Sampler:
    """An order of indices: a subclass defines `__iter__`, and `__len__` if it knows it."""

    def __iter__(self):
        raise NotImplementedError


class SequentialSampler(Sampler):
    """The indices 0, 1, 2, ... of data_source."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler):
    """The indices of data_source in random order, num_samples of them (all, once, unless given).

    With replacement each is drawn anew; without, one shuffled pass follows the other.
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        _positive("num_samples", self.num_samples)

    @property
    def num_samples(self):
        """How many indices are drawn."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        """Yield num_samples indices as ints, drawn from `_rng(self.generator)` as they are asked for."""
        left, count, rng = self.num_samples, len(self.data_source), _rng(self.generator)
        while left > 0:
            drawn = rng.integers(count, size=min(left, 32)) if self.replacement else rng.permutation(count)
            yield from drawn[:left].tolist()
            left -= len(drawn)

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in random order."""

    def __init__(self, indices, generator=None):
        self.indices, self.generator = indices, generator

    def __iter__(self):
        return (self.indices[i] for i in _rng(self.generator).permutation(len(self.indices)).tolist())

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Indices drawn with probabilities in proportion to weights, num_samples of them."""

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        _positive("num_samples", num_samples)
        weights = np.asarray(weights, np.float64)
        if weights.ndim != 1:
            raise ValueError(f"weights should be a 1d sequence but given weights have shape {weights.shape}")
        self.weights, self.num_samples = Tensor(weights), num_samples
        self.replacement, self.generator = replacement, generator

    def __iter__(self):
        """Return an iterator of num_samples ints; replacement says whether one may come twice.

        Raises RuntimeError when, without replacement, there are fewer weights above 0 than samples.
        """
        weights = self.weights.array
        if not self.replacement and self.num_samples > np.count_nonzero(weights):
            raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
        chances = weights / weights.sum()
        drawn = _rng(self.generator).choice(len(weights), self.num_samples, self.replacement, chances)
        return iter(drawn.tolist())

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler):
    """The indices of a sampler in lists of batch_size; the last may be shorter, or is dropped with drop_last.

    >>> list(tt.utils.data.BatchSampler(range(5), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler, batch_size, drop_last):
        _positive("batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self):
        """Yield lists of batch_size indices, each a new list; a shorter rest at the end unless drop_last."""
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self):
        """Return the number of lists in one pass, without drawing an index."""
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + bool(rest and not self.drop_last)


def default_collate(batch):
    """Join a list of samples into a batch: tensors, arrays and numbers into a tensor with a new first dimension.

    Floats give float64, ints int64, bools bool, NumPy's numbers keep their dtype; a list of strings stays itself.
    Dicts are joined by the keys of the first, named tuples, tuples and lists entry by entry (the latter two into a
    list). Raises RuntimeError for unequal shapes, and for tuples or lists of unequal length; KeyError when a dict
    lacks a key of the first; TypeError naming the type for anything else.

    >>> tt.utils.data.default_collate([(1, {"a": 2.0}), (3, {"a": 4.0})])
    [tensor([1, 3]), {'a': tensor([2., 4.], dtype=torch.float64)}]
    """
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        for i, sample in enumerate(batch):
            if sample.shape != first.shape:
                shapes = f"{list(first.shape)} at entry 0 and {list(sample.shape)} at entry {i}"
                raise RuntimeError(f"stack expects each tensor to be equal size, but got {shapes}")
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
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        joined = [default_collate(entries) for entries in zip(*batch, strict=True)]
        return type(first)(*joined) if hasattr(first, "_fields") else joined
    what = f"batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)}"
    raise TypeError(f"default_collate: {what}")


def default_convert(sample):
    """Return a sample with its arrays as tensors; what DataLoader does when there are no batches."""
    if isinstance(sample, (np.ndarray, np.generic)):
        return Tensor(sample)
    if isinstance(sample, Mapping):
        return {key: default_convert(value) for key, value in sample.items()}
    if isinstance(sample, (tuple, list)):
        converted = [default_convert(entry) for entry in sample]
        return type(sample)(*converted) if hasattr(sample, "_fields") else converted
    return sample


class DataLoader:
    """Batches of a dataset: `for batch in loader` is one pass over it, in a new random order if shuffle.

    batch_size None gives single samples. sampler gives indices, batch_sampler lists of them; collate_fn makes a
    batch of a list of samples. num_workers is accepted, but samples are always loaded in this process (a
    browser has no other); of the arguments after collate_fn only drop_last and generator change anything.
    Raises ValueError for arguments that exclude each other.

    >>> list(tt.utils.data.DataLoader(range(5), batch_size=2))
    [tensor([0, 1]), tensor([2, 3]), tensor([4])]
    """

    def __init__(
        self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0, collate_fn=None,
        pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None, multiprocessing_context=None,
        generator=None, *, prefetch_factor=None, persistent_workers=False, pin_memory_device="", in_order=True,
    ):  # fmt: skip
        """Settle order (sampler), groups (batch_sampler) and how a group becomes a batch (collate_fn).

        Keeps them, and dataset, batch_size, num_workers, generator, drop_last and pin_memory, as attributes.
        Raises ValueError for arguments that contradict each other.
        """
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        stream = isinstance(dataset, IterableDataset)
        if stream and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader with IterableDataset: expected unspecified shuffle, sampler and batch_sampler")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            others = "batch_size, shuffle, sampler, and drop_last"
            raise ValueError(f"batch_sampler option is mutually exclusive with {others}")
        if batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        self.dataset, self.num_workers, self.generator, self.drop_last = dataset, num_workers, generator, drop_last
        if sampler is None:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = None if batch_sampler is None else getattr(batch_sampler, "batch_size", None)
        self.sampler, self.batch_sampler, self.pin_memory = sampler, batch_sampler, pin_memory
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)

    def __iter__(self):
        """Yield batches, or single samples when batch_size is None; each through collate_fn, as it is asked for."""
        if isinstance(self.dataset, IterableDataset):
            stream = iter(self.dataset)
            batches = stream if self.batch_size is None else BatchSampler(stream, self.batch_size, self.drop_last)
            yield from map(self.collate_fn, batches)
        elif self.batch_sampler is None:
            for index in self.sampler:
                yield self.collate_fn(self.dataset[index])
        else:
            for indices in self.batch_sampler:
                quick = self.collate_fn is default_collate and at_once(self.dataset, indices)
                yield quick or self.collate_fn([self.dataset[i] for i in indices])

    def __len__(self):
        """Return the number of batches, or of single samples. Raises TypeError for a stream without a length."""
        if not isinstance(self.dataset, IterableDataset):
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
        length = len(self.dataset)  # type: ignore[arg-type]
        return len(BatchSampler(range(length), self.batch_size or 1, self.drop_last))


def at_once(dataset, indices):
    """Return default_collate's batch of a TensorDataset, or of a Subset of one, in one step; None for any other."""
    while type(dataset) is Subset:
        dataset, indices = dataset.dataset, [dataset.indices[i] for i in indices]
    return [Tensor(tensor.array[indices]) for tensor in dataset.tensors] if type(dataset) is TensorDataset else None


class Compose:
    """Several transforms, one after the other."""

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, image):
        """Return image after all transforms, from the first to the last."""
        for transform in self.transforms:
            image = transform(image)
        return image


class ToTensor:
    """An array (height, width) or (height, width, channels) as a tensor (channels, height, width)."""

    def __call__(self, image):
        """Return the array with channels first, contiguous; uint8 becomes float32 from 0 to 1, other dtypes stay."""
        array = np.asarray(image)
        array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
        scaled = array.astype(np.float32) / np.float32(255) if array.dtype == np.uint8 else array
        return Tensor(np.ascontiguousarray(scaled))


class Normalize:
    """Makes (image - mean) / std, channel by channel, of a tensor (..., channels, height, width)."""

    def __init__(self, mean, std):
        """Keep a mean and a std for each channel, or one for all. Raises ValueError for a std of 0."""
        self.mean, self.std = (np.asarray(value, np.float32).reshape(-1, 1, 1) for value in (mean, std))
        if (self.std == 0).any():
            raise ValueError("std evaluated to zero, leading to division by zero.")

    def __call__(self, image):
        """Return (image - mean) / std as a new tensor of the image's dtype."""
        return Tensor((image.array - self.mean.astype(image.array.dtype)) / self.std.astype(image.array.dtype))


class RandomCrop:
    """A random part of size (height, width), or size by size, of a tensor (..., height, width) padded with zeros."""

    def __init__(self, size, padding=0, generator=None):
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.padding, self.generator = padding, generator

    def __call__(self, image):
        """Return a copy of a part of self.size, at a random place, after padding rows and columns with zeros.

        Every place is equally likely. Raises ValueError naming both sizes when the padded image is too small.
        """
        array, pad = image.array, (self.padding, self.padding)
        if self.padding:
            array = np.pad(array, [(0, 0)] * (array.ndim - 2) + [pad, pad])
        (height, width), room = self.size, [have - want for have, want in zip(array.shape[-2:], self.size, strict=True)]
        if min(room) < 0:
            raise ValueError(f"Required crop size {self.size} is larger than input image size {array.shape[-2:]}")
        top, left = (_rng(self.generator).integers(space + 1) for space in room)
        return Tensor(array[..., top : top + height, left : left + width].copy())


class RandomHorizontalFlip:
    """A tensor (..., width) mirrored from left to right with probability p."""

    def __init__(self, p=0.5, generator=None):
        self.p, self.generator = p, generator

    def __call__(self, image):
        """Return the image, or with probability p a copy of it with every row reversed."""
        return Tensor(image.array[..., ::-1].copy()) if _rng(self.generator).random() < self.p else image
