"""Random programs, line by line in both libraries: the same values, dtypes, shapes, gradients and refusals."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import tinytorch

torch = pytest.importorskip("torch")

LIBRARIES = (torch, tinytorch)
some = settings(
    max_examples=350,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # programs are short: shrinking them costs minutes and tells little
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
fewer = settings(some, max_examples=250)


def entries(text):
    """Return what stands between double spaces or line ends."""
    return re.split(r"\s{2,}|\n", text.strip())


UNARY = entries("""
-x  +x  abs(x)  x.exp()  x.log()  x.sqrt()  x.tanh()  x.sigmoid()  x.sin()  x.cos()  x.relu()  x.square()
x.reciprocal()  x.sign()  x.floor()  x.ceil()  x.round()  x.trunc()  x.rsqrt()  x.erf()  x.log1p()  x.expm1()
x.clamp(min=0)  x.clamp(-1, 0.5)  x.detach()  x.clone()  ~x  x.float()  x.double()  x.long()  x.bool()  F.gelu(x)
F.silu(x)  F.leaky_relu(x, 0.1)  F.softplus(x)  F.elu(x)  x.isnan()  x.logical_not()  torch.nan_to_num(x)
x.contiguous()  torch.zeros_like(x) + x  x.to(torch.float64)  x.int()  torch.ones_like(x)  F.hardtanh(x)
F.logsigmoid(x)  F.relu6(x)
""")
BINARY = entries("""
x + y  x - y  x * y  x / y  x ** 2  2 ** x  x ** y  x // y  x % y  x == y  x != y  x < y  x >= y  x & y  x | y
x ^ y  torch.maximum(x, y)  torch.minimum(x, y)  torch.where(x > 0, x, y)  torch.where(x < y, y, 0.5)
torch.add(x, y)  x.masked_fill(y > 0, 1.5)  x.sub(y)  x.logical_and(y)  x.eq(y)  torch.isclose(x, y)
x.expand_as(y)  x.view_as(y)  torch.mul(y, x)  torch.div(x, y, rounding_mode="trunc")  torch.atan2(x, y)
torch.lerp(x, y, 0.3)  torch.broadcast_tensors(x, y)[0]  x.type_as(y)  torch.addcmul(x, x, y)  torch.fmod(x, y)
x.gt(y)  torch.logaddexp(x, y)
""")
NUMERIC = entries("""
x + n  n + x  x - n  n - x  x * n  n * x  x / n  n / x  x ** n  n ** x  x // n  x % n  x < n  x == n  n >= x
torch.where(x > n, x, n)  x.clamp(max=n)  x.masked_fill(x > 0, n)  torch.full_like(x, n)  x.add(n)
""")
REDUCE = entries("""
x.sum()  x.mean()  x.max()  x.min()  x.prod()  x.std()  x.var()  x.argmax()  x.all()  x.any()  x.norm()  x.amax()
x.sum(d)  x.mean(d)  x.sum(d, keepdim=True)  x.mean(dim=d, keepdim=True)  x.max(d)[0]  x.max(d)[1]  x.min(d).values
x.amax(d)  x.amin(d, keepdim=True)  x.argmax(d)  x.argmin(dim=d, keepdim=True)  x.std(d)  x.var(d, unbiased=False)
x.logsumexp(d)  x.cumsum(d)  x.softmax(d)  x.log_softmax(dim=d)  F.softmax(x, -1)  x.prod(d)  x.all(d)  x.any(d)
x.norm(dim=d)  x.sum((0, 1))  x.mean((0, -1), keepdim=True)  x.cumprod(d)  x.sort(d)[0]  x.topk(1, d)[0]  x.median()
F.normalize(x, dim=d)  F.layer_norm(x, x.shape[-1:])  x.sum(dtype=torch.float64)  x.argsort(d)  x.count_nonzero()
torch.linalg.vector_norm(x)  x.detach().unique()  x.std(d, keepdim=True)
""")
SHAPE = entries("""
x.reshape(-1)  x.view(-1)  x.flatten()  x.T  x.mT  x.t()  x.transpose(0, -1)  x.unsqueeze(d)  x.squeeze()
x.squeeze(d)  x.permute(-1, 0)  x.permute(2, 0, 1)  x.permute(1, 0)  x.flip(d)  x.roll(1, d)  x.roll(2)  x.tril()
x.triu(1)  x.diag()  x.unbind(d)[0]  x.chunk(2, d)[-1]  x.split(1, d)[0]  x.narrow(d, 0, 1)  x.select(d, 0)
x.repeat(2, 1, 1)  x.repeat(2)  x.expand(3, -1, -1)  x.expand(2, 3)  x.reshape(3, 2)  x.view(2, 3)  x.view(6)
x.reshape(2, -1)  x.movedim(0, d)  x.swapaxes(0, d)  x.flatten(1)  x.repeat_interleave(2, d)  F.pad(x, (1, 0))
x.diagonal()  x.view(x.shape[::-1])  torch.atleast_2d(x)  x.unflatten(-1, (1, -1))  x.broadcast_to(2, 2, 3)
x.split([1, 1], d)[1]  x.squeeze((0, 1))
""")
JOIN = entries("""
torch.cat([x, y])  torch.cat([x, y], d)  torch.stack([x, y])  torch.stack((x, x), d)  torch.cat((x, x), dim=d)
torch.hstack((x, y))  torch.vstack([x, y])
""")
PRODUCT = entries("""
x @ y  x @ y.T  x.matmul(y.transpose(-1, -2))  x.T @ x  x.mm(y)  x.mv(y)  x.dot(y)  torch.bmm(x, y)
torch.outer(x, y)  x.flatten() @ x.flatten()  torch.einsum("...i,...i->...", x, x)  F.linear(x, y)
torch.einsum("ij,jk->ik", x, y)  x.unsqueeze(0) @ x.mT  torch.addmm(x, x, y)  torch.tensordot(x, y, 1)
torch.einsum("ij->ji", x)
""")
GATHER = entries("""
x.gather(d, i)  torch.zeros(3, 3, dtype=x.dtype).scatter(0, i, x)  x.index_select(d, i)  x[i]  x[:, i]
x.take_along_dim(i, d)  x[i, i]  x[b]  x[..., b]  x.masked_select(b)  torch.where(b, x, -x)  F.one_hot(i)  x[b, 0]
x[i][..., None]  torch.zeros(4, dtype=x.dtype).index_add(0, i, x)  x.scatter_add(d, i, x)  F.embedding(i, x)
F.cross_entropy(x, i)
""")
IN_PLACE = entries("""
v += y  v -= y  v *= y  v /= y  v **= 2  v.add_(n)  v.mul_(n)  v.sub_(y)  v.div_(n)  v.relu_()  v.exp_()  v.zero_()
v.fill_(n)  v.clamp_(min=0)  v.copy_(y)  v[0] = n  v[0] = y  v[..., -1] += 1  v[v > 0] = n  v[v > 0] *= 2
v[:, 0] = y  v[1:].mul_(3)  v.tanh_()  v.masked_fill_(v > 0.5, n)  v[[0, 1]] = y  v[i] += 1  v.sigmoid_()
v.squeeze_()  v.unsqueeze_(0)  v.t_()  v.index_fill_(0, i, n)  v.index_add_(0, i, v[i])  v.neg_()
v.add_(y, alpha=2)  v.sqrt_()  v[b] = n  v[0, 0] = y  v.view(-1)[0] = n  v.T.mul_(2)  v.transpose(0, -1).add_(y)
v[::2] -= y  v.detach().add_(1)  v.addcmul_(v, y)  v.clamp_(-1, 1)
""")
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)  # PyTorch itself uses them as the day goes
EXCUSED = re.compile(
    "NotImplementedError|ool inputs not supported|not support bool"  # no kernel for this dtype
    "|with a bool tensor is not supported|INTERNAL ASSERT"  # mishaps of PyTorch's own backward
    "|function that returns multiple views|expected scalar type"
)
# Lines on which the two may differ in whether, or in which words, they refuse; never in a value.
KNOWN = re.compile(
    r"take_along_dim|tensordot|einsum"  # PyTorch broadcasts and joins dtypes further than we do
    r"|\.mT|softmax|repeat_interleave|unbind|F\.linear|isclose"  # tensors without dimensions or elements
    r"|\.gather\(|copy_|v\[\[0, 1\]\] = |v\[0\] = |v\[::2\] -= "  # what PyTorch finds too odd to write, and we write
    r"|\*\*|pow|logaddexp"  # negative powers of ints; what exactly a gradient is made of
)
TOO_STRICT = "single memory location"  # we refuse all writing to expanded tensors, PyTorch only most
ACCIDENT = re.compile("AxisError|(tuple|list) index out of range|cannot reshape array|could not be broadcast|Warning")
NUMBERS = ("2", "-1", "0.5", "True", "3", "-0.25", "0")
SHAPES = ((), (1,), (2,), (3,), (2, 3), (3, 2), (1, 3), (3, 3), (2, 1, 3), (2, 2, 3), (2, 3, 2), (0,), (2, 0))
KINDS = tuple(kind for kind in (UNARY, BINARY, NUMERIC, REDUCE, SHAPE, JOIN, PRODUCT, GATHER) for _ in "12")


class Program:
    """Two scopes, one of each library, in which the same lines run."""

    def __init__(self):
        self.scopes = [{"torch": lib, "F": lib.nn.functional} for lib in LIBRARIES]
        self.lines = []
        self.leaves = {}
        self.single = False  # whether some numbers have float32's precision

    def leaf(self, name, values, requires_grad):
        """Make a leaf in both libraries from one array."""
        self.lines.append(f"{name} = torch.tensor({values.tolist()}, dtype=torch.{values.dtype})")
        self.lines[-1] += ".requires_grad_()" * requires_grad
        self.leaves[name] = values
        self.single = self.single or values.dtype == np.float32
        for lib, scope in zip(LIBRARIES, self.scopes, strict=True):
            scope[name] = lib.tensor(values.copy()).requires_grad_(requires_grad)

    def run(self, line):
        """Run a line in both; return whether both passed. Fail when only one of them refuses."""
        self.lines.append(line)
        theirs, ours = (attempt(line, scope) for scope in self.scopes)
        if theirs is None and ours is None:
            return True
        if ours is None:  # what PyTorch merely has no code for, we may do
            known = EXCUSED.search(f"{type(theirs).__name__}: {theirs}") or KNOWN.search(line)
            assert known, self.report(f"PyTorch refuses: {theirs!r}")
            self.forget(line.split(" = ")[0])
        else:
            known = TOO_STRICT in str(ours) or KNOWN.search(line)
            assert theirs is not None or known, self.report(f"we refuse: {ours!r}")
            if theirs is None:
                self.forget(line.split(" = ")[0])
            assert isinstance(ours, REFUSALS), self.report(f"{ours!r} instead of {theirs!r}")
            assert known or not ACCIDENT.search(f"{type(ours).__name__}: {ours}"), self.report(
                f"unclear: {ours!r} for {theirs!r}"
            )
        self.lines.pop()
        return False

    def forget(self, name):
        """Take a tensor out of both scopes."""
        for scope in self.scopes:
            scope.pop(name, None)

    def compare(self, expression, exact_type=True):
        """Fail unless a tensor is the same in both; return PyTorch's."""
        theirs, ours = (eval(expression, scope) for scope in self.scopes)
        if theirs is None or ours is None:
            assert theirs is None and ours is None, self.report(f"{expression}: {ours} instead of {theirs}")
            return theirs
        wanted = theirs.detach().numpy()
        self.single = self.single or wanted.dtype == np.float32
        tolerance = 2e-5 if self.single else 1e-9
        same = tuple(ours.shape) == tuple(theirs.shape) and repr(ours.dtype) == repr(theirs.dtype)
        same = same and ours.requires_grad == theirs.requires_grad
        scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=1) if wanted.dtype.kind == "f" else 1
        same = same and np.allclose(ours.detach().numpy(), wanted, tolerance, tolerance * scale, equal_nan=True)
        assert same, self.report(f"{expression}: {describe(ours)} instead of {describe(theirs)}")
        return theirs

    def report(self, text):
        """Return the program with what is wrong."""
        return "\n".join([text, *self.lines])


def attempt(line, scope):
    """Run a line; return the error it raises, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns where PyTorch is silent
        try:
            exec(line, scope)
        except Exception as error:
            return error
    return None


def describe(tensor):
    """Return all that is compared of a tensor, as text."""
    return f"{tensor.detach()} {tensor.dtype} {tuple(tensor.shape)} requires_grad={tensor.requires_grad}"


def drawn_values(draw):
    """Return a leaf's array."""
    shape = draw(st.sampled_from(SHAPES))
    rng = np.random.RandomState(draw(st.integers(0, 99)))
    return np.round(rng.uniform(-2, 2, shape), 3).astype(draw(st.sampled_from(["float64", "float64", "float32"])))


def start(draw):
    """Return a program with leaves: floats that require gradients or not, indices, a mask, integers."""
    program = Program()
    rng = np.random.RandomState(draw(st.integers(0, 99)))
    for place in range(draw(st.integers(1, 3))):
        program.leaf(f"a{place}", drawn_values(draw), draw(st.sampled_from([True, True, False])))
    program.leaf("i", rng.randint(-1, 2, draw(st.sampled_from([(2,), (3,), (2, 3), (1, 1), ()]))), False)
    program.leaf("b", rng.rand(*draw(st.sampled_from([(2,), (3,), (2, 3), (3, 2)]))) > 0.5, False)
    program.leaf("k", rng.randint(-3, 4, draw(st.sampled_from(SHAPES))), False)
    return program


def names_of(program, kinds="fbiu"):
    """Return the tensors of a program whose dtype is of these kinds."""
    scope = program.scopes[0]
    return [n for n, v in scope.items() if isinstance(v, torch.Tensor) and v.detach().numpy().dtype.kind in kinds]


def fill_in(draw, program, template, target=None):
    """Return a template with tensors, numbers and a dimension put in for x, y, n, d (v: the target)."""
    floats = names_of(program, "f")
    x = target or draw(st.sampled_from(floats + floats + names_of(program)))
    ndim = program.scopes[0][x].dim()
    dim = draw(st.sampled_from([*range(-ndim, ndim), *range(-ndim, ndim), *range(-ndim, ndim), ndim]))
    parts = {"x": x, "v": x, "y": draw(st.sampled_from(floats + names_of(program))), "d": str(dim)}
    parts["n"] = draw(st.sampled_from(NUMBERS))
    tokens = tinytokens(template)
    return "".join(parts.get(token, token) for token in tokens)


def tinytokens(text):
    """Split text into names and what stands between them."""
    out, word = [], ""
    for letter in text:
        if letter.isalnum() or letter == "_":
            word += letter
        else:
            out += [word, letter]
            word = ""
    return [*out, word]


def keep(program, name):
    """Forget a tensor whose numbers are too large, not finite or too many to go on with."""
    values = program.scopes[0][name].detach().numpy()
    if values.size > 200 or (values.dtype.kind == "f" and not (np.abs(values) < 1e3).all()):
        program.forget(name)


def check_gradients(program):
    """Run backward from a weighted sum of all results, and compare the gradients of the leaves.

    PyTorch may refuse where we do not (it has no derivative of floor, it saves what was then changed in place,
    where we have a copy); then our gradients must be right by finite differences.
    """
    scope = program.scopes[0]
    results = [n for n in names_of(program, "f") if scope[n].requires_grad]
    if not results:
        return
    total = " + ".join(f"({n} * {0.5 + place}).sum().double()" for place, n in enumerate(results))
    leaves = [n for n in results if n.startswith("a") and scope[n].is_leaf]
    theirs, ours = (attempt(f"({total}).backward()", scope) for scope in program.scopes)
    program.lines.append(f"({total}).backward()")
    assert ours is None or theirs is not None, program.report(f"we refuse: {ours!r}")
    assert ours is None or isinstance(ours, REFUSALS), program.report(f"{ours!r} instead of {theirs!r}")
    for leaf in leaves if theirs is None else ():
        program.compare(f"{leaf}.grad")
    exact = not any("detach" in line or "float32" in line for line in program.lines)
    for leaf in leaves if theirs is not None and ours is None and exact else ():
        check_by_differences(program, leaf, total)


def check_by_differences(program, leaf, total):
    """Fail unless our gradient is the slope of the total, wherever the slopes on both sides are the same."""
    gradient = program.scopes[1][leaf].grad.numpy()
    values = program.leaves[leaf]
    for place in np.ndindex(values.shape):
        totals = []
        for change in (-1e-6, 0, 1e-6):
            scope = {"torch": tinytorch, "F": tinytorch.nn.functional}
            for name, array in program.leaves.items():
                moved = array.copy() if name != leaf else array + change * one_hot(array.shape, place)
                scope[name] = tinytorch.tensor(moved).requires_grad_(program.scopes[1][name].requires_grad)
            for line in program.lines[len(program.leaves) : -1]:
                exec(line, scope)
            totals.append(eval(total, scope).item())
        left, right = (totals[1] - totals[0]) * 1e6, (totals[2] - totals[1]) * 1e6
        kink = abs(left - right) > 1e-3 * max(1, abs(left))
        same = abs((left + right) / 2 - gradient[place]) < 1e-2 * max(1, abs(left))
        assert same or kink, program.report(f"{leaf}.grad{list(place)} is {gradient[place]}, the slope is {left}")


def one_hot(shape, place):
    """Return an array of zeros with a one."""
    array = np.zeros(shape)
    array[place] = 1
    return array


@some
@given(st.data())
def test_a_random_program_gives_the_same_values_and_gradients(data):
    program = start(data.draw)
    for step in range(data.draw(st.integers(1, 7))):
        template = data.draw(st.sampled_from(data.draw(st.sampled_from(KINDS))))
        if program.run(f"r{step} = {fill_in(data.draw, program, template)}"):
            program.compare(f"r{step}")
            keep(program, f"r{step}")
    check_gradients(program)


@fewer
@given(st.data())
def test_a_random_program_with_changes_in_place(data):
    program = start(data.draw)
    program.run("r = a0 * 1")
    for step in range(data.draw(st.integers(2, 8))):
        floats = names_of(program, "f")
        kind = data.draw(st.sampled_from([IN_PLACE, IN_PLACE, UNARY, BINARY, SHAPE]))
        if kind is IN_PLACE:
            target = data.draw(st.sampled_from([n for n in floats if n.startswith("r")] * 3 + floats))
            line = fill_in(data.draw, program, data.draw(st.sampled_from(kind)), target)
            if not program.run(line):
                return  # PyTorch may have done half of it
            for name in names_of(program):
                program.compare(name)
            keep(program, target)
        elif program.run(f"r{step} = {fill_in(data.draw, program, data.draw(st.sampled_from(kind)))}"):
            program.compare(f"r{step}")
            keep(program, f"r{step}")
    check_gradients(program)
