"""tinytorch against PyTorch: PyTorch's own samples of operators, modules and optimizers, run through both."""
