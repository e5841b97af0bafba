"""What `%pip install` does in a page that must work without a network: it says so."""

_PIPLITE_DISABLE_PYPI = True
_PIPLITE_URLS: list[str] = []

NOTHING = (
    "Nothing was installed: this course needs no other packages, and the page works without a network. "
    "NumPy and the standard library are here; everything else you write."
)


async def install(*_, **__):
    """Say that nothing can be installed."""
    print(NOTHING)
