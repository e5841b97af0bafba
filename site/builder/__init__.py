"""The steps of the build: fetch the runtime, make wheels and lessons, assemble the site, serve it."""
