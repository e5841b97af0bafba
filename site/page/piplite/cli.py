"""The `%pip` line of a notebook."""


async def get_transformed_code(_argv):
    """Return the code that runs in place of a `%pip` line."""
    return "import piplite\nawait piplite.install()"
