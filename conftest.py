"""The front door: it opens the house to pytest and holds nothing."""

# Registered here only: as an entry point too it would be registered twice, which stops pytest.
pytest_plugins = ["tunegate.pytest_plugin"]
