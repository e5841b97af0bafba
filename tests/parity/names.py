"""The names of PyTorch that ordinary scripts use, and how many of them tinytorch has.

A considered list: what tutorials, course assignments and small research scripts for one CPU call; no sparse or
complex tensors, no distributed training, no compiler.
"""

import contextlib
import importlib

import tinytorch

NAMES = {
    "torch": """
        Tensor tensor as_tensor from_numpy zeros ones empty full zeros_like ones_like empty_like full_like
        arange
        linspace logspace eye rand randn randint randperm rand_like randn_like randint_like normal bernoulli
        multinomial
        manual_seed seed initial_seed Generator default_generator get_rng_state set_rng_state
        float32 float64 float16 float double half int8 int16 int32 int64 uint8 short int long bool dtype device
        Size
        get_default_dtype set_default_dtype finfo iinfo is_tensor is_floating_point is_grad_enabled numel
        result_type promote_types can_cast broadcast_shapes set_printoptions
        no_grad enable_grad inference_mode set_grad_enabled autograd nn optim utils cuda backends save load
        cat concat concatenate stack hstack vstack dstack column_stack split chunk tensor_split unbind
        reshape flatten unflatten ravel squeeze unsqueeze permute transpose t movedim swapaxes swapdims
        flip fliplr flipud roll rot90 tile repeat_interleave broadcast_to broadcast_tensors narrow select
        index_select index_add index_copy index_fill masked_select masked_fill masked_scatter gather scatter
        scatter_add
        take take_along_dim where nonzero argwhere tril triu tril_indices triu_indices diag diag_embed diagonal
        diagflat meshgrid cartesian_prod combinations block_diag clone atleast_1d atleast_2d atleast_3d
        add sub subtract mul multiply div divide true_divide floor_divide remainder fmod pow neg negative abs
        absolute
        sign sqrt rsqrt square exp exp2 expm1 log log2 log10 log1p reciprocal ceil floor round trunc frac clamp
        clip
        sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh atanh erf erfc erfinv sigmoid relu softmax
        log_softmax logsumexp logaddexp logit lerp addcmul addcdiv maximum minimum fmax fmin nan_to_num
        isnan isinf isfinite isclose allclose equal eq ne lt le gt ge logical_and logical_or logical_not
        logical_xor
        bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift
        sum mean prod std var std_mean var_mean max min amax amin aminmax argmax argmin median nanmedian mode
        quantile
        nansum nanmean all any count_nonzero norm cumsum cumprod cummax cummin logcumsumexp diff
        sort argsort topk kthvalue unique unique_consecutive bincount histc searchsorted bucketize isin
        matmul mm bmm mv dot outer inner addmm addmv baddbmm einsum tensordot kron cross trace cdist cov
        corrcoef
        linalg.norm linalg.vector_norm linalg.matrix_norm linalg.inv linalg.det linalg.solve linalg.qr
        linalg.svd
        linalg.eigh linalg.cholesky linalg.matrix_rank linalg.pinv inverse det
        cuda.is_available cuda.device_count cuda.manual_seed_all backends.mps.is_available
        get_num_threads set_num_threads __version__ pi inf nan e newaxis strided contiguous_format
    """,
    "torch.Tensor": """
        shape dtype device ndim T mT data grad grad_fn requires_grad is_leaf nbytes itemsize layout
        size dim numel nelement element_size stride is_contiguous contiguous data_ptr item tolist numpy clone
        detach
        detach_ cpu cuda to type type_as float double half int long short char byte bool is_floating_point
        get_device
        requires_grad_ retain_grad register_hook backward zero_ fill_ copy_ normal_ uniform_ random_ bernoulli_
        exponential_ view view_as reshape reshape_as flatten unflatten ravel squeeze unsqueeze squeeze_
        unsqueeze_
        permute transpose t movedim swapaxes expand expand_as repeat repeat_interleave tile broadcast_to unfold
        narrow
        select split chunk unbind flip fliplr flipud roll rot90 index_select index_add index_add_ index_copy_
        index_fill index_fill_ index_put_ masked_fill masked_fill_ masked_select masked_scatter_ gather scatter
        scatter_
        scatter_add scatter_add_ take where nonzero tril triu tril_ triu_ diag diagonal diag_embed
        add sub mul div pow neg abs sign sqrt rsqrt square exp log log2 log10 log1p reciprocal ceil floor round
        trunc
        clamp clip add_ sub_ mul_ div_ pow_ neg_ abs_ sqrt_ exp_ log_ clamp_ clamp_min clamp_max clamp_min_
        ceil_ floor_
        round_ sigmoid_ relu_ tanh_ addcmul_ addcdiv_ lerp lerp_ addmm addmm_ sin cos tan tanh asin acos atan
        atan2
        sinh cosh erf sigmoid relu softmax log_softmax logsumexp logit maximum minimum fmod remainder
        floor_divide
        isnan isinf isfinite isclose allclose equal eq ne lt le gt ge logical_and logical_or logical_not
        logical_xor
        sum mean prod std var max min amax amin argmax argmin median mode quantile nansum all any count_nonzero
        norm
        cumsum cumprod cummax diff sort argsort topk kthvalue unique bincount histc
        matmul mm bmm mv dot outer inner baddbmm cross trace det inverse new_zeros new_ones new_full new_tensor
        new_empty zero_ data_ptr is_cuda share_memory_ pin_memory apply_ map_ bitwise_and bitwise_or
        logical_not_
        __len__ __iter__ __getitem__ __setitem__ __contains__ __bool__ __float__ __int__ __index__ __format__
        __array__
        __add__ __radd__ __iadd__ __sub__ __rsub__ __mul__ __rmul__ __truediv__ __rtruediv__ __floordiv__
        __mod__
        __pow__ __rpow__ __matmul__ __rmatmul__ __neg__ __abs__ __invert__ __and__ __or__ __xor__ __lt__ __eq__
        __hash__
        __deepcopy__ __reduce_ex__ __reversed__ __imul__ __itruediv__ __isub__ __ipow__
    """,
    "torch.nn": """
        Module Parameter Sequential ModuleList ModuleDict ParameterList ParameterDict Identity Flatten Unflatten
        Linear Bilinear Conv1d Conv2d ConvTranspose2d MaxPool1d MaxPool2d AvgPool1d AvgPool2d AdaptiveAvgPool1d
        AdaptiveAvgPool2d AdaptiveMaxPool2d BatchNorm1d BatchNorm2d LayerNorm GroupNorm InstanceNorm2d RMSNorm
        Dropout
        Dropout1d Dropout2d Embedding EmbeddingBag MultiheadAttention TransformerEncoderLayer TransformerEncoder
        RNN
        LSTM GRU RNNCell LSTMCell GRUCell ReLU ReLU6 LeakyReLU PReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh
        Softmax
        LogSoftmax Softmin Softplus Softsign Softshrink Hardshrink Tanhshrink Hardtanh Hardsigmoid Hardswish
        LogSigmoid
        Threshold GLU MSELoss L1Loss SmoothL1Loss HuberLoss CrossEntropyLoss NLLLoss BCELoss BCEWithLogitsLoss
        KLDivLoss
        CosineSimilarity CosineEmbeddingLoss PairwiseDistance TripletMarginLoss MarginRankingLoss
        HingeEmbeddingLoss
        SoftMarginLoss GaussianNLLLoss PoissonNLLLoss MultiMarginLoss Upsample PixelShuffle ZeroPad2d
        ReflectionPad2d
        ReplicationPad2d ConstantPad2d Unfold Fold functional init utils parameter.Parameter
        utils.clip_grad_norm_ utils.clip_grad_value_ utils.parameters_to_vector utils.vector_to_parameters
        init.uniform_ init.normal_ init.trunc_normal_ init.constant_ init.zeros_ init.ones_ init.eye_
        init.orthogonal_
        init.xavier_uniform_ init.xavier_normal_ init.kaiming_uniform_ init.kaiming_normal_ init.calculate_gain
    """,
    "torch.nn.Module": """
        forward __call__ parameters named_parameters modules named_modules children named_children buffers
        named_buffers
        register_buffer register_parameter register_module add_module get_submodule get_parameter get_buffer
        train eval
        zero_grad requires_grad_ to cpu cuda float double half state_dict load_state_dict apply extra_repr
        register_forward_hook register_forward_pre_hook register_full_backward_hook __repr__
    """,
    "torch.nn.functional": """
        linear bilinear relu relu6 leaky_relu prelu elu selu celu gelu silu mish sigmoid tanh softmax
        log_softmax
        softmin softplus softsign softshrink hardshrink tanhshrink hardtanh hardsigmoid hardswish logsigmoid
        threshold glu
        dropout dropout1d dropout2d mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss
        binary_cross_entropy binary_cross_entropy_with_logits kl_div cosine_similarity cosine_embedding_loss
        pairwise_distance triplet_margin_loss margin_ranking_loss hinge_embedding_loss soft_margin_loss
        gaussian_nll_loss poisson_nll_loss multi_margin_loss conv1d conv2d conv_transpose2d max_pool1d
        max_pool2d
        avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d batch_norm layer_norm
        group_norm instance_norm rms_norm normalize embedding embedding_bag one_hot scaled_dot_product_attention
        multi_head_attention_forward pad interpolate pixel_shuffle unfold fold gumbel_softmax
    """,
    "torch.optim": """
        Optimizer SGD Adam AdamW RMSprop Adagrad Adadelta Adamax NAdam RAdam LBFGS lr_scheduler
        lr_scheduler.LRScheduler lr_scheduler.StepLR lr_scheduler.MultiStepLR lr_scheduler.ExponentialLR
        lr_scheduler.ConstantLR lr_scheduler.LinearLR lr_scheduler.PolynomialLR lr_scheduler.LambdaLR
        lr_scheduler.MultiplicativeLR lr_scheduler.CosineAnnealingLR lr_scheduler.CosineAnnealingWarmRestarts
        lr_scheduler.CyclicLR lr_scheduler.OneCycleLR lr_scheduler.ReduceLROnPlateau lr_scheduler.SequentialLR
        lr_scheduler.ChainedScheduler
        Optimizer.step Optimizer.zero_grad Optimizer.state_dict Optimizer.load_state_dict
        Optimizer.add_param_group
    """,
    "torch.utils.data": """
        Dataset IterableDataset TensorDataset Subset ConcatDataset StackDataset DataLoader random_split Sampler
        RandomSampler SequentialSampler BatchSampler SubsetRandomSampler WeightedRandomSampler default_collate
        get_worker_info dataloader.default_collate
    """,
    "torch.autograd": """
        Function grad backward gradcheck no_grad enable_grad set_grad_enabled functional.jacobian Variable
    """,
    "torch.utils": "data checkpoint.checkpoint data.dataloader",
}


def listed():
    """Return every name of the list as a dotted path below the library."""
    return sorted(
        {
            ".".join(filter(None, [space.removeprefix("torch").removeprefix("."), name]))
            for space, names in NAMES.items()
            for name in names.split()
        }
    )


def has(lib, path):
    """Return whether a library has a dotted name, as an attribute or as a module to import."""
    found = lib
    for part in path.split("."):
        inside = getattr(found, part, None)
        if inside is None and getattr(found, "__path__", None):
            with contextlib.suppress(ImportError):
                inside = importlib.import_module(f"{found.__name__}.{part}")
        if inside is None and not hasattr(found, part):
            return False
        found = inside
    return True


def missing(lib=tinytorch):
    """Return the listed names that a library does not have."""
    return [path for path in listed() if not has(lib, path)]
