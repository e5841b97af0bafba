"""Wrong answers to the exercises of module 06: mistakes that people make, each with what its card must say."""

from checks import wrong

# ruff: noqa: F821


@wrong("record", says="the output remembers the node that made it")
def forgets_grad_fn(ctx, inputs, output):
    edges = tuple(map(edge_of, inputs))
    if not GradMode.enabled or not any(edges) or output.array.dtype.kind != "f":
        return
    ctx.edges, ctx.needs_input_grad = edges, tuple(edge is not None for edge in edges)
    ctx.shapes = tuple(x.array.shape if isinstance(x, TensorBase) else () for x in inputs)
    ctx.shape, ctx.dtype = output.array.shape, output.array.dtype
    if ctx.saves:
        ctx.save(inputs, output)
    output._requires_grad = True


@wrong("record", says="keeps its place")
def drops_constants(ctx, inputs, output):
    edges = tuple(edge for edge in map(edge_of, inputs) if edge)
    if not GradMode.enabled or not edges or output.array.dtype.kind != "f":
        return
    ctx.edges, ctx.needs_input_grad = edges, tuple(True for _ in edges)
    ctx.shapes = tuple(x.array.shape if isinstance(x, TensorBase) else () for x in inputs)
    ctx.shape, ctx.dtype = output.array.shape, output.array.dtype
    if ctx.saves:
        ctx.save(inputs, output)
    output.grad_fn = ctx
    output._requires_grad = True


@wrong("record", says="somebody asked not to record")
def ignores_the_mode(ctx, inputs, output):
    edges = tuple(map(edge_of, inputs))
    if not any(edges) or output.array.dtype.kind != "f":
        return
    ctx.edges, ctx.needs_input_grad = edges, tuple(edge is not None for edge in edges)
    ctx.shapes = tuple(x.array.shape if isinstance(x, TensorBase) else () for x in inputs)
    ctx.shape, ctx.dtype = output.array.shape, output.array.dtype
    if ctx.saves:
        ctx.save(inputs, output)
    output.grad_fn = ctx
    output._requires_grad = True


@wrong("record", says="leads to x itself")
def forgets_leaves(ctx, inputs, output):
    edges = tuple((x.grad_fn, 0) if isinstance(x, TensorBase) and x.requires_grad else None for x in inputs)
    if not GradMode.enabled or not any(edges) or output.array.dtype.kind != "f":
        return
    ctx.edges, ctx.needs_input_grad = edges, tuple(edge is not None for edge in edges)
    ctx.shapes = tuple(x.array.shape if isinstance(x, TensorBase) else () for x in inputs)
    ctx.shape, ctx.dtype = output.array.shape, output.array.dtype
    if ctx.saves:
        ctx.save(inputs, output)
    output.grad_fn = ctx
    output._requires_grad = True


@wrong("record", says="ints cannot change a little")
def records_ints(ctx, inputs, output):
    edges = tuple(map(edge_of, inputs))
    if not GradMode.enabled or not any(edges):
        return
    ctx.edges, ctx.needs_input_grad = edges, tuple(edge is not None for edge in edges)
    ctx.shapes = tuple(x.array.shape if isinstance(x, TensorBase) else () for x in inputs)
    ctx.shape, ctx.dtype = output.array.shape, output.array.dtype
    if ctx.saves:
        ctx.save(inputs, output)
    output.grad_fn = ctx
    output._requires_grad = True


@wrong("topological_order", says="y gets gradients from both of its users")
def notes_when_first_seen(targets):
    order, seen, stack = [], set(), list(targets)
    while stack:
        target = stack.pop()
        if id(target) not in seen:
            seen.add(id(target))
            order.append(target)
            if not isinstance(target, TensorBase):
                stack += [edge[0] for edge in target.edges if edge]
    return order


@wrong("topological_order", says="keep a list of your own as the stack")
def calls_itself(targets):
    order, seen = [], set()

    def visit(target):
        if id(target) not in seen:
            seen.add(id(target))
            for edge in getattr(target, "edges", ()):
                if edge:
                    visit(edge[0])
            order.append(target)

    for target in targets:
        visit(target)
    return order[::-1]


@wrong("topological_order", says="the start first")
def order_backwards(targets):
    order, seen, stack = [], set(), [(target, False) for target in targets]
    while stack:
        target, finished = stack.pop()
        if finished:
            order.append(target)
        elif id(target) not in seen:
            seen.add(id(target))
            stack.append((target, True))
            if not isinstance(target, TensorBase):
                stack += [(edge[0], False) for edge in target.edges if edge]
    return order


@wrong("topological_order", says="remember what was seen")
def walks_all_paths(targets):
    order, noted, stack = [], set(), [(target, False) for target in targets]
    while stack:
        target, finished = stack.pop()
        if finished:
            if id(target) not in noted:
                noted.add(id(target))
                order.append(target)
        else:
            stack.append((target, True))
            if not isinstance(target, TensorBase):
                stack += [(edge[0], False) for edge in target.edges if edge]
    return order[::-1]


@wrong("unbroadcast", says="so it gets the sum of both gradients")
def takes_the_first_row(grad, shape):
    while grad.ndim > len(shape):
        grad = grad[0]
    return grad


@wrong("unbroadcast", says="sum along the rows")
def sums_only_in_front(grad, shape):
    return grad.sum(axis=tuple(range(grad.ndim - len(shape))))


@wrong("unbroadcast", says="the sum of both gradients")
def averages(grad, shape):
    extra = grad.ndim - len(shape)
    stretched = [extra + i for i, want in enumerate(shape) if want != grad.shape[extra + i]]
    return grad.mean(axis=(*range(extra), *stretched)).reshape(shape)


@wrong("add_to_leaf", says="it does not replace it")
def replaces(leaf, grad):
    leaf.grad = leaf._wrap(np.array(grad, leaf.array.dtype))


@wrong("add_to_leaf", says="copy it")
def keeps_the_array(leaf, grad):
    if leaf.grad is None:
        leaf.grad = leaf._wrap(np.asarray(grad, leaf.array.dtype))
    else:
        leaf.grad.array[...] += grad


@wrong("add_to_leaf", says="added in place")
def makes_a_second_tensor(leaf, grad):
    grad = np.array(grad, leaf.array.dtype)
    leaf.grad = leaf._wrap(grad if leaf.grad is None else leaf.grad.array + grad)


@wrong("walk", says="gradients that arrive add up")
def replaces_what_is_pending(order, pending, retain_graph=False):
    for target in order:
        grads = arrived(target, pending)
        if all(grad is None for grad in grads):
            continue
        if isinstance(target, TensorBase):
            add_to_leaf(target, grads[0])
            continue
        for edge, grad in zip(target.edges, input_grads(target, grads), strict=True):
            if edge is not None and grad is not None:
                pending[edge] = fit(target, edge[0], grad)
        if not retain_graph:
            target.release()


@wrong("walk", says="not with +=")
def adds_in_place(order, pending, retain_graph=False):
    for target in order:
        grads = arrived(target, pending)
        if all(grad is None for grad in grads):
            continue
        if isinstance(target, TensorBase):
            add_to_leaf(target, grads[0])
            continue
        for edge, grad in zip(target.edges, input_grads(target, grads), strict=True):
            if edge is not None and grad is not None:
                grad = fit(target, edge[0], grad)
                if edge in pending:
                    pending[edge] += grad
                else:
                    pending[edge] = grad
        if not retain_graph:
            target.release()


@wrong("walk", says="a node that has run drops its arrays")
def never_releases(order, pending, retain_graph=False):
    for target in order:
        grads = arrived(target, pending)
        if all(grad is None for grad in grads):
            continue
        if isinstance(target, TensorBase):
            add_to_leaf(target, grads[0])
            continue
        for edge, grad in zip(target.edges, input_grads(target, grads), strict=True):
            if edge is not None and grad is not None:
                grad = fit(target, edge[0], grad)
                pending[edge] = pending[edge] + grad if edge in pending else grad


@wrong("walk", says="a node runs once, when all its gradients have arrived")
def passes_on_at_once(order, pending, retain_graph=False):
    stack = [(order[0], grads) for grads in [arrived(order[0], pending)]]
    while stack:
        target, grads = stack.pop()
        if isinstance(target, TensorBase):
            add_to_leaf(target, grads[0])
            continue
        for edge, grad in zip(target.edges, input_grads(target, grads), strict=True):
            if edge is not None and grad is not None:
                stack.append((edge[0], [fit(target, edge[0], grad)]))
        if not retain_graph and not any(target is other for other, _ in stack):
            target.release()


@wrong("walk", says="skip that one and go on with the others")
def forgets_constants(order, pending, retain_graph=False):
    for target in order:
        grads = arrived(target, pending)
        if all(grad is None for grad in grads):
            continue
        if isinstance(target, TensorBase):
            add_to_leaf(target, grads[0])
            continue
        for edge, grad in zip(target.edges, input_grads(target, grads), strict=True):
            if edge is None or grad is None:
                break
            grad = fit(target, edge[0], grad)
            pending[edge] = pending[edge] + grad if edge in pending else grad
        if not retain_graph:
            target.release()


@wrong("Add.backward", says="gradients for 2 inputs")
def only_one(ctx, g):
    return g


@wrong("Add.backward", says="this is 0.5 times the gradient")
def halves_g(ctx, g):
    return g / 2, g / 2


@wrong("Add.backward", says="no gradient arrived")
def none_for_b(ctx, g):
    return g, None


@wrong("Sub.backward", says="the sign is the wrong way round")
def same_sign(ctx, g):
    return g, g


@wrong("Sub.backward", says="the sign is the wrong way round")
def both_negative(ctx, g):
    return -g, -g


@wrong("Sub.backward", says="g belongs to others too")
def in_place(ctx, g):
    h = g.copy()
    g *= -1
    return h, g


@wrong("Neg.backward", says="the sign is the wrong way round")
def no_sign(ctx, g):
    return g


@wrong("Neg.backward", says="g changed in place")
def in_place_neg(ctx, g):
    g *= -1
    return g


@wrong("Neg.backward", says="g is missing")
def slope_only(ctx, g):
    return -np.ones_like(g)


@wrong("Mul.backward", says="the other input")
def own_input(ctx, g):
    a, b = ctx.inputs
    return g * a, g * b


@wrong("Mul.backward", says="g is missing")
def forgets_g(ctx, g):
    a, b = ctx.inputs
    return b, a


@wrong("Mul.backward", says="added to the slope")
def adds(ctx, g):
    a, b = ctx.inputs
    return g + b, g + a


@wrong("Div.backward", says="the sign is the wrong way round")
def no_minus(ctx, g):
    a, b = ctx.inputs
    return g / b, g * a / (b * b)


@wrong("Div.backward", says="b is missing below the line")
def no_square(ctx, g):
    a, b = ctx.inputs
    return g / b, -g * a / b


@wrong("Div.backward", says="the slope of a product: in a quotient")
def as_mul(ctx, g):
    a, b = ctx.inputs
    return g * b, -g * a / (b * b)


@wrong("Pow.backward", says="the exponent must be lowered by 1")
def exponent_not_lowered(ctx, g):
    a, b = ctx.inputs
    return g * b * a**b, g * a**b * np.log(a)


@wrong("Pow.backward", says="the exponent is missing as a factor")
def no_factor(ctx, g):
    a, b = ctx.inputs
    return g * a ** (b - 1), g * a**b * np.log(a)


@wrong("Pow.backward", says="not 0 * inf")
def nan_at_zero(ctx, g):
    a, b = ctx.inputs
    for_a, for_b = ctx.needs_input_grad
    return g * b * np.asarray(a, float) ** (b - 1.0) if for_a else None, g * a**b * np.log(a) if for_b else None


@wrong("Pow.backward", says="nobody asked")
def works_for_nobody(ctx, g):
    a, b = ctx.inputs
    ga = np.where(np.equal(b, 0), 0, g * b * as_float(np.asarray(a)) ** (b - 1))
    return ga, np.where(np.equal(a, 0) & np.greater_equal(b, 0), 0, g * a**b * np.log(a))


@wrong("Exp.backward", says="this is the exponential of g")
def of_g(ctx, g):
    return g * np.exp(g)


@wrong("Exp.backward", says="here a itself is the exponent")
def power_rule(ctx, g):
    return g * ctx.output / np.e


@wrong("Exp.backward", says="g is missing")
def no_g(ctx, g):
    return ctx.output


@wrong("Log.backward", says="this grows with a")
def multiplies(ctx, g):
    (a,) = ctx.inputs
    return g * a


@wrong("Log.backward", says="this is upside down")
def upside_down(ctx, g):
    (a,) = ctx.inputs
    return a / g


@wrong("Log.backward", says="g is missing")
def no_g2(ctx, g):
    (a,) = ctx.inputs
    return 1 / a


@wrong("MatMul.backward", says="let the shapes lead")
def no_transpose_order(ctx, g):
    a, b = ctx.inputs
    return b @ g.T, g.T @ a


@wrong("MatMul.backward", says="the last two dimensions only")
def full_transpose(ctx, g):
    a, b = ctx.inputs
    if a.ndim == 2 == b.ndim:
        return g @ b.T, a.T @ g
    if a.ndim == 1 == b.ndim:
        return g * b, g * a
    if b.ndim == 1:
        return np.outer(g, b), a.T @ g
    if a.ndim == 1:
        return b @ g, np.outer(a, g)
    return g @ b.T, a.T @ g


@wrong("MatMul.backward", says="a vector on the right counts as one column")
def no_vectors(ctx, g):
    a, b = ctx.inputs
    return g @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ g


@wrong("Sum.backward", says="must be put back with size 1")
def no_restore(ctx, g):
    return np.broadcast_to(g, ctx.shapes[0])


@wrong("Sum.backward", says="this is 0.0333 times the gradient")
def divides(ctx, g):
    shape = ctx.shapes[0]
    return np.broadcast_to(restore_dims(g, shape, **ctx.options), shape) / math.prod(shape)


@wrong("Sum.backward", says="g is missing")
def ones(ctx, g):
    return np.ones(ctx.shapes[0])


@wrong("Mean.backward", says="the gradient of a sum: a mean divides it")
def as_sum(ctx, g):
    shape = ctx.shapes[0]
    return np.broadcast_to(restore_dims(g, shape, **ctx.options), shape)


@wrong("Mean.backward", says="divided by all 30 elements")
def by_all(ctx, g):
    shape = ctx.shapes[0]
    return np.broadcast_to(restore_dims(g, shape, **ctx.options), shape) / math.prod(shape)


@wrong("Mean.backward", says="the gradient of a sum: a mean divides it")
def by_results(ctx, g):
    shape = ctx.shapes[0]
    return np.broadcast_to(restore_dims(g, shape, **ctx.options), shape) / max(g.size, 1)


@wrong("Max.backward", says="only the largest element can move")
def everybody_wins(ctx, g):
    return np.broadcast_to(restore_dims(g, ctx.shapes[0], **ctx.options), ctx.shapes[0])


@wrong("Max.backward", says="share the gradient")
def all_get_all(ctx, g):
    (a,) = ctx.inputs
    dim, keepdim = ctx.options["dim"], ctx.options.get("keepdim", False)
    return restore_dims(g, a.shape, dim, keepdim) * (a == a.max(axis=dim, keepdims=True))


@wrong("Max.backward", says="the first of equal elements gets all")
def shares_over_dim(ctx, g):
    (a,) = ctx.inputs
    dim, keepdim = ctx.options["dim"], ctx.options.get("keepdim", False)
    largest = a == a.max(axis=dim, keepdims=True)
    return restore_dims(g, a.shape, dim, keepdim) * largest / largest.sum(axis=dim, keepdims=True)


@wrong("Max.backward", says="the largest got the gradient of a minimum")
def forgets_find(ctx, g):
    (a,), dim = ctx.inputs, ctx.options["dim"]
    if dim is None:
        largest = (a == a.max()) | (np.isnan(a) & np.isnan(a).any())
        return g * largest / largest.sum()
    out = np.zeros_like(a)
    place = np.expand_dims(ctx.find(a, axis=dim), dim)
    np.put_along_axis(out, place, restore_dims(g, a.shape, **ctx.options), axis=dim)
    return out


@wrong("Max.backward", says="with another ctx.find")
def always_argmax(ctx, g):
    (a,), dim = ctx.inputs, ctx.options["dim"]
    if dim is None:
        largest = (a == a.flat[ctx.find(a)]) | (np.isnan(a) & np.isnan(a).any())
        return g * largest / largest.sum()
    out = np.zeros_like(a)
    place = np.expand_dims(np.argmax(a, axis=dim), dim)
    np.put_along_axis(out, place, restore_dims(g, a.shape, **ctx.options), axis=dim)
    return out


@wrong("Max.backward", says="and not the output")
def compares_with_output(ctx, g):
    (a,) = ctx.inputs
    return g * (a == ctx.output)


@wrong("Reshape.backward", says="in the same order")
def as_it_is(ctx, g):
    return g


@wrong("Reshape.backward", says="in the same order")
def transposes(ctx, g):
    return g.T.reshape(ctx.shapes[0])


@wrong("Reshape.backward", says="in the same order")
def flat(ctx, g):
    return g.reshape(-1)


@wrong("Permute.backward", says="the inverse order")
def same_order(ctx, g):
    return g.transpose(ctx.options["dims"])


@wrong("Permute.backward", says="bring dims to 0, 1, 2")
def negative_dims(ctx, g):
    return g.transpose(np.argsort(ctx.options["dims"]))


@wrong("Permute.backward", says="the inverse order")
def reshapes(ctx, g):
    return g.reshape(ctx.shapes[0])


@wrong("Index.backward", says="its two gradients add up")
def last_wins(ctx, g):
    out = np.zeros(ctx.shapes[0], g.dtype)
    out[ctx.options["index"]] = g
    return out


@wrong("Index.backward", says="what was not taken moves nothing")
def ones_elsewhere(ctx, g):
    out = np.ones(ctx.shapes[0], g.dtype)
    out[ctx.options["index"]] = g
    return out


@wrong("Index.backward", says="goes back to where its element was taken")
def index_of_g(ctx, g):
    return np.broadcast_to(g.sum(), ctx.shapes[0])


@wrong("Cat.backward", says="as many as it brought")
def equal_parts(ctx, g):
    size = g.shape[0] // len(ctx.shapes)
    return tuple(g[i * size : (i + 1) * size] for i in range(len(ctx.shapes)))


@wrong("Cat.backward", says="cut along the dim that was joined")
def always_rows(ctx, g):
    return tuple(np.split(g, np.cumsum([shape[0] for shape in ctx.shapes])[:-1], axis=0))


@wrong("Cat.backward", says="each array gets its own rows of g")
def whole_g(ctx, g):
    return tuple(g for _ in ctx.shapes)


@wrong("Where.backward", says="came from one of the two")
def both_g(ctx, g):
    return None, g, g


@wrong("Where.backward", says="the gradient of the other input")
def swapped(ctx, g):
    c = ctx.inputs[0]
    return None, np.where(c, 0, g), np.where(c, g, 0)


@wrong("Where.backward", says="0 * inf is nan")
def multiplies_mask(ctx, g):
    c = ctx.inputs[0]
    return None, g * c, g * ~c


@wrong("ReLU.backward", says="the slope is missing")
def passes_all(ctx, g):
    return g


@wrong("ReLU.backward", says="one on each side of 0")
def one_at_zero(ctx, g):
    return g * (ctx.output >= 0)


@wrong("ReLU.backward", says="the slope is the same everywhere")
def no_gate(ctx, g):
    return g * ctx.output


@wrong("LeakyReLU.backward", says="left of 0 this one is not flat")
def as_relu(ctx, g):
    return g * (ctx.inputs[0] > 0)


@wrong("LeakyReLU.backward", says="0 belongs to the left side")
def zero_is_right(ctx, g):
    return np.where(ctx.inputs[0] >= 0, g, g * ctx.options["negative_slope"])


@wrong("LeakyReLU.backward", says="when nobody says otherwise")
def always_a_hundredth(ctx, g):
    return np.where(ctx.inputs[0] > 0, g, g * 0.01)


@wrong("LeakyReLU.backward", says="the two sides are exchanged")
def sides_exchanged(ctx, g):
    return np.where(ctx.inputs[0] > 0, g * ctx.options["negative_slope"], g)


@wrong("Sigmoid.backward", says="does not become flat on the right")
def square(ctx, g):
    return g * ctx.output * ctx.output


@wrong("Sigmoid.backward", says="does not become flat on the left")
def no_first(ctx, g):
    return g * (1 - ctx.output)


@wrong("Sigmoid.backward", says="leave what the node keeps")
def in_place_out(ctx, g):
    out = ctx.output
    out *= 1 - out
    return g * out


@wrong("Tanh.backward", says="does not become flat on the left")
def not_squared(ctx, g):
    return g * (1 - ctx.output)


@wrong("Tanh.backward", says="the sign is the wrong way round")
def sign(ctx, g):
    return g * (ctx.output**2 - 1)


@wrong("Tanh.backward", says="this is the slope of a sigmoid")
def like_sigmoid(ctx, g):
    return g * ctx.output * (1 - ctx.output)


@wrong("GELU.backward", says="half of the product rule: cdf(a) moves")
def only_cdf(ctx, g):
    return g * ctx.cdf


@wrong("GELU.backward", says="half of the product rule: the factor a moves")
def only_density(ctx, g):
    (a,) = ctx.inputs
    return g * a * np.exp(-a * a / 2) / math.sqrt(2 * math.pi)


@wrong("GELU.backward", says="the slope of the exact form")
def exact_for_both(ctx, g):
    (a,) = ctx.inputs
    return g * (ctx.cdf + a * np.exp(-a * a / 2) / math.sqrt(2 * math.pi))


@wrong("SiLU.backward", says="half of the product rule: the sigmoid moves")
def only_sigmoid(ctx, g):
    return g * ctx.sigmoid


@wrong("SiLU.backward", says="half of the product rule: the factor a moves")
def only_slope_of_sigmoid(ctx, g):
    (a,) = ctx.inputs
    return g * a * ctx.sigmoid * (1 - ctx.sigmoid)


@wrong("SiLU.backward", says="g is missing")
def silu_without_g(ctx, g):
    (a,), s = ctx.inputs, ctx.sigmoid
    return s + a * s * (1 - s)


@wrong("Softmax.backward", says="raising one score also lowers the others")
def element_wise(ctx, g):
    return g * ctx.output * (1 - ctx.output)


@wrong("Softmax.backward", says="each row has one of its own")
def over_all(ctx, g):
    out = ctx.output
    return out * (g - (g * out).sum())


@wrong("Softmax.backward", says="they were summed without g")
def forgets_g_in_sum(ctx, g):
    out = ctx.output
    return out * (g - out.sum(axis=ctx.options["dim"], keepdims=True))


@wrong("LogSoftmax.backward", says="as if each number stood alone")
def no_sum(ctx, g):
    return g - np.exp(ctx.output) * g


@wrong("LogSoftmax.backward", says="the slope has the chances")
def no_exp(ctx, g):
    return g - ctx.output * g.sum(axis=ctx.options["dim"], keepdims=True)


@wrong("LogSoftmax.backward", says="each row has one of its own")
def over_everything(ctx, g):
    return g - np.exp(ctx.output) * g.sum()


@wrong("LogSumExp.backward", says="the slope of the logarithm is missing")
def forgets_out(ctx, g):
    (a,), dim, keepdim = ctx.inputs, ctx.options["dim"], ctx.options["keepdim"]
    return restore_dims(g, a.shape, dim, keepdim) * np.exp(a)


@wrong("LogSumExp.backward", says="subtract before the exponential")
def overflows(ctx, g):
    (a,), dim, keepdim = ctx.inputs, ctx.options["dim"], ctx.options["keepdim"]
    return restore_dims(g, a.shape, dim, keepdim) * np.exp(a) / np.exp(a).sum(axis=dim, keepdims=True)


@wrong("LogSumExp.backward", says="divided by its own sum")
def restores_only_g(ctx, g):
    (a,), dim, keepdim = ctx.inputs, ctx.options["dim"], ctx.options["keepdim"]
    return restore_dims(g, a.shape, dim, keepdim) * np.exp(a - ctx.output.mean())


@wrong("NLL.rows_grad", says="the sign is the wrong way round")
def nll_plus(ctx, scale):
    out = np.zeros((len(ctx.index), ctx.shapes[0][min(len(ctx.shapes[0]) - 1, 1)]), ctx.dtype)
    out[ctx.pick(out)] = scale * ctx.weights
    return out


@wrong("NLL.rows_grad", says="as the weight of its class says")
def nll_without_weights(ctx, scale):
    out = np.zeros((len(ctx.index), ctx.shapes[0][min(len(ctx.shapes[0]) - 1, 1)]), ctx.dtype)
    out[ctx.pick(out)] = -scale
    return out


@wrong("NLL.rows_grad", says="the class of one row was set in every row")
def nll_whole_columns(ctx, scale):
    out = np.zeros((len(ctx.index), ctx.shapes[0][min(len(ctx.shapes[0]) - 1, 1)]), ctx.dtype)
    out[:, ctx.index] = -(scale * ctx.weights)[:, None]
    return out


@wrong("NLL.rows_grad", says="as many as ctx.index has")
def nll_rows_of_scale(ctx, scale):
    out = np.zeros((len(scale), ctx.shapes[0][min(len(ctx.shapes[0]) - 1, 1)]), ctx.dtype)
    out[0, ctx.index] = -scale * ctx.weights
    return out


@wrong("NLL.rows_grad", says="its only size is the number of classes")
def nll_shape_of_a(ctx, scale):
    out = np.zeros(ctx.shapes[0], ctx.dtype)
    out[ctx.pick(out)] = -scale * ctx.weights
    return out


@wrong("CrossEntropy.rows_grad", says="the second part is missing")
def only_softmax(ctx, scale):
    return ctx.exp * (scale * ctx.weights / ctx.total)[:, None]


@wrong("CrossEntropy.rows_grad", says="as the weight of its class says")
def forgets_weights(ctx, scale):
    out = ctx.exp * (scale / ctx.total)[:, None]
    out[ctx.pick(out)] -= scale
    return out


@wrong("CrossEntropy.rows_grad", says="the scale is missing")
def forgets_scale(ctx, scale):
    out = ctx.exp / ctx.total[:, None]
    out[ctx.pick(out)] -= 1
    return out


@wrong("BinaryCrossEntropy.backward", says="the sign is the wrong way round")
def truth_first(ctx, g):
    a, t = ctx.inputs
    return g * (t - a) / np.maximum(a * (1 - a), 1e-12), None


@wrong("BinaryCrossEntropy.backward", says="counts as 1e-12 at least")
def divides_by_zero(ctx, g):
    a, t = ctx.inputs
    with np.errstate(all="ignore"):
        return g * (a - t) / (a * (1 - a)), g * (np.log1p(-a) - np.log(a)) if ctx.needs_input_grad[1] else None


@wrong("BinaryCrossEntropy.backward", says="this is the slope in a logit")
def as_if_of_logits(ctx, g):
    a, t = ctx.inputs
    return g * (a - t), None


@wrong("_Mode.__enter__", says="inside enable_grad() inside no_grad()")
def only_off_ter(self):
    self.before = GradMode.enabled, GradMode.inference
    GradMode.enabled = False


@wrong("_Mode.__enter__", says="before you change it")
def notes_too_late_ter(self):
    GradMode.enabled, GradMode.inference = self.enabled, self.inference
    self.before = GradMode.enabled, GradMode.inference


@wrong("_Mode.__enter__", says="before you change it")
def notes_nothing_ter(self):
    GradMode.enabled, GradMode.inference = self.enabled, self.inference


@wrong("_Mode.__exit__", says="which is not always True")
def always_on_xit(self, *error):
    GradMode.enabled, GradMode.inference = True, False


@wrong("_Mode.__exit__", says="an error inside the block goes on")
def swallows_xit(self, *error):
    GradMode.enabled, GradMode.inference = self.before
    return True


@wrong("_Mode.__exit__", says="an error puts the mode back")
def not_after_errors_xit(self, *error):
    if error[0] is None:
        GradMode.enabled, GradMode.inference = self.before


@wrong("differences", says="put every number back")
def moves_and_stays(func, inputs, x, number, eps):
    flat, columns = x.array.reshape(-1), []
    with no_grad():
        for j in range(flat.size):
            ends = []
            for step in (eps, -2 * eps):
                flat[j] += step
                ends.append(as_tuple(func(*inputs))[number].array.ravel().copy())
            columns.append((ends[0] - ends[1]) / (2 * eps))
    return np.stack(columns, axis=1)


@wrong("differences", says="one row for each output")
def divides_by_one_eps(func, inputs, x, number, eps):
    flat, columns = x.array.reshape(-1), []
    with no_grad():
        for j in range(flat.size):
            value, ends = flat[j], []
            for shifted in (value + eps, value - eps):
                flat[j] = shifted
                ends.append(as_tuple(func(*inputs))[number].array.ravel().copy())
            flat[j] = value
            columns.append((ends[0] - ends[1]) / eps)
    return np.stack(columns, axis=1)


@wrong("differences", says="6 rows, 2 columns")
def stacks_rows(func, inputs, x, number, eps):
    flat, columns = x.array.reshape(-1), []
    with no_grad():
        for j in range(flat.size):
            value, ends = flat[j], []
            for shifted in (value + eps, value - eps):
                flat[j] = shifted
                ends.append(as_tuple(func(*inputs))[number].array.ravel().copy())
            flat[j] = value
            columns.append((ends[0] - ends[1]) / (2 * eps))
    return np.stack(columns, axis=0)


@wrong("gradcheck", says="inputs = as_tuple(inputs)")
def takes_only_tuples(func, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    places = [(place, x) for place, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        raise ValueError("gradcheck expects at least one input that requires grad")
    for number, out in enumerate(as_tuple(func(*inputs))):
        for place, x in places if out.requires_grad else []:
            numerical, analytical = differences(func, inputs, x, number, eps), jacobian(out, x)
            close = np.isclose(analytical, numerical, rtol, atol)
            if not close.all():
                if raise_exception:
                    raise GradcheckError(mismatch(number, place, out, x, analytical, numerical, close))
                return False
    return True


@wrong("gradcheck", says="check every input")
def only_the_first_input(func, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    inputs = as_tuple(inputs)
    places = [(place, x) for place, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        raise ValueError("gradcheck expects at least one input that requires grad")
    place, x = places[0]
    for number, out in enumerate(as_tuple(func(*inputs))):
        numerical, analytical = differences(func, inputs, x, number, eps), jacobian(out, x)
        close = np.isclose(analytical, numerical, rtol, atol)
        if not close.all():
            if raise_exception:
                raise GradcheckError(mismatch(number, place, out, x, analytical, numerical, close))
            return False
    return True


@wrong("gradcheck", says="all of them must be close")
def one_close_is_enough(func, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    inputs = as_tuple(inputs)
    places = [(place, x) for place, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        raise ValueError("gradcheck expects at least one input that requires grad")
    for number, out in enumerate(as_tuple(func(*inputs))):
        for place, x in places:
            if not out.requires_grad:
                continue
            numerical, analytical = differences(func, inputs, x, number, eps), jacobian(out, x)
            diagonal = np.isclose(analytical[:1], numerical[:1], rtol, atol)
            if not diagonal.all():
                if raise_exception:
                    raise GradcheckError(mismatch(number, place, out, x, analytical, numerical, diagonal))
                return False
    return True


@wrong("gradcheck", says="backward says 3 a where 2 a is right")
def never_raises(func, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    inputs = as_tuple(inputs)
    places = [(place, x) for place, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        raise ValueError("gradcheck expects at least one input that requires grad")
    for number, out in enumerate(as_tuple(func(*inputs))):
        for place, x in places:
            numerical, analytical = differences(func, inputs, x, number, eps), jacobian(out, x)
            if not np.allclose(analytical, numerical, rtol, atol):
                return False
    return True


@wrong("gradcheck", says="close enough")
def compares_exactly(func, inputs, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True):
    inputs = as_tuple(inputs)
    places = [(place, x) for place, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        raise ValueError("gradcheck expects at least one input that requires grad")
    for number, out in enumerate(as_tuple(func(*inputs))):
        for place, x in places if out.requires_grad else []:
            numerical, analytical = differences(func, inputs, x, number, eps), jacobian(out, x)
            close = np.isclose(analytical, numerical, 1e-3, 1e-5)
            if not close.all():
                if raise_exception:
                    raise GradcheckError(mismatch(number, place, out, x, analytical, numerical, close))
                return False
    return True


@wrong("add_hook", says="None leaves the gradient as it is")
def none_goes_on(tensor, function):
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")

    def hook(grad):
        result = function(tensor._wrap(grad))
        return None if result is None else grad

    target = tensor if tensor.grad_fn is None else tensor.grad_fn
    entry = (tensor.output_nr, hook)
    target.hooks = (*target.hooks, entry)
    return RemovableHandle(target, entry)


@wrong("add_hook", says="this hook away again")
def no_handle(tensor, function):
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")

    def hook(grad):
        result = function(tensor._wrap(grad))
        return grad if result is None else result.array

    target = tensor if tensor.grad_fn is None else tensor.grad_fn
    target.hooks = (*target.hooks, (tensor.output_nr, hook))


@wrong("add_hook", says="no gradient will ever arrive")
def no_error(tensor, function):
    def hook(grad):
        result = function(tensor._wrap(grad))
        return grad if result is None else result.array

    target = tensor if tensor.grad_fn is None else tensor.grad_fn
    entry = (tensor.output_nr, hook)
    target.hooks = (*target.hooks, entry)
    return RemovableHandle(target, entry)


@wrong("retain_grad", says="and it goes on")
def swallows_grad_gr(tensor):
    def keep(grad):
        add_to_leaf(tensor, grad)

    tensor.grad_fn.keepers = (*tensor.grad_fn.keepers, (tensor.output_nr, keep))


@wrong("retain_grad", says="asking twice")
def twice_gr(tensor):
    if tensor.grad_fn is None:
        return

    def keep(grad):
        add_to_leaf(tensor, grad)
        return grad

    tensor.grad_fn.keepers = (*tensor.grad_fn.keepers, (tensor.output_nr, keep))


@wrong("retain_grad", says="hold it by a weakref")
def holds_strongly_gr(tensor):
    if tensor.grad_fn is None or getattr(tensor, "retains_grad", False):
        return

    def keep(grad):
        add_to_leaf(tensor, grad)
        return grad

    tensor.retains_grad = True
    tensor.grad_fn.keepers = (*tensor.grad_fn.keepers, (tensor.output_nr, keep))


@wrong("_Checkpoint.backward", says="w is no argument, but f uses it")
def forgets_parameters(self, *arrays):
    with enable_grad():
        result, copies = self.run()
    outputs = [edge_of(x) for x in as_tuple(result) if x.grad_fn is not None]
    wanted = [edge_of(x) for x in copies]
    found = iter(run_backward(outputs, [g.array for g in self.arrived(arrays)], False, [e for e in wanted if e]))
    return (*(edge and next(found) for edge in wanted), *[None] * len(self.parameters))


@wrong("_Checkpoint.backward", says="must draw the numbers of the first")
def new_random_numbers(self, *arrays):
    with enable_grad():
        result, copies = self.run()
    outputs = [edge_of(x) for x in as_tuple(result) if x.grad_fn is not None]
    wanted = [edge_of(x) for x in (*copies, *self.parameters)]
    found = iter(run_backward(outputs, [g.array for g in self.arrived(arrays)], False, [e for e in wanted if e]))
    return tuple(edge and next(found) for edge in wanted)


@wrong("_Checkpoint.backward", says="put the state back")
def never_puts_back(self, *arrays):
    default_generator.rng.bit_generator.state = self.state
    with enable_grad():
        result, copies = self.run()
    outputs = [edge_of(x) for x in as_tuple(result) if x.grad_fn is not None]
    wanted = [edge_of(x) for x in (*copies, *self.parameters)]
    found = iter(run_backward(outputs, [g.array for g in self.arrived(arrays)], False, [e for e in wanted if e]))
    default_generator.rng.random(7)
    return tuple(edge and next(found) for edge in wanted)


@wrong("_Checkpoint.backward", says="found by running f again")
def runs_without_recording(self, *arrays):
    random = default_generator.rng.bit_generator
    now = random.state
    random.state = now if self.state is None else self.state
    with no_grad():
        result, copies = self.run()
    random.state = random.state if self.state is None else now
    return (*[None] * len(copies), *[None] * len(self.parameters))
