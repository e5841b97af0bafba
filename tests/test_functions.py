"""The given functions and methods against PyTorch where its own samples do not look: ints, bools, arguments, errors."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from test_tensor import assert_same, check, entries

import tinytorch

EXPRESSIONS = """
tt.add(T([1, 2]), 1, alpha=3)  tt.add(T([1, 2]), 1, alpha=1.5)  tt.sub(T([1.0]), T([2]), alpha=2)
tt.abs(T([-3, 2]))  tt.abs(T([True]))  tt.square(T([-3]))  tt.floor(T([1]))  tt.floor(T([True]))  tt.round(T([1]))
tt.round(T([0.5, 1.5, 2.5, -0.5]))  tt.round(T([1.26]), decimals=1)  tt.trunc(T([-1.5]))  tt.frac(T([-1.5]))
tt.frac(T([1]))  tt.reciprocal(T([4]))  tt.rsqrt(T([4]))  tt.sqrt(T([4, 0]))  tt.sqrt(T([True]))
tt.sigmoid(T([0, 2]))  tt.relu(T([-1, 2]))  tt.relu(T([True]))  tt.sin(1.0)  tt.exp2(T([3]))  tt.log1p(T([0]))
tt.erf(T([0, 1]))  tt.erf(T([1e-8, -0.3, 5.0], dtype=tt.float64))  tt.positive(T([True]))  +T([1])  abs(T([-1.5]))
tt.negative(T([1]))  T([7, -7]) // 2  T([7, -7]) // T([2, 2])  T([7.5]) // 2  7 // T([2, -2])  T([1]) // 0
T([1.0]) // 0  T([True]) // T([True])  T([7, -7]) % 3  T([7, -7]) % -3  T([7.5, -7.5]) % 2  10 % T([3, 4])
T([1]) % 0  T([1.0]) % 0  T([True]) % T([True])  tt.fmod(T([7, -7]), 3)  tt.fmod(T([-7.5]), 2)  tt.fmod(T([1]), 0)
tt.remainder(T([5]), 2.5)  tt.floor_divide(T([5]), 2)  tt.div(T([7, -7]), 2, rounding_mode="trunc")
tt.div(T([7, -7]), 2, rounding_mode="floor")  tt.div(T([7.5]), T([-2.0]), rounding_mode="trunc")
tt.div(T([1]), 2, rounding_mode="up")  tt.clamp(T([1, 2]), 1.5)  tt.clamp(T([1, 5]), max=3)  tt.clamp(T([1]))
tt.clamp(T([1, 5]), T([2, 2]), T([3, 3]))  tt.clamp(T([1.0, float("nan")]), 0, 2)  tt.clamp(T([5.0]), 3, 2)
T([1, 5]).clip(2, 3)  tt.maximum(T([1, 5]), T([2.5]))  tt.maximum(T([1]), 2)  tt.minimum(T([True]), T([3]))
tt.atan2(T([1]), T([2]))  tt.logaddexp(T([1.0]), T([2.0]))
tt.nan_to_num(T([float("nan"), float("inf"), -float("inf"), 1.0]))  tt.nan_to_num(T([1, 2]))
tt.lerp(T([1.0]), T([3.0]), 0.5)  tt.lerp(T([1.0]), T([3.0]), T([0.25]))  tt.lerp(T([1]), T([3.0]), 0.5)
tt.addcmul(T([1]), T([2]), T([3]), value=2)  tt.addcdiv(T([1.0]), T([3]), T([2]))
tt.addcdiv(T([1.0]), T([3.0]), T([2]), value=2)  tt.isnan(T([1]))  tt.isinf(T([1.0, -float("inf")]))
tt.isfinite(T([True]))  tt.eq(T([1, 2]), 1)  tt.eq(1, T([1]))  tt.lt(T([1]), 1.5)  tt.ne(T([1.0]), T([True]))
tt.ge(T([1]), None)  tt.logical_and(T([1, 0]), T([2.5, 1.0]))  tt.logical_and(T([1]), True)
tt.logical_not(T([0, 2]))  tt.logical_xor(T([True]), T([3]))  tt.bitwise_and(T([6]), 3)
tt.bitwise_or(T([6], dtype=tt.uint8), T([1]))  tt.bitwise_xor(T([1.0]), 1)  tt.bitwise_not(T([1.0]))  T([1]) << 2
T([8]) >> 1  T([True]) & True  1 & T([3])  T([1.0]) & 1  T([3]) | T([True])  5 ^ T([1])  ~T([2], dtype=tt.uint8)
tt.where(T([True, False]))  tt.where(T([[1, 0], [0, 2]]))  T([1, 2]).where(T([True, False]), T([5, 6]))
T([1, 2]).where(T([True, False]), 0.5)  tt.isclose(T([1, 2]), T([1, 3]))  tt.isclose(T([1.0]), T([1]))
tt.allclose(T([1.0, float("nan")]), T([1.0, float("nan")]), equal_nan=True)
tt.masked_fill(T([1, 2]), T([True, False]), 1.5)  T([1.0, 2.0]).masked_fill(T([1, 0]), 3)
T([1.0]).masked_fill(T([True]), T([3.0]))  T([1.0]).masked_fill(T([True]), T(3))
T([1, 2]).masked_fill(T([[True], [False]]), 7)  T([True]).masked_fill(T([True]), 0)
tt.softmax(T([1.0, 2.0]), dim=-1)  tt.softmax(T([1, 2]), dim=0, dtype=tt.float32)  tt.softmax(T([1, 2]), dim=0)
tt.softmax(T([1.0]), dim=1)

tt.sum(T([1, 2], dtype=tt.int8))  tt.sum(T([True]), dtype=tt.float32)  T([1, 2]).sum(dtype=tt.float64)
tt.sum(T(1.0), dim=(0,))  tt.mean(T([1, 2]), dtype=tt.float32)  tt.prod(T([2, 3], dtype=tt.int8))
tt.prod(T([[1.0, 2.0], [0.0, 3.0]]), dim=1)  tt.prod(T([True]))  tt.max(T([1, 5]), T([3, 3]))
tt.min(T([1, 5]), T([3.5]))  tt.max(tt.zeros(0, 3), 1)  tt.max(tt.zeros(0, 3), 0)  tt.zeros(0).max()
tt.max(T(3), 0)  tt.max(T([[3]]), 1, keepdim=True)  tt.amax(T([[1, 2], [3, 0]]), 0)
tt.amin(T([[1, 2], [3, 0]]), (0, 1), keepdim=True)  tt.amax(T([True, False]))  tt.amax(tt.zeros(0, 3), 1)
tt.amax(tt.zeros(0, 3), 0)  tt.argmax(T([1, 3, 3]))  tt.argmax(tt.zeros(0))  tt.argmax(tt.zeros(0, 3), 1)
tt.argmin(T([[2, 1], [0, 4]]), dim=0, keepdim=True)  tt.argmax(T(3), 0)  tt.argmax(T([[1, 2]]), keepdim=True)
tt.all(T([1], dtype=tt.uint8))  tt.all(T([[1, 0], [2, 3]]), dim=1)  tt.any(T([0.0, 2.0]))  tt.all(T([]))
tt.any(T([]))  tt.all(T([[True]]), dim=(0, 1))  tt.count_nonzero(T([[1, 0], [2, 3]]), dim=0)
tt.count_nonzero(T([0.5, 0.0]))  tt.var(T([1, 2]))  tt.var(T([1.0]))  tt.var(T([1.0, 4.0]), False)
tt.var(T([[1.0, 4.0], [2.0, 2.0]]), 1, False)  tt.std(T([1.0, 4.0]), dim=0, correction=0, keepdim=True)
tt.var_mean(T([1.0, 4.0]))  tt.std_mean(T([[1.0, 4.0]]), dim=1, unbiased=False)  tt.std(tt.ones(2, 3), (0, 1))
tt.norm(T([3.0, 4.0]))  tt.norm(T([3, 4]))  tt.norm(T([3.0, -4.0]), 1)  tt.norm(T([3.0, -4.0]), float("inf"))
tt.norm(T([[3.0, 4.0], [0.0, 1.0]]), dim=1, keepdim=True)  tt.norm(T([3.0, 0.0]), 0)  T([[3.0, 4.0]]).norm(2, 1)
tt.linalg.norm(T([3.0, 4.0]), 3)  tt.linalg.vector_norm(tt.ones(2, 2), dim=(0, 1))  tt.cumsum(T([True, True]), 0)
tt.cumsum(T([[1, 2], [3, 4]]), dim=1)  tt.cumsum(T([1, 2]), 0, dtype=tt.float32)  tt.cumprod(T([2, 3]), 0)
tt.cumsum(T(3), 0)  tt.logsumexp(T([1, 2]), 0)  tt.logsumexp(tt.ones(2, 3), (0, 1))  tt.sort(T([3, 1, 2]))
tt.sort(T([3, 1, 3]), descending=True, stable=True)  tt.sort(T([[3, 1], [0, 2]]), dim=0)
tt.sort(T([1.0, float("nan"), 0.0]))  tt.sort(T([1.0, float("nan"), 0.0]), descending=True)
tt.sort(T([True, False]))  tt.argsort(T([3, 1, 2]), descending=True)  tt.topk(T([3, 1, 2]), 2)
tt.topk(T([[3, 1], [0, 2]]), 1, dim=0, largest=False)  tt.topk(T([1]), 2)  tt.median(T([3, 1, 2, 4]))
tt.median(T([[3.0, 1.0], [float("nan"), 2.0]]), dim=1)  T([3, 1, 2]).median(0, keepdim=True)
tt.unique(T([3, 1, 3]))  tt.unique(T([[3, 1], [3, 2]]), return_inverse=True, return_counts=True)
tt.unique(T([[1, 2], [1, 2]]), dim=0)  tt.bincount(T([0, 2, 2]))
tt.bincount(T([0, 2]), weights=T([0.5, 1.5]), minlength=4)  tt.bincount(T([-1]))  tt.bincount(T([0.5]))
tt.nansum(T([1.0, float("nan")]))  T([2, 3]).max().item()  tt.trace(T([[1, 2], [3, 4]]))  tt.trace(T([1]))

tt.reshape(tt.arange(6), (2, -1))  tt.reshape(tt.arange(6), shape=(3, 2))  tt.arange(6).reshape([6, 1])
tt.permute(tt.ones(2, 3), dims=(1, 0)).shape  tt.arange(6).view(2, 3).t()  tt.ones(2, 3, 4).t()  T([1, 2]).t()
tt.ones(2, 3).mT.shape  tt.movedim(tt.ones(2, 3, 4), (0, 1), (-1, 0)).shape  tt.ones(2, 3, 4).flatten(1).shape
tt.ones(2, 3, 4).flatten(0, 1).shape  T(3).flatten()  tt.ones(2, 3).flatten(1, 0)
tt.ones(2, 6).unflatten(1, (2, -1)).shape  tt.ones(2, 6).unflatten(1, (4, 2))
tt.ones(1, 2, 1).squeeze((0, 2)).shape  tt.ones(1, 2).squeeze(1).shape  tt.ones(2).unsqueeze(-1).shape
tt.arange(3).expand(2, 3)  tt.ones(2, 1).expand(-1, 4).shape  tt.ones(2).expand(-1, 2)  tt.ones(2).expand(3)
tt.ones(2, 3).expand_as(tt.ones(4, 2, 3)).shape  tt.broadcast_to(T([1, 2]), (2, 2))
tt.broadcast_tensors(T([1, 2]), T([[3], [4]]))  tt.arange(2).repeat(2, 2)  tt.ones(2, 3).repeat(2)
tt.arange(2).tile(2, 1)  tt.tile(T([[1, 2]]), (2,))  tt.repeat_interleave(T([1, 2]), 2)
tt.repeat_interleave(T([1, 2]), T([1, 3]))  tt.repeat_interleave(T([[1, 2]]), 2, dim=0)
tt.cat([tt.zeros(0), tt.ones(2, 2)])  tt.cat([T([]), T([1])])  tt.concat([T([1]), T([2.5])])
tt.stack([T([1]), T([2.5])])  tt.stack([T([1]), T([1, 2])])  tt.stack([])  tt.stack([T(1), T(2)], dim=-1)
tt.hstack([T([1]), T([2])])  tt.hstack([tt.ones(2, 1), tt.ones(2, 2)])  tt.vstack([T([1, 2]), T([[3, 4]])])
[p.tolist() for p in tt.split(tt.arange(5), 2)]  tt.arange(5).split([1, 4])  tt.arange(5).split([1, 3])
tt.arange(5).split(0)  tt.arange(5).chunk(3)  tt.arange(4).chunk(3)  tt.arange(5).tensor_split(3)
tt.arange(5).tensor_split((1, 3))  tt.arange(6).view(2, 3).unbind(1)  tt.unbind(T(1))  tt.roll(tt.arange(5), 2)
tt.roll(tt.arange(6).view(2, 3), (1, -1), (0, 1))  tt.roll(tt.arange(6).view(2, 3), 1)
tt.roll(tt.arange(3), (1, 2), 0)  tt.flip(tt.arange(6).view(2, 3), (0, 1))  tt.flip(tt.arange(3), dims=[0])
tt.arange(3).flip(0)  tt.flip(tt.arange(3), (0, 0))  tt.tril(tt.ones(3, 3), -1)  tt.triu(tt.ones(2, 3), 1)
tt.tril(T([[True, True], [True, True]]))  tt.tril(T([1]))  tt.triu(T([[1, 2], [3, 4]], dtype=tt.uint8))
tt.diag(T([1, 2]), 1)  tt.diag(T([[1, 2], [3, 4]]))  tt.diag(T(1))  tt.diagonal(tt.arange(6).view(2, 3), 1)
tt.diagonal(tt.ones(2, 3, 3), 0, 1, 2).shape  tt.diagonal(tt.ones(2, 2), 0, 1, 1)  tt.diag_embed(T([[1, 2]]), 1)
tt.narrow(tt.arange(5), 0, 1, 3)  tt.narrow(tt.arange(5), 0, 3, 3)  tt.narrow(tt.arange(5), 0, -2, 2)
tt.select(tt.arange(6).view(2, 3), 1, -1)  tt.select(tt.arange(3), 0, 5)  tt.arange(5).unfold(0, 2, 2)
tt.arange(5).unfold(0, 6, 1)  tt.meshgrid(T([1, 2]), T([3, 4, 5]), indexing="ij")
tt.meshgrid(T([1, 2]), T([3, 4, 5]), indexing="xy")  tt.meshgrid(T([1, 2]), T(5), indexing="ij")
tt.atleast_1d(T(1))  tt.atleast_2d(T(1), T([1, 2]))  tt.ravel(tt.ones(2, 2).T).shape
tt.swapaxes(tt.ones(2, 3), 0, 1).shape

tt.gather(T([[1, 2], [3, 4]]), 1, T([[0], [1]]))  tt.gather(tt.ones(3), 0, T([5]))
tt.gather(tt.ones(3), 0, T([-1]))  tt.gather(tt.ones(3), 0, T([0.0]))  tt.gather(tt.ones(2, 2), 0, T([0]))
tt.scatter(tt.zeros(2, 3), 1, T([[2], [0]]), 1.5)  tt.zeros(2, 3).scatter_(1, T([[2], [0]]), T([[1.0], [2.0]]))
tt.zeros(2, 3).scatter(1, T([[0]]), T([[1]]))  tt.zeros(3).scatter_(0, T([0, 0]), 1, reduce="add")
tt.zeros(3, dtype=tt.int64).scatter_add_(0, T([0, 0, 2]), T([1, 2, 3]))  tt.zeros(3).scatter_(0, T([5]), 1.0)
tt.zeros(2, 2).scatter_(1, T([[0, 1]]), value=3.0)  tt.index_select(tt.arange(6).view(2, 3), 1, T([0, 2]))
tt.index_select(tt.arange(3), 0, T([3]))  tt.index_select(tt.arange(3), 0, T([-1]))
tt.index_select(tt.ones(3), 0, T([0.0]))  tt.zeros(3).index_add_(0, T([1, 1]), T([2.0, 3.0]))
tt.zeros(3).index_add(0, T([1]), T([2.0]), alpha=3)  tt.zeros(3).index_fill_(0, T([1]), 5)
tt.zeros(2, 2).index_fill(1, T([0]), T(3.0))  tt.zeros(3).index_put_((T([0, 0]),), T([1.0, 2.0]), accumulate=True)
tt.masked_select(tt.arange(4).view(2, 2), T([True, False]))  tt.masked_select(T([1]), T([1]))
tt.nonzero(T([[1, 0], [0, 2]]))  tt.nonzero(T(1))  tt.nonzero(T([0, 1]), as_tuple=True)  T(5).nonzero(as_tuple=True)
tt.take_along_dim(T([[1, 2], [3, 4]]), T([[1], [0]]), 1)  tt.take_along_dim(T([3, 4]), T([1, 0]))

tt.mm(tt.ones(2, 3), tt.ones(3, 2))  tt.mm(tt.ones(2), tt.ones(2))  tt.bmm(tt.ones(2, 3, 4), tt.ones(2, 4, 5)).shape
tt.bmm(tt.ones(2, 3, 4), tt.ones(3, 4, 5))  tt.mv(T([[1, 2]]), T([3, 4]))  tt.dot(T([1, 2]), T([3, 4]))
tt.dot(tt.ones(2), tt.ones(3))  tt.dot(tt.ones(2, 2), tt.ones(2))  tt.outer(T([1, 2]), T([3, 4]))
tt.inner(tt.ones(2, 3), tt.ones(4, 3))  tt.inner(T(2), T([1, 2]))
tt.addmm(T([1.0]), tt.ones(2, 3), tt.ones(3, 2), beta=2, alpha=0.5)
tt.addmv(T([1, 2]), T([[1, 2], [3, 4]]), T([1, 1]))  tt.baddbmm(tt.ones(1), tt.ones(2, 3, 4), tt.ones(2, 4, 1))
tt.einsum("ij,jk->ik", T([[1, 2]]), T([[3], [4]]))  tt.einsum("ij->ji", T([[1, 2]]))
tt.einsum("ii->i", T([[1, 2], [3, 4]]))  tt.einsum("...i,...i", tt.ones(2, 3), tt.ones(2, 3))
tt.einsum("bij , bjk -> bik", tt.ones(2, 3, 4), tt.ones(2, 4, 5)).shape
tt.einsum("i,j,k->ijk", T([1, 2]), T([3]), T([4, 5]))  tt.einsum("ij,ij->", tt.ones(2, 3), tt.ones(2, 3))
tt.einsum("ij,kj", tt.ones(2, 3), tt.ones(4, 3)).shape  tt.einsum("ij", T([1]))
tt.einsum("ij,jk->ik", tt.ones(2, 3), tt.ones(2, 3))  tt.einsum("i->ij", T([1]))  tt.einsum("i,i", T([1]))
tt.einsum("ij,jk->ik", [tt.ones(2, 3), tt.ones(3, 2)])
tt.einsum("nhd,mhd->hnm", tt.ones(2, 3, 4), tt.ones(5, 3, 4)).shape
tt.tensordot(tt.ones(2, 3, 4), tt.ones(3, 4, 5), dims=2).shape
tt.tensordot(tt.ones(2, 3), tt.ones(3, 2), dims=([1], [0]))  tt.tensordot(tt.ones(2), tt.ones(3), dims=0).shape
tt.cdist(T([[0.0, 0.0]]), T([[3.0, 4.0], [1.0, 0.0]]))

tt.empty(2, 3).shape  tt.empty((2,), dtype=tt.int64).dtype  tt.full((), 3)  tt.full((2,), T(3))
tt.full_like(T([1, 2]), 2.7)  tt.full_like(T([1.0]), 2)  tt.zeros(size=(2, 1))  tt.ones(2, device="cpu")
tt.zeros(2, device="cuda")  tt.zeros(2, device=tt.device("cpu"))  tt.rand(2, dtype=tt.int64)
tt.rand_like(T([1.0])).shape  tt.rand_like(T([1]))  tt.randn_like(T([1.0], dtype=tt.float64)).dtype
tt.randint(3, (2,), dtype=tt.float32).dtype  tt.tril_indices(3, 3)  tt.triu_indices(2, 3, 1)  tt.arange(T(3))
tt.arange(1, T(3.0))  tt.linspace(0, 5, 3, dtype=tt.int64)  tt.as_tensor([1, 2.5])  tt.as_tensor(np.ones(2)).dtype
tt.as_tensor(T([1]), dtype=tt.float32)  T([np.float64(1.5)])  T([np.float32(1.5), 2])  T([np.int32(1)])
T([np.int32(1), 2.5])  T([[np.float64(1)], [2]])  T([T(1.5, dtype=tt.float64), 2])  T([[T(1), 2.5]])
T([np.ones(2), np.zeros(2)])  T([np.bool_(True)])  T([1, 2]).new_zeros(2, 1)
T([1.5]).new_ones((2,), dtype=tt.int64)  T([1.5]).new_full((2,), 7)  T([1]).new_tensor([1.7])
T([1.5]).new_empty(3).shape  T([1.5]).new_tensor(T([2]))  tt.normal(0.0, 1.0, (2, 3)).shape
tt.normal(tt.zeros(2), 1.0).shape  tt.normal(tt.zeros(3), tt.ones(2, 1)).shape  tt.bernoulli(T([0.0, 1.0]))
tt.bernoulli(T([2.0]))  T([0.0, 1.0]).bernoulli()  tt.multinomial(T([0.0, 1.0]), 1)
tt.multinomial(T([[0.0, 1.0], [5.0, 0.0]]), 3, replacement=True)  tt.multinomial(T([0.0, 1.0]), 2)
tt.multinomial(T([-1.0, 1.0]), 1)  tt.multinomial(T([1, 1]), 1)  tt.empty(2).uniform_(3, 3)
tt.empty(2, dtype=tt.int64).normal_()  tt.from_numpy([1])  tt.eye(2, 3, dtype=tt.bool)  tt.eye(-1)
tt.Generator().manual_seed(5).initial_seed()

T([1.5]).float().dtype  T([1.5]).double()  T([1.5]).half()  T([1.5]).long()  T([1.5]).int()  T([300]).byte()
T([300]).char()  T([0.5]).bool()  T([1]).short()  T([1.5]).type()  T([1]).type(tt.float32)  T([1]).type_as(T([1.5]))
T([1]).cpu()  T([1]).cuda()  T([1]).is_cuda  repr(T([1]).layout)  T([1, 2]).nelement()  T([[1]]).ndimension()
T([1]).itemsize  T([1]).element_size()  T([1, 2, 3])[1:].storage_offset()  T([1]).is_signed()
tt.ones(2).is_contiguous()  2 in T([1, 2])  5 in T([1, 2])  T([1]).to("cuda")  T([1]).to("cpu", tt.float32)
T([1]).to(tt.device("cpu"))  tt.device("cuda:1").index  tt.device("foo")  repr(tt.device("cuda", 0))
T([1.5]).to(T([1]))  tt.is_tensor(T(1))  tt.is_tensor(1)  tt.is_floating_point(T([1]))  tt.numel(T([[1, 2]]))
tt.result_type(T([1]), 2.5)  tt.result_type(T([1.0]), T(2.0, dtype=tt.float64))  tt.result_type(T([]), T([1]))
tt.can_cast(tt.float32, tt.int64)  tt.can_cast(tt.int64, tt.float16)  tt.get_default_dtype()
tt.finfo(tt.float32).eps  tt.finfo(tt.float16).max  tt.finfo(tt.float64).tiny  tt.iinfo(tt.uint8).max
tt.cuda.is_available()  tt.backends.mps.is_available()  tt.compile(abs)(-2)  (tt.inf, tt.pi, tt.newaxis)
T([1, 2]).add_(T([1, 2]), alpha=2)  T([1, 2]).floor_divide_(2)  T([5.0]).remainder_(3)  T([1, 2]).eq_(1)
T([4.0]).sqrt_()  T([4]).sqrt_()  T([1.5]).clamp_(max=1)  T([1.0]).exp_()
T([1, 2]).masked_fill_(T([True, False]), 7)  T([1.0]).lerp_(T([3.0]), 0.5)  T([6]).bitwise_and_(3)
tt.ones(2, 2).tril_()  T([1.0, 2.0]).cumsum_(0)  T([1]).neg_()  tt.ones(2).sub_(1, alpha=2)
T([1.0]).addcdiv_(T([1.0]), T([2.0]), value=3)
"""


@pytest.mark.parametrize("expression", entries(EXPRESSIONS))
def test_expression_gives_what_pytorch_gives(expression):
    check(expression)


BINARY = """
tt.maximum(a, b)  tt.fmod(a, b)  tt.remainder(a, b)  a // b  tt.div(a, b, rounding_mode="trunc")  tt.atan2(a, b)
tt.eq(a, b)  tt.clamp(a, min=b)  tt.logical_and(a, b)  tt.stack([a, a]) + b  tt.bitwise_and(a, b)
"""
UNARY = """
tt.abs(x)  tt.sqrt(x)  tt.sin(x)  tt.floor(x)  tt.relu(x)  tt.sigmoid(x)  tt.isnan(x)  tt.prod(x)  tt.amax(x)
tt.cumsum(x, 1)  tt.sort(x, 1).values  tt.topk(x, 1).indices  tt.all(x)  tt.any(x, 1)  tt.count_nonzero(x)
tt.unique(x)  tt.tril(x)  tt.flip(x, (0,))  tt.roll(x, 1)  tt.diag(x)  tt.clamp(x, 1, 2)  tt.cat([x, x])
tt.nonzero(x)  tt.logsumexp(x, 1)  tt.norm(x)  tt.var(x)  tt.nan_to_num(x)  x.repeat(2, 1)  x.masked_fill(x == x, 1)
tt.gather(x, 1, tt.tensor([[0], [1]]))  tt.cumprod(x, 0)  tt.argsort(x, 0)  tt.median(x)  tt.erf(x)
tt.mean(x, dtype=tt.float64)  tt.zeros_like(x)  tt.round(x)  tt.reciprocal(x)
"""
DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("expression", entries(UNARY))
def test_every_dtype_through(expression, dtype):
    check(expression, rtol=2e-3 if dtype == "float16" else 2e-6, x=np.array([[1, 0], [3, 2]]).astype(dtype))


@pytest.mark.parametrize("expression", entries(BINARY))
def test_promotion_of_every_pair(expression):
    for a, b in itertools.product(DTYPES, DTYPES):
        check(expression, rtol=2e-3, a=np.array([3, 1]).astype(a), b=np.array([2, 1]).astype(b))


SHARES = """
x.expand(2, 2, 3)  x.unbind(1)[0]  x.split(2, 1)[1]  x.chunk(2)[0]  x.narrow(1, 1, 2)  x.select(0, 1)  x.diagonal()
x.unfold(1, 2, 1)  x.movedim(0, 1)  x.flatten()  x.T.flatten()  x.ravel()  x.unflatten(1, (3, 1))  x.mT  x.t()
x.squeeze()  x.repeat(1, 1)  x.tile(1)  x.flip(0)  x.roll(1)  x.tril()  x.diag()  x.float()  x.long()
x.type(x.dtype)  tt.as_tensor(x)  tt.as_tensor(x.numpy())  x.cpu()  tt.broadcast_to(x, (1, 2, 3))  tt.atleast_2d(x)
x.gather(1, x * 0)  x.index_select(0, tt.tensor([0]))  x.masked_fill(x > 9, 0)
tt.meshgrid(x[0], x[1], indexing="ij")[0]  x.tensor_split(2)[0]  x.view_as(x)  x.new_tensor(x)  x.clamp(0)  +x
x.sort(1).values
"""


@pytest.mark.parametrize("expression", entries(SHARES))
def test_memory_is_shared_or_copied_as_in_pytorch(expression):
    shared = []
    for lib in (tinytorch, torch):
        x = lib.arange(6).view(2, 3)
        result = eval(expression, {"tt": lib, "x": x})
        shared.append((np.shares_memory(result.numpy(), x.numpy()), result is x, result.stride()))
    assert shared[0] == shared[1]


STATEMENTS = """
x.diagonal().fill_(7)  x.unbind(1)[0].zero_()  x.narrow(1, 1, 2).mul_(10)  x.T[0] = 5  x.movedim(0, 1)[1] += 3
x.unfold(1, 2, 2)[0, 0, 1] = 9  x.expand(2, 3)[0, 0] = 4  x.split(1)[1][0, 2] = 8  x //= 2  x %= 2  x **= 2
x[x > 2] *= 0  x.scatter_(0, T([[1, 0, 1]]), 9.0)  x.mT.copy_(x.T + 1)  x.uniform_(1, 1)  x.bernoulli_(1.0)
x.index_put_((T([0, 1]), T([2, 0])), T([7.0, 8.0]))  y = x.flatten(); y[0] = 3
"""


@pytest.mark.parametrize("statement", entries(STATEMENTS))
def test_changes_in_place_reach_what_pytorch_changes(statement):
    results = []
    for lib in (tinytorch, torch):
        scope = {"T": lib.tensor, "x": lib.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])}
        try:
            exec(statement, scope)
            results.append(scope["x"])
        except Exception as error:
            results.append(error)
    assert_same(*results, statement)


def test_a_copy_has_its_own_numbers_and_gradient_and_no_graph():
    x = tinytorch.tensor([1.5, 2.5], requires_grad=True)
    (x * x).sum().backward()
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert twin.tolist() == x.tolist() and twin.grad.tolist() == [3, 5] and twin.is_leaf
        assert not np.shares_memory(twin.array, x.array) and not np.shares_memory(twin.grad.array, x.grad.array)
    with pytest.raises(RuntimeError):
        copy.deepcopy(x * 2)
    base = tinytorch.zeros(1000)
    assert len(pickle.dumps(base[:2])) < 1000, "a view does not take its base along"


def test_a_generator_continues_from_where_its_state_was_taken():
    generator = tinytorch.Generator().manual_seed(3)
    tinytorch.rand(5, generator=generator)
    state = generator.get_state()
    first = tinytorch.randn(3, generator=generator).tolist()
    generator.set_state(state)
    assert tinytorch.randn(3, generator=generator).tolist() == first and generator.initial_seed() == 3
    state = tinytorch.get_rng_state()
    first = tinytorch.rand(3).tolist()
    tinytorch.set_rng_state(state)
    assert tinytorch.rand(3).tolist() == first and state.dtype is tinytorch.uint8


DRAWS = """
tt.rand(7)  tt.randn(7)  tt.randint(99, (7,))  tt.randperm(20)  tt.rand_like(tt.ones(7))
tt.bernoulli(tt.full((40,), 0.5))  tt.multinomial(tt.ones(40), 7)  tt.normal(0.0, 1.0, (7,))  tt.empty(7).uniform_()
tt.empty(7).normal_()  tt.empty(7).exponential_()  tt.empty(40).bernoulli_()
"""


@pytest.mark.parametrize("expression", entries(DRAWS))
def test_a_seed_and_a_generator_make_random_numbers_repeat(expression):
    def draw(text):
        return eval(text, {"tt": tinytorch, "g": tinytorch.Generator().manual_seed(5)}).tolist()

    tinytorch.manual_seed(5)
    first, second = draw(expression), draw(expression)
    assert first != second
    tinytorch.manual_seed(5)
    assert draw(expression) == first
    assert draw(f"{expression[:-1]}{'' if expression[-2] == '(' else ', '}generator=g)") == first


def test_random_numbers_have_their_distribution():
    tinytorch.manual_seed(0)
    weights = tinytorch.tensor([[1.0, 0.0, 3.0], [2.0, 2.0, 0.0]])
    for replacement in (True, False):
        draws = [tinytorch.multinomial(weights, 1 if not replacement else 4, replacement).array for _ in range(2000)]
        shares = [np.bincount(np.concatenate([draw[row] for draw in draws]), minlength=3) for row in (0, 1)]
        shares = np.array(shares) / np.sum(shares, axis=1, keepdims=True)
        assert np.allclose(shares, [[0.25, 0, 0.75], [0.5, 0.5, 0]], atol=0.04)
    second = [tinytorch.multinomial(weights[0, [0, 2]], 2).tolist() for _ in range(2000)]
    assert abs(sum(pair == [1, 0] for pair in second) / 2000 - 0.75) < 0.04
    assert abs(tinytorch.empty(20000).exponential_(2.0).array.mean() - 0.5) < 0.02
    assert abs(tinytorch.bernoulli(tinytorch.full((20000,), 0.3)).array.mean() - 0.3) < 0.02
    assert abs(tinytorch.normal(tinytorch.full((20000,), 5.0), 2.0).array.std() - 2) < 0.05


@pytest.mark.parametrize("name", sorted(set(dir(tinytorch.Tensor)) & set(dir(torch.Tensor))))
def test_a_name_is_a_method_where_it_is_one_in_pytorch(name):
    ours = getattr(tinytorch.Tensor, name)
    assert callable(ours) == callable(getattr(torch.Tensor, name)), name
