"""IPython settings of the page's kernel: the magics are there before the first cell."""

c = get_config()  # noqa: F821  (IPython provides it)
c.InteractiveShellApp.extensions = ["checks"]
