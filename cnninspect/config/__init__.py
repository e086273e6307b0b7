"""Configuration: `[tool.cnninspect]` of a pyproject.toml, validated, without torch and without the command line."""
