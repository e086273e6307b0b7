"""What transformers, diffusers and many others do: a lazy module whose attribute cannot be imported."""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    try:
        import a_package_that_is_not_there  # noqa: F401
    except ModuleNotFoundError as e:
        raise ModuleNotFoundError(
            f"Could not import module '{name}'. Are this object's requirements defined correctly?"
        ) from e
